"""The picture that a cell of a table means: its file, beside the table or further down."""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from unicodedata import normalize
from urllib.parse import unquote, urlsplit

from imagette.data.sources.split_names import split_named
from imagette.images.formats import SUFFIXES
from imagette.wording import listed, printable

_MOST_FILES = 2_000_000
"""So many are looked through at most: a table may lie in a folder that holds a whole disk."""

Parts = tuple[str, ...]
"""A path from the table's folder on: folders, and the file's name."""


class PictureFinder:
    """Finds pictures by what a table says of them.

    A cell is the path of a file, from the table's folder on or absolute. Where there is no such
    file it was written on another machine, or is an id: the file is looked for below the table's
    folder, by its name with or without its ending. One that has a folder in another place than the
    cell says is not it.

    Attributes:
        folder: that of the table.
        found_below: each cell that was looked for so, and the file that it was found to be.
    """

    def __init__(self, table: Path) -> None:
        self.folder = table.parent
        self.found_below: list[tuple[str, Path]] = []
        self._hints = _words(table.stem)
        self._split = split_named(table.stem)

    def direct(self, cell: str) -> Path | None:
        """The file that a cell names as it stands."""
        text = _from_url(cell)
        for path in dict.fromkeys((text, text.replace("\\", "/"), unquote(text))):
            if text and os.path.isfile(self.folder / path):  # noqa: PTH113  # long names
                return self.folder / path
        return None

    def exists(self, cell: str) -> bool:
        """Whether there are files that a cell may mean."""
        return bool(self.direct(cell) or self._below(_parts(_from_url(cell))))

    def find(self, cell: str, hints: Sequence[str] = ()) -> Path | str:
        """The file that a cell means, or why there is none.

        Args:
            cell: what the table says.
            hints: the label and the split, which may be folders where several have such a file.
        """
        if address := re.match(r"(?!file:)([a-z][a-z0-9+.-]+)://", cell, re.IGNORECASE):
            return f"is an address ({address[1].lower()}), and pictures are not downloaded."
        if file := self.direct(cell):
            return file
        found = [path for path in self._below(_parts(_from_url(cell))) if self._may_be(path)]
        for hint in (*map(_fold, hints), *self._hints, "train", "images"):
            if len(found) < 2:
                break
            inside = [path for path in found if hint in _folder_words(path)]
            found = inside or found
        if not found:
            return "is no file that is there."
        if len(found) > 1:
            could = listed(["/".join(path) for path in sorted(found)], "en", most=3)
            return f"could be any of {could}."
        file = self.folder.joinpath(*found[0])
        self.found_below.append((cell, file))
        return file

    def _may_be(self, path: Parts) -> bool:
        """Whether a picture is not one of another split than a table like `train.csv` is of."""
        splits = {split_named(folder) for folder in path[:-1]} - {None}
        return not (self._split and splits) or self._split in splits

    def _below(self, wanted: Parts) -> list[Parts]:
        """The files with that name whose folders agree, those that agree the most."""
        if not wanted:
            return []
        by_name, by_stem = self._files
        agreeing = defaultdict(list)
        for path in by_name.get(wanted[-1]) or by_stem.get(wanted[-1]) or ():
            folders = [_fold(part) for part in path[-2::-1]]
            same = 1 + _common(folders, wanted[-2::-1])
            if same in (len(path), len(wanted)) or same > 1:
                agreeing[same].append(path)
        return agreeing[max(agreeing)] if agreeing else []

    @cached_property
    def _files(self) -> tuple[dict[str, list[Parts]], dict[str, list[Parts]]]:
        """All files below the table's folder, by name and, pictures, by name without ending."""
        by_name, by_stem = defaultdict(list), defaultdict(list)
        count = 0
        for root, folders, names in os.walk(self.folder):
            folders[:] = sorted(name for name in folders if name[0] not in "._")
            inside = Path(root).relative_to(self.folder).parts
            for name in names:
                stem, ending = os.path.splitext(name)  # noqa: PTH122  # fast, of many
                by_name[_fold(name)].append((*inside, name))
                if ending.lower() in SUFFIXES:
                    by_stem[_fold(stem)].append((*inside, name))
            count += len(names)
            if count > _MOST_FILES:
                break
        return by_name, by_stem

    def path_of(self, file: Path) -> str:
        """What to call a file: its path from the table's folder on."""
        try:
            file = file.relative_to(self.folder)
        except ValueError:
            file = Path(os.path.normpath(file))
        return printable(file.as_posix())


def _from_url(cell: str) -> str:
    if not cell.lower().startswith("file:"):
        return cell
    return unquote(urlsplit(cell).path)


def _parts(path: str) -> Parts:
    """The folders and the name in a path of any system, without its drive."""
    parts = [part for part in re.split(r"[\\/]+", path) if part not in ("", ".", "..")]
    if parts and re.fullmatch("[A-Za-z]:", parts[0]):
        del parts[0]
    return tuple(map(_fold, parts))


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """How many are the same from the beginning on."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other),
                min(len(first), len(second)))  # fmt: skip


def _fold(name: str) -> str:
    """A name as file systems that mind no capitals and no way of Unicode compare it."""
    return normalize("NFC", name).casefold()


def _folder_words(path: Parts) -> set[str]:
    return {word for folder in path[:-1] for word in (_fold(folder), *_words(folder))}


def _words(name: str) -> list[str]:
    """`trainLabels` and `train_labels` are `train` and `labels`."""
    return [_fold(word) for word in re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+", name)]


def sample(values: Sequence[str], most: int = 50) -> list[str]:
    """Some of the values that are not empty, from all over."""
    filled = [value for value in values if value]
    return filled[:: max(1, len(filled) // most)][:most]


def share(values: Iterable[bool]) -> float:
    """How many of some are true, as a fraction."""
    values = list(values)
    return sum(values) / len(values) if values else 0.0
