"""Where labelled images come from: a registry of every kind of source.

A new kind is a file beside this one, and a line here. The sentences that say what is accepted are
made from these lines.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from imagette.data.data_source import DataSource
from imagette.data.sources.archive import is_archive, open_archive
from imagette.data.sources.cifar import open_cifar10
from imagette.data.sources.csv_file import is_csv, open_csv
from imagette.data.sources.digits import open_digits
from imagette.data.sources.hugging_face import PREFIX, open_hugging_face
from imagette.data.sources.parquet import open_parquet
from imagette.data.sources.parquet_files import is_parquet
from imagette.data.sources.table_in_folder import open_folder_or_table
from imagette.errors import ImagetteError
from imagette.wording import printable

_NAMED: dict[str | Path, tuple[str, Callable[[str | Path | None], DataSource]]] = {
    "cifar10": ("the default", open_cifar10),
    "digits": ("needs no download", lambda _: open_digits()),
}
"""A remark on each, and what opens it, given where to look first."""


class _Files(NamedTuple):
    """A kind of files of one's own: what to give, whether a path is one, what opens it."""

    words: str
    recognises: Callable[[Path], bool]
    open: Callable[[Path], DataSource]


_FILES = (
    _Files(
        "a folder (FOLDER/<class>/pictures, or FOLDER/train/<class>/pictures with an optional"
        " FOLDER/val and FOLDER/test)",
        lambda path: path.is_dir() and not is_parquet(path),
        open_folder_or_table,
    ),
    _Files("a zip or tar file of one", is_archive, open_archive),
    _Files("a table of paths and labels (CSV, TSV or JSON lines)", is_csv, open_csv),
    _Files("a Parquet file of images and labels, a folder of such files", is_parquet, open_parquet),
)

BUILT_IN = tuple(map(str, _NAMED))
"""Names of the datasets that come with Imagette; anything else is somebody's own images."""

ACCEPTED = (
    ", ".join(f"`{name}` ({remark})" for name, (remark, _) in _NAMED.items())
    + ", or your own pictures: "
    + ", ".join(kind.words for kind in _FILES)
    + f", or `{PREFIX}NAME` for a dataset of Hugging Face"
)
"""All that `open_source` takes, in words."""


def open_source(source: str | Path, data_dir: str | Path | None = None) -> DataSource:
    """Find a dataset, without decoding its images yet.

    Args:
        source: the name of a built-in dataset, the path of one's own images, or `hf:NAME`; see
            `ACCEPTED`.
        data_dir: where to look for CIFAR-10 first.

    Raises:
        ImagetteError: there is no such source, or it is not laid out as a dataset.
    """
    if source in _NAMED:
        return _NAMED[source][1](data_dir)
    if str(source).startswith(PREFIX):
        return open_hugging_face(str(source))
    path = Path(source)
    for kind in _FILES:
        if kind.recognises(path):
            return kind.open(path)
    shown = printable(source)
    problem = (
        f"{shown} is not a dataset."
        if path.is_file()
        else f"There is no dataset or folder called {shown}."
    )
    raise ImagetteError(problem, f"Give {ACCEPTED}.")
