"""What each column of a table in a file says: the picture, its class, its split."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imagette.data.sources.columns import (
    IMAGE_NAMES,
    LABEL_NAMES,
    SPLIT_NAMES,
    find_label,
    find_splits,
    usual,
)
from imagette.data.sources.split_names import SplitName
from imagette.data.sources.table_dialect import Line
from imagette.data.sources.table_files import PictureFinder, sample, share
from imagette.errors import ImagetteError
from imagette.images.formats import SUFFIXES
from imagette.wording import listed

LAYOUT = (
    "Name the columns in the first line and give a picture a line, such as:"
    " path,label / photos/tom.jpg,cat"
)
_NO_LABEL = ("", "nan", "NaN", "NA", "<NA>", "N/A", "n/a", "#N/A", "null", "NULL")
"""How programs write that there is none."""
_YES, _NO = ("1", "1.0", "True", "true", "TRUE"), ("0", "0.0", "False", "false", "FALSE", "")


@dataclass(frozen=True)
class Rows:
    """The rows of a table, of equal length in all.

    Attributes:
        numbers: the line of each, counted from 1.
        images: what is said of the picture.
        labels: what is said of the class; empty where nothing is.
        splits: `train`, `validation` or `test`; None where what is said is none of them.
        notes: what to know of how the columns were understood.
    """

    numbers: list[int]
    images: list[str]
    labels: list[str]
    splits: list[SplitName | None]
    notes: tuple[str, ...]


def read_columns(lines: Sequence[Line], file: Path, finder: PictureFinder) -> Rows:
    """Understand the columns of a table.

    Raises:
        ImagetteError: it lists nothing, or it cannot be told which column names the pictures or
            which the classes, or a picture has several classes or none in columns of 0 and 1.
    """
    names, lines = _with_names(lines, finder)
    if not lines:
        raise ImagetteError(f"{file} lists no picture.", LAYOUT)
    cells = [(line.cells + [""] * len(names))[: len(names)] for line in lines]
    columns = {name: list(column) for name, column in zip(names, zip(*cells), strict=True)}  # noqa: B905
    numbers = [line.number for line in lines]
    image = _find_image(columns, file, finder)
    told = find_splits(_readers(columns, [image]), str(file))
    used, splits = told or ([], ["train"] * len(lines))
    rest = {name: values for name, values in columns.items() if name not in (image, *used)}
    classes = _one_hot(rest)
    notes: tuple[str, ...]
    if classes:
        labels = _from_one_hot(rest, classes, numbers, file)
        notes = (f"Classes are the columns with a single 1 a line: {listed(classes, 'en')}.",)
    else:
        label, notes = find_label(_readers(rest), str(file), list(columns), LAYOUT)
        labels = [value if value not in _NO_LABEL else "" for value in columns[label]]
    if used:
        notes += (f"Splits are those of {listed(used, 'en')}.",)
    return Rows(numbers, columns[image], _whole(labels), splits, notes + _several(labels))


def _with_names(lines: Sequence[Line], finder: PictureFinder) -> tuple[list[str], Sequence[Line]]:
    """The names of the columns, and the lines without them; a table may have no names."""
    if not lines:
        return [], lines
    first, width = lines[0].cells, len(lines[1].cells) if len(lines) > 1 else 0
    known = usual(first, IMAGE_NAMES + LABEL_NAMES + SPLIT_NAMES)
    if not known and any(_is_file_name(cell) or finder.exists(cell) for cell in first):
        return [str(number) for number in range(1, len(first) + 1)], lines
    if width == len(first) + 1:
        first = ["", *first]  # R leaves the names of the lines without one
    names: list[str] = []
    for number, name in enumerate(first, start=1):
        name = name or str(number)
        names.append(f"{name} ({number})" if name in names else name)
    return names, lines[1:]


def _readers(columns: dict[str, list[str]], without: Sequence[str] = ()) -> dict:
    return {name: values.copy for name, values in columns.items() if name not in without}


def _find_image(columns: dict[str, list[str]], file: Path, finder: PictureFinder) -> str:
    """The column that names the pictures: by files that are there, then by its own name."""
    some = {name: sample(values) for name, values in columns.items()}
    known = usual(columns, IMAGE_NAMES)
    exact = [name for name, cells in some.items() if cells and all(map(finder.direct, cells))]
    if named := [name for name in known if name in exact] or exact[: len(exact) == 1]:
        return named[0]
    labels = usual(columns, LABEL_NAMES)
    candidates = {
        name: share(map(finder.exists, cells)) for name, cells in some.items() if name not in labels
    }
    best = max(candidates.values(), default=0)
    if not best:
        # None is there; the reasons are told of the column that is meant.
        candidates = {name: share(map(_is_file_name, some[name])) for name in candidates}
        best = max(candidates.values(), default=0)
    would_do = [name for name, found in candidates.items() if best and found >= best / 2]
    named = [name for name in known if name in would_do or not would_do]
    if named:
        return named[0]
    # Numbers of lines and of classes are names of files by chance; few of them differ.
    different = {name: len(set(columns[name])) for name in would_do}
    would_do = [name for name in would_do if different[name] == max(different.values())]
    if len(would_do) == 1:
        return would_do[0]
    if would_do:
        raise ImagetteError(
            f"Several columns of {file} could name the pictures: {listed(would_do, 'en')}.",
            "Rename the right one to `path`.",
        )
    raise ImagetteError(
        f"{file} has no column of pictures: it has {listed(list(columns), 'en', most=10)}, and none"
        " of them names files that are there.",
        LAYOUT,
    )


def _is_file_name(cell: str) -> bool:
    return cell.lower().endswith(tuple(SUFFIXES)) or "://" in cell


def _one_hot(columns: dict[str, list[str]]) -> list[str]:
    """The columns of 0 and 1, one a class; none where there are others that may tell the class."""
    if usual(columns, LABEL_NAMES):
        return []
    flags = [name for name, values in columns.items() if {*values} <= {*_YES, *_NO}]
    others = [name for name in columns if name not in flags]
    numbered = all(len(set(columns[name])) == len(columns[name]) for name in others)
    return flags if len(flags) > 1 and numbered else []


def _from_one_hot(
    columns: dict[str, list[str]], classes: list[str], numbers: list[int], file: Path
) -> list[str]:
    labels, wrong = [], []
    for place, number in enumerate(numbers):
        told = [name for name in classes if columns[name][place] in _YES]
        labels.append(told[0] if told else "")
        if len(told) != 1:
            wrong.append((number, listed(told, "en") or "none"))
    if wrong:
        number, ones = wrong[0]
        raise ImagetteError(
            f"{file} has columns of 0 and 1, and {len(wrong):,} of {len(numbers):,} lines do not"
            f" have a single 1, as line {number} ({ones}).",
            "A picture is learned as one class: keep one 1 a line, and take the other lines out.",
        )
    return labels


def _whole(labels: list[str]) -> list[str]:
    """Numbers without `.0`, which programs write all of where one is missing."""
    filled = [label for label in labels if label]
    if not all(label.endswith(".0") and label[:-2].lstrip("-").isdecimal() for label in filled):
        return labels
    return [label[:-2] for label in labels]


def _several(labels: list[str]) -> tuple[str, ...]:
    """Labels that look like several: `cat dog` where there are `cat` and others with `dog`."""
    different = {label for label in labels if label}
    parts = {label: _split_label(label) for label in different}
    times = Counter(part for some in parts.values() for part in set(some))
    found = sorted(
        label
        for label, some in parts.items()
        if len(some) > 1 and different & {*some} and all(times[part] > 1 for part in some)
    )
    if not found:
        return ()
    return (
        f"Some labels look like several at once, such as {found[0]!r} ({len(found):,} in all); each"
        " is learned as a class of its own.",
    )


def _split_label(label: str) -> list[str]:
    mark = next((mark for mark in "|;," if mark in label), None)
    return [part.strip() for part in label.split(mark) if part.strip()]
