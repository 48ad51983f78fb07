"""Parquet files with an image and its class a row, as the Hugging Face Hub keeps its datasets.

One file, or several (see `parquet_files.py`). The images are in a column of bytes, or of structs
that hold them as `bytes`; the classes in a column of texts or of numbers, whose names may be in the
file's metadata.
"""

import json
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import partial
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.sources.columns import (
    IMAGE_NAMES,
    LABEL_NAMES,
    find_label,
    find_splits,
    may_split,
    usual,
)
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_stamp
from imagette.data.sources.parquet_files import files_by_split
from imagette.data.sources.split_names import SplitName
from imagette.errors import ImageError, ImagetteError, first_line

_LAYOUT = (
    "Give it a column of images (their bytes) and a column `label` of classes (texts or integers),"
    " as datasets for classification on the Hugging Face Hub have them."
)
_BATCH = 16
_KEPT_BYTES = 1 << 28
_KEPT_ROWS = 32 + 8 * (os.cpu_count() or 1)
"""Images wait in memory while they take no more than so many bytes, or are no more than so many:
each thread asks for a few rows, and is slower at some of them than others are."""


def open_parquet(path: Path) -> ImageIndex:
    """Find the images of a Parquet file, or of a folder of them.

    The files' names tell the splits. In a single file, and in files whose names tell nothing, a
    column may, as in a CSV file; without, they are the train split.

    Raises:
        ImagetteError: a file is damaged, has no column of images or of classes, or other classes
            than the first one, there are fewer than two classes, or the test split has one that
            the train split lacks.
    """
    splits, skipped = files_by_split(path)
    waiting = _Waiting()
    tables = {split: [_Table(file, waiting) for file in files] for split, files in splits.items()}
    first = tables["train"][0]
    for table in (table for some in tables.values() for table in some):
        if (table.kind, table.class_names) != (first.kind, first.class_names):
            raise ImagetteError(
                f"{table.file} and {first.file} tell their classes in different ways.",
                "Write the classes of all files as texts, or as integers with the same names.",
            )
    values = {value for some in tables.values() for table in some for value in table.classes}
    classes = name_classes(values, first.class_names)
    found: dict[SplitName, list[ImageRef]] = {split: [] for split in tables}
    for split, some in tables.items():
        for table in some:
            # Where the files' names tell nothing, a column may.
            rows = table.splits if tables.keys() == {"train"} else None
            for row, ref in table.refs(path, classes):
                found.setdefault(rows[row] or split if rows else split, []).append(ref)
    refs = {split: tuple(some) for split, some in found.items()}
    return ImageIndex(
        path.resolve().stem if path.is_file() else path.resolve().name,
        classes.order if first.class_names else in_order({ref.class_name for ref in refs["train"]}),
        refs["train"],
        refs.get("test"),
        refs.get("validation"),
        source=str(path.resolve()),
        skipped=skipped,
        notes=first.notes + classes.notes,
        layout=_LAYOUT,
    )


class _Waiting:
    """Images that were read on the way to others, and wait until they are asked for.

    All files of a dataset share one, so that it takes as much memory however many there are.
    """

    def __init__(self) -> None:
        self.lock = Lock()
        self._images: dict[tuple[Path, int], bytes | None] = {}
        self._size = 0

    def __contains__(self, key: tuple[Path, int]) -> bool:
        return key in self._images

    def take(self, key: tuple[Path, int]) -> bytes | None:
        image = self._images.pop(key, None)
        self._size -= len(image or b"")
        return image

    def add(self, key: tuple[Path, int], image: bytes | None) -> None:
        """Add one, which is the newest then, though it may be there already."""
        self.take(key)
        self._images[key] = image
        self._size += len(image or b"")
        while self._size > _KEPT_BYTES and len(self._images) > _KEPT_ROWS:
            self.take(next(iter(self._images)))


