"""A CSV file of images: a line each with the path of its file and its label.

The first line names the columns: `path` and `label` (or others that mean the same, see `_NAMES`),
and where the splits are known, `split`, with `train` or `test` in it. Paths are relative to the CSV
file, or absolute.
"""

import csv
import os
from pathlib import Path

from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
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


def is_csv(path: Path) -> bool:
    """Whether a path is a file with the ending of a table."""
    return path.suffix.lower() in (".csv", ".tsv") and path.is_file()


def open_csv(file: Path) -> ImageIndex:
    """Find the images that a CSV file lists; what is left out is listed in `skipped`.

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
    splits: dict[str, list[ImageRef]] = {"train": [], "test": []}
    skipped = []
    for number, line in enumerate(lines, start=2):
        image, class_name = line[path].strip(), line[label].strip()
        named = line[split].strip() if split else "train"
        refs = splits.get(_SPLITS.get(named.lower(), ""))
        if refs is None:
            skipped.append((f"{file}, line {number}", f"{named!r} is neither train nor test."))
        elif not class_name or not image:
            skipped.append((f"{file}, line {number}", "has no path or no label."))
        elif not os.path.isfile(file.parent / image):  # noqa: PTH113  # long names
            skipped.append((image, f"(line {number}) there is no such file."))
        else:
            refs.append(file_ref(file.parent / image, class_name, image))
    return ImageIndex(
        name=file.stem,
        source=str(file.resolve()),
        class_names=tuple(sorted({ref.class_name for ref in splits["train"]})),
        train=tuple(splits["train"]),
        test=tuple(splits["test"]) or None,
        skipped=tuple(skipped),
        layout=_LAYOUT,
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
