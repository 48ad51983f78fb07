"""A CSV file of pictures: a line each with the path of its file and its label.

The first line names the columns: `path` and `label` (or others that mean the same, see `_NAMES`),
and where the splits are known, `split`, with `train` or `test` in it. Paths are relative to the CSV
file, or absolute.
"""

import csv
import os
from pathlib import Path

from imagette.data.sources.image_index import ImageIndex, ImageRef, check_classes, found_file
from imagette.errors import ImagetteError

_NAMES = {
    "path": ("path", "file", "filename", "file_name", "image", "picture"),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split", "part", "subset"),
}
"""Each column's usual names, in any capitals."""
_SPLITS = {"train": "train", "training": "train", "": "train", "test": "test", "testing": "test"}
_LAYOUT = (
    "Name the columns in the first line and give a picture a line, such as:"
    " path,label / photos/tom.jpg,cat"
)


def find_table(file: Path) -> ImageIndex:
    """Find the pictures that a CSV file lists; what is left out is listed in `skipped`.

    Raises:
        ImagetteError: it is no such table, has fewer than two classes, or the test split has a
            class that the train split lacks.
    """
    lines = _read(file)
    columns = {role: _column(lines[0], names) for role, names in _NAMES.items()}
    path, label, split = (columns[role] for role in ("path", "label", "split"))
    if path is None or label is None:
        missing = "path" if path is None else "label"
        raise ImagetteError(f"{file} has no column called {missing}.", _LAYOUT)
    splits: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    skipped = []
    for number, line in enumerate(lines, start=2):
        named = line[split].strip() if split else "train"
        split = _SPLITS.get(named.lower())
        if split is None:
            skipped.append((f"{file}, line {number}", f"{named!r} is neither train nor test."))
        elif not line[label].strip() or not line[path].strip():
            skipped.append((f"{file}, line {number}", "has no path or no label."))
        elif not os.path.isfile(file.parent / line[path].strip()):  # noqa: PTH113  # long names
            skipped.append((line[path].strip(), f"(line {number}) there is no such file."))
        else:
            splits[split].append((line[path].strip(), line[label].strip()))
    names = sorted({name for _, name in splits["train"]})
    check_classes(names, str(file), _LAYOUT)
    if unknown := sorted({name for _, name in splits["test"]} - set(names)):
        raise ImagetteError(
            f"{file} has a class {unknown[0]} in its test split that its train split lacks.",
            "Use the same classes in train and test.",
        )
    return ImageIndex(
        name=file.stem,
        source=str(file.resolve()),
        class_names=tuple(names),
        train=_found(splits["train"], names, file),
        test=_found(splits["test"], names, file) if splits["test"] else None,
        skipped=tuple(skipped),
    )


def _read(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            sample = opened.read(10_000)
            opened.seek(0)
            # Spreadsheets of some countries write semicolons.
            delimiter = max(",;\t", key=sample.partition("\n")[0].count)
            reader = csv.DictReader(opened, delimiter=delimiter, restval="", restkey="rest")
            lines = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImagetteError(
            f"{file} cannot be read as a table: {error}.", "Save it again as CSV in UTF-8."
        ) from error
    if not lines:
        raise ImagetteError(f"{file} lists no picture.", _LAYOUT)
    return lines


def _column(line: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((column for column in line if column.strip().lower() in names), None)


def _found(lines: list[tuple[str, str]], names: list[str], file: Path) -> tuple[ImageRef, ...]:
    labels = {name: label for label, name in enumerate(names)}
    return tuple(found_file(file.parent / path, labels[name], path) for path, name in lines)
