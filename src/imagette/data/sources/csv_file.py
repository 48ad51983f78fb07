"""A table of pictures in a file, most often CSV: a line each, its path and its label.

Columns, files, encodings and separators are understood as people have them: see `columns.py`,
`table_columns.py`, `table_files.py` and `table_dialect.py`.
"""

from pathlib import Path

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
from imagette.data.sources.split_names import SplitName
from imagette.data.sources.table_columns import LAYOUT, Rows, read_columns
from imagette.data.sources.table_dialect import ENDINGS, read_lines
from imagette.data.sources.table_files import PictureFinder
from imagette.errors import ImagetteError


def is_csv(path: Path) -> bool:
    """Whether a path is a file with the ending of a table."""
    return path.suffix.lower() in ENDINGS and path.is_file()


def open_csv(file: Path) -> ImageIndex:
    """Find the images that a table lists; what is left out is listed in `skipped`.

    Raises:
        ImagetteError: it is no such table, none of its images is there, it has fewer than two
            classes, or the test split has a class that the train split lacks.
    """
    lines, notes = read_lines(file)
    finder = PictureFinder(file)
    rows = read_columns(lines, file, finder)
    classes = name_classes(dict.fromkeys(rows.labels))
    found = _Listed(file, finder, classes)
    for row in zip(rows.numbers, rows.images, rows.labels, rows.splits, strict=True):
        found.add(*row)
    splits = found.splits()
    names = {ref.class_name for ref in splits["train"]}
    if not names and any(splits.values()):
        raise ImagetteError(
            f"None of the pictures in {file} is in the train split.",
            "Set the split of some of them to train.",
        )
    if len(names) < 2 and found.skipped:
        raise _too_few(file, rows, splits["train"], found.skipped[0])
    return ImageIndex(
        name=file.stem,
        source=str(file.resolve()),
        class_names=in_order(names),
        train=tuple(splits["train"]),
        test=tuple(splits["test"]) or None,
        validation=tuple(splits["validation"]) or None,
        skipped=tuple(found.skipped),
        notes=notes + rows.notes + found.notes() + classes.notes,
        layout=LAYOUT,
    )


class _Listed:
    """The pictures of a table, row by row.

    Attributes:
        skipped: what was left out, with the reason.
    """

    def __init__(self, file: Path, finder: PictureFinder, classes: ClassNames) -> None:
        self.skipped: list[tuple[str, str]] = []
        self._file, self._finder, self._classes = file, finder, classes
        self._found: dict[tuple[SplitName, Path], dict[str, int]] = {}
        self._again: list[tuple[int, str]] = []
        self._missing: list[str] = []

    def add(self, number: int, cell: str, label: str, split: SplitName | None) -> None:
        """Take in a row, or tell why not."""
        class_name = self._classes.of.get(label)
        if not cell or not class_name:
            missing = "path" if not cell else "label"
            self.skipped.append((cell or self._file.name, f"(line {number}) has no {missing}."))
            return
        if split is None:
            reason = f"(line {number}) has a split that is none of train, validation and test."
            self.skipped.append((cell, reason))
            return
        file = self._finder.find(cell, (label, split))
        if isinstance(file, str):
            self.skipped.append((cell, f"(line {number}) {file}"))
            self._missing.append(cell)
            return
        lines = self._found.setdefault((split, file), {})
        if lines.setdefault(class_name, number) != number:
            self._again.append((number, cell))

    def splits(self) -> dict[SplitName, list[ImageRef]]:
        """The pictures by split; one that is of several classes by several lines is in each."""
        splits: dict[SplitName, list[ImageRef]] = {"train": [], "validation": [], "test": []}
        for (split, file), lines in self._found.items():
            path = self._finder.path_of(file)
            splits[split] += [file_ref(file, class_name, path) for class_name in lines]
        return splits

    def notes(self) -> tuple[str, ...]:
        """What to know of the pictures, a sentence each."""
        notes = []
        if self._missing:
            notes.append(
                f"Not found, of what {self._file.name} lists: {self._missing[0]}"
                f" ({len(self._missing):,} in all)."
            )
        if self._finder.found_below:
            cell, file = self._finder.found_below[0]
            notes.append(
                f"Found by their names: {cell} is {self._finder.path_of(file)}"
                f" ({len(self._finder.found_below):,} in all)."
            )
        if self._again:
            number, cell = self._again[0]
            notes.append(
                f"Named again by a later line, and counted once: {cell} by line {number}"
                f" ({len(self._again):,} in all)."
            )
        contradicting = [
            (file, lines) for (_, file), lines in self._found.items() if len(lines) > 1
        ]
        if contradicting:
            file, lines = contradicting[0]
            told = " and ".join(f"{name} by line {line}" for name, line in lines.items())
            notes.append(
                f"Of several classes by several lines: {self._finder.path_of(file)} is {told}"
                f" ({len(contradicting):,} in all)."
            )
        return tuple(notes)


def _too_few(
    file: Path, rows: Rows, train: list[ImageRef], first: tuple[str, str]
) -> ImagetteError:
    """So few pictures could be used that there are no two classes: how many, and why."""
    used = f"Only {len(train):,}" if train else "None"
    single = f", all of the class {train[0].class_name}" if train else ""
    cell, reason = first
    return ImagetteError(
        f"{used} of the {len(rows.images):,} pictures that {file} lists could be used{single}:"
        f" {cell} {reason}",
        "Download them, and write the paths of the files."
        if "://" in cell
        else "Put the table beside the folder of its pictures, and give their paths from there on.",
    )
