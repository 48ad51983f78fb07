"""Parquet files with an image and its class a row, as the Hugging Face Hub keeps its datasets.

Either one file, or a folder with files such as `train-00000-of-00002.parquet` and
`test-00000-of-00001.parquet`, in it or in a folder `data` inside. The images are in a column of
bytes, or of structs that hold them as `bytes`; the classes in a column of texts or of integers,
whose names may be in the file's metadata.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from imagette.data.data_source import Skipped
from imagette.data.sources.image_index import (
    ImageIndex,
    ImageRef,
    file_stamp,
    first_line,
    known_rows,
    row_class_names,
)
from imagette.errors import ImageError, ImagetteError

_SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
}  # fmt: skip
_LABELS = ("label", "labels", "class", "class_name", "category", "target")
_LAYOUT = (
    "Give it a column of images (their bytes) and a column `label` of classes (texts or integers),"
    " as datasets for classification on the Hugging Face Hub have them."
)
_BATCH = 16
_KEPT = 96
"""So many rows stay in memory, since many threads ask for them, a little back and forth."""


def is_parquet(path: Path) -> bool:
    """Whether a path is a Parquet file, or a folder of such files and not one of class folders."""
    if not path.is_dir():
        return path.suffix.lower() == ".parquet"
    inside = [folder for folder in path.iterdir() if folder.is_dir() and folder.name[0] not in "._"]
    return all(folder.name == "data" for folder in inside) and bool(_files(path))


def _files(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.parquet"), *folder.glob("data/*.parquet")])


def open_parquet(path: Path) -> ImageIndex:
    """Find the images of a Parquet file, or of a folder of them.

    The files' names tell the splits; where none is of the test split, those of the validation split
    are. A single file, and files whose names tell nothing, are the train split.

    Raises:
        ImagetteError: a file is damaged, has no column of images or of classes, there are fewer
            than two classes, or the test split has one that the train split lacks.
    """
    splits, skipped = _by_split(path)
    tables = {split: [_Table(file) for file in files] for split, files in splits.items()}
    refs = {
        split: tuple(ref for table in some for ref in table.refs(path))
        for split, some in tables.items()
    }
    values = (value for table in tables["train"] for value in table.classes)
    return ImageIndex(
        path.resolve().stem if path.is_file() else path.resolve().name,
        row_class_names(tables["train"][0].class_names, values),
        refs["train"],
        refs.get("test"),
        source=str(path.resolve()),
        skipped=skipped,
        layout=_LAYOUT,
    )


def _by_split(path: Path) -> tuple[dict[str, list[Path]], Skipped]:
    """The files of the train split and, where there is one, of the test split."""
    if path.is_file():
        return {"train": [path]}, ()
    found: dict[str, list[Path]] = {}
    for file in _files(path):
        words = re.split(r"[^a-z]+", file.stem.lower())
        split = next((_SPLITS[word] for word in words if word in _SPLITS), "")
        found.setdefault(split, []).append(file)
    train, test = ("train" if "train" in found else ""), "test" if "test" in found else "validation"
    if train not in found:
        raise ImagetteError(f"{path} has no file of the train split.", "Call it train.parquet.")
    others = [file for split in found.keys() - {train, test} for file in found[split]]
    skipped = tuple(
        (file.relative_to(path).as_posix(), "is neither train nor test.") for file in sorted(others)
    )
    return {"train": found[train]} | ({"test": found[test]} if test in found else {}), skipped


class _Table:
    """A file, of which rows are read as they are asked for.

    Attributes:
        class_names: names of the classes by their number, where the file tells them.
        classes: the class of each row, None where it is not known.
    """

    def __init__(self, file: Path) -> None:
        from pyarrow import ArrowException, parquet

        self._file = file
        try:
            # With a buffer, a row group is read a piece at a time, and not all of it at once.
            self._parquet = parquet.ParquetFile(file, buffer_size=1 << 20)
            self._image, label, self.class_names = _columns(self._parquet.schema_arrow, file)
            self.classes = self._parquet.read([label]).column(0).to_pylist()
        except (ArrowException, OSError) as error:
            raise ImagetteError(
                f"{file} cannot be read as Parquet: {first_line(error)}.",
                "Download or write it again.",
            ) from error
        groups = self._parquet.metadata
        rows = [groups.row_group(group).num_rows for group in range(groups.num_row_groups)]
        self._starts = list(accumulate(rows, initial=0))
        self._lock = Lock()
        self._batches: Iterator[Any] = iter(())
        self._next, self._group = 0, -1
        self._kept: dict[int, Any] = {}

    def refs(self, folder: Path) -> Iterator[ImageRef]:
        """The rows whose class is known."""
        stamp, size = file_stamp(self._file)
        name = self._file.name if folder.is_file() else self._file.relative_to(folder).as_posix()
        size //= max(len(self.classes), 1)
        for row, class_name in known_rows(self.class_names, self.classes):
            image = partial(self._read, row)
            yield ImageRef(image, class_name, f"{name}/{row}", f"{stamp} {row}", size)

    def _read(self, row: int) -> bytes:
        """The bytes of an image.

        Raises:
            ImageError: there are none, or they cannot be read.
        """
        from pyarrow import ArrowException

        with self._lock:
            try:
                value = self._row(row).as_py()
            except (ArrowException, OSError) as error:
                self._group = -1
                problem = f"cannot be read ({first_line(error)})."
                raise ImageError(problem, "Choose another one.") from error
        content = value["bytes"] if isinstance(value, dict) else value
        if not content:
            raise ImageError("There is no picture.", "Choose another one.")
        return content

    def _row(self, row: int) -> Any:
        """A row's image; rows can only be read one after the other from where a group begins."""
        if row not in self._kept:
            group = bisect_right(self._starts, row) - 1
            if group != self._group or row < self._next:
                self._batches = self._parquet.iter_batches(_BATCH, [group], [self._image])
                self._next, self._group = self._starts[group], group
            while self._next <= row:
                for value in next(self._batches).column(0):
                    self._kept[self._next] = value
                    self._next += 1
                for old in list(self._kept)[:-_KEPT]:
                    del self._kept[old]
        return self._kept[row]


def _columns(schema: Any, file: Path) -> tuple[str, str, list[str] | None]:
    """The column of images, the column of classes, and the names of those that are numbers."""
    told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = told.get("info", {}).get("features", {})
    names = {
        column: features[column]["names"]
        for column in schema.names
        if features.get(column, {}).get("_type") == "ClassLabel"
    }
    labels = [*names, *(name for name in schema.names if name.lower() in _LABELS)]
    label = next((name for name in labels if _is_class(schema.field(name).type)), None)
    image = next((field.name for field in schema if _is_image(field.type)), None)
    if image is None or label is None:
        missing = "images" if image is None else "classes"
        raise ImagetteError(f"{file} has no column of {missing}.", _LAYOUT)
    return image, label, names.get(label)


def _is_image(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return types.is_binary(kind) or types.is_large_binary(kind)


def _is_class(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return types.is_integer(kind) or types.is_string(kind) or types.is_large_string(kind)
