"""Where labelled images come from: a registry of every kind of source.

A new kind is a file beside this one that ends with its `KIND`, and a place in `KINDS`. The
sentences that say what is accepted are made from there.
"""

import os
from pathlib import Path

from imagette.data.data_source import DataSource
from imagette.data.sources import (
    archive,
    cifar,
    csv_file,
    digits,
    folder,
    hugging_face,
    parquet,
)
from imagette.errors import ImagetteError

KINDS = (
    cifar.KIND, digits.KIND,
    folder.KIND, archive.KIND, csv_file.KIND, parquet.KIND, hugging_face.KIND,
)  # fmt: skip
"""In the order in which they are listed; the first that recognises a source opens it."""

BUILT_IN = tuple(kind.built_in for kind in KINDS if kind.built_in)
"""Names of the datasets that come with Imagette; anything else is somebody's own images."""

_OWN = [kind.words for kind in KINDS if not kind.built_in]
ACCEPTED = (
    ", ".join(kind.words for kind in KINDS if kind.built_in)
    + f", or your own pictures: {', '.join(_OWN[:-1])}, or {_OWN[-1]}"
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
    for kind in KINDS:
        if kind.recognises(source):
            return kind.open(source, data_dir)
    shown = os.fsencode(source).decode("utf-8", "backslashreplace")
    problem = (
        f"{shown} is not a dataset."
        if Path(source).is_file()
        else f"There is no dataset or folder called {shown}."
    )
    raise ImagetteError(problem, f"Give {ACCEPTED}.")


def full_name(source: str | Path) -> str:
    """What opens the same source from any folder: its name, or its full path."""
    if any(kind.by_name and kind.recognises(source) for kind in KINDS):
        return str(source)
    return str(Path(source).resolve())