class _Table:
    """A file, of which rows are read as they are asked for.

    Attributes:
        file: its path.
        kind: `texts` or `numbers`, what tells the classes.
        class_names: names of the classes by their number, where the file tells them.
        classes: what tells the class of each row, None where it is not known.
        splits: the split of each row, where a column tells it.
        notes: what to know of how its columns were understood.
    """

    def __init__(self, file: Path, waiting: _Waiting) -> None:
        from pyarrow import ArrowException, parquet

        self.file = file
        try:
            # With a buffer, a row group is read a piece at a time, and not all of it at once.
            self._parquet = parquet.ParquetFile(file, buffer_size=1 << 20)
            schema = self._parquet.schema_arrow
            told = find_splits(self._split_columns(schema), str(file))
            used = told[0] if told else []
            self.splits = told[1] if told else None
            self._image, label, self.class_names, self.notes = self._columns(schema, used)
            self.kind = _class_kind(schema.field(label).type)
            self.classes = self._read_column(label)
        except (ArrowException, OSError) as error:
            raise ImagetteError(
                f"{file} cannot be read as Parquet: {first_line(error)}.",
                "Download or write it again.",
            ) from error
        groups = self._parquet.metadata
        rows = [groups.row_group(group).num_rows for group in range(groups.num_row_groups)]
        self._starts = list(accumulate(rows, initial=0))
        self._batches: Iterator[Any] = iter(())
        self._next, self._group = 0, -1
        self._waiting = waiting

    def _columns(
        self, schema: Any, used: list[str]
    ) -> tuple[str, str, list[str] | None, tuple[str, ...]]:
        """The column of images, that of classes, the names of those that are numbers, and notes."""
        images = [field.name for field in schema if _is_image(field.type)]
        if not images:
            raise ImagetteError(f"{self.file} has no column of images.", _LAYOUT)
        image = (usual(images, IMAGE_NAMES) or images)[0]
        names = _names_of_classes(schema)
        if names:
            label = (usual(names, LABEL_NAMES) or list(names))[0]
            return image, label, names[label], ()
        candidates = {
            field.name: partial(self._read_column, field.name)
            for field in schema
            if _class_kind(field.type) and field.name not in used
        }
        label, notes = find_label(candidates, str(self.file), schema.names, _LAYOUT)
        return image, label, None, notes

    def _split_columns(self, schema: Any) -> dict[str, Callable[[], list[Any]]]:
        from pyarrow import types

        return {
            field.name: partial(self._read_column, field.name)
            for field in schema
            if may_split(field.name)
            if _class_kind(field.type) or types.is_boolean(field.type)
        }

    def _read_column(self, column: str) -> list[Any]:
        return self._parquet.read([column]).column(0).to_pylist()

    def refs(self, folder: Path, classes: ClassNames) -> Iterator[tuple[int, ImageRef]]:
        """The rows whose class is known, by their numbers."""
        stamp, size = file_stamp(self.file)
        name = self.file.name if folder.is_file() else self.file.relative_to(folder).as_posix()
        size //= max(len(self.classes), 1)
        for row, value in enumerate(self.classes):
            # None and, of numbers that have names, -1 mark a class that is kept secret.
            if class_name := classes.of.get(value):
                image = partial(self._read, row)
                yield row, ImageRef(image, class_name, f"{name}/{row}", f"{stamp} {row}", size)

    def _read(self, row: int) -> bytes:
        """The bytes of an image.

        Raises:
            ImageError: there are none, or they cannot be read.
        """
        from pyarrow import ArrowException

        with self._waiting.lock:
            try:
                content = self._row(row)
            except (ArrowException, OSError) as error:
                self._group = -1
                problem = f"cannot be read ({first_line(error)})."
                raise ImageError(problem, "Choose another one.") from error
        if not content:
            raise ImageError("There is no picture.", "Choose another one.")
        return content

    def _row(self, row: int) -> bytes | None:
        """A row's image; rows can only be read one after the other from where a group begins."""
        if (self.file, row) not in self._waiting:
            group = bisect_right(self._starts, row) - 1
            if group != self._group or row < self._next:
                self._batches = self._parquet.iter_batches(_BATCH, [group], [self._image])
                self._next, self._group = self._starts[group], group
            while self._next <= row:
                for value in next(self._batches).column(0).to_pylist():
                    image = value["bytes"] if isinstance(value, dict) else value
                    self._waiting.add((self.file, self._next), image)
                    self._next += 1
        return self._waiting.take((self.file, row))


def _names_of_classes(schema: Any) -> dict[str, list[str]]:
    """The names that the metadata has for a column's integers; what is no such list is left out."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        told = {column: features[column] for column in schema.names if column in features}
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    found = {}
    for column, feature in told.items():
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
            names = feature.get("names")
            usable = isinstance(names, list) and all(isinstance(name, str) for name in names)
            if names and usable and _class_kind(schema.field(column).type) == "numbers":
                found[column] = names
    return found


def _is_image(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        # Texts would be taken for paths of files.
        return kind.get_field_index("bytes") >= 0 and _is_image(kind.field("bytes").type)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _class_kind(kind: Any) -> str | None:
    """`texts` or `numbers`, or None for a column that can tell no classes."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_integer(kind) or types.is_floating(kind):
        return "numbers"
    return "texts" if types.is_string(kind) or types.is_large_string(kind) else None
