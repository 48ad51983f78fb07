"""Pictures copied into a folder for each class: nothing is written over, and nothing twice."""

import io
import os
import re
import secrets
import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from PIL.Image import Image

from imagette.errors import ImageError, ImagetteError
from imagette.files import COPIES, MARK, make_folder
from imagette.images.find_images import holds_copies
from imagette.images.formats import SUFFIXES, open_file
from imagette.images.signatures import is_address
from imagette.inference.answering_processes import Picture, Row
from imagette.wording import why_no_file_name

NONE_OF_THESE = "none of these"
"""The folder of pictures that look like none of the classes."""

_NOT_ON_WINDOWS = re.compile(r'[<>:"|?*]')
_FOR_FRAMES = ".jpg"


class SortedCopies:
    """A folder with one for each class, into which pictures are copied.

    A copy that is there already is not made again, so whoever was stopped begins anew.

    Args:
        folder: a new one, an empty one, or one that was used for this before.
        class_names: in English.

    Attributes:
        folder: the same.
        copied: how many pictures were copied.
        there: how many of the same name and content were there already.

    Raises:
        ImagetteError: the folder holds something else, or cannot be made.
    """

    def __init__(self, folder: Path, class_names: Iterable[str]) -> None:
        self.folder = folder
        self.copied = self.there = 0
        self._folders = folder_names([*class_names, NONE_OF_THESE])
        self._under_way: deque[Picture] = deque()
        self._taken: dict[Path, dict[int, list[Path]]] = {}
        try:
            _begin(folder)
        except OSError as error:
            raise self._failed(error) from error

    def watch(self, pictures: Iterable[Picture]) -> Iterator[Picture]:
        """The same pictures, which are remembered until their answers are known."""
        for picture in pictures:
            self._under_way.append(picture)
            yield picture

    def sort(self, rows: Iterable[Row]) -> list[str]:
        """Copy the pictures that rows tell of, in the order in which they were watched.

        Returns:
            Why one could not be copied, for each that could not.

        Raises:
            ImagetteError: the copies cannot be written.
        """
        problems = []
        for row in rows:
            name, picture = self._under_way.popleft()
            if isinstance(picture, ImageError) or "error" in row:
                continue
            label = NONE_OF_THESE if row["known"] is False else row["label"]
            try:
                source = _open(picture)
            except OSError as error:
                problems.append(f"{name} was not copied: {error.strerror or error}.")
                continue
            with source:
                try:
                    self._copy(source, picture, self._folders[label], copy_name(name, picture))
                except OSError as error:
                    raise self._failed(error) from error
        return problems

    def in_words(self) -> str:
        """What was copied."""
        pictures = "1 picture was" if self.copied == 1 else f"{self.copied:,} pictures were"
        there = f"; {self.there:,} more lay there already" if self.there else ""
        return f"{pictures} copied into {self.folder}{there}."

    def _copy(self, source: BinaryIO, picture: str | bytes | Image, folder: str, name: str) -> None:
        first = self.folder / folder / name
        first.parent.mkdir(exist_ok=True)
        taken = self._taken.setdefault(first, {})
        if not taken:  # what an earlier run left
            for path in _those_there(first):
                taken.setdefault(path.stat().st_size, []).append(path)
        size = source.seek(0, io.SEEK_END)
        if any(_is_same(source, path) for path in taken.get(size, [])):
            self.there += 1
            return
        source.seek(0)
        temporary = first.parent / f".writing-{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            if isinstance(picture, str):
                with suppress(OSError):
                    shutil.copystat(picture, temporary)
            number = sum(map(len, taken.values())) + 1
            taken.setdefault(size, []).append(_place(temporary, first, number))
        finally:
            temporary.unlink(missing_ok=True)
        self.copied += 1

    def _failed(self, error: OSError) -> ImagetteError:
        return ImagetteError(
            f"Nothing more can be copied into {self.folder}: {error.strerror or error}.",
            "Free some space, or name a folder that you may write to, and run the command again:"
            " what is copied already is not copied twice.",
        )


def folder_names(names: Iterable[str]) -> dict[str, str]:
    """For each name one that a folder can have on this system, and no two the same, also where
    small letters and capitals are."""
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        clean = _clean(name)
        numbered = (f"{clean}-{number}" for number in count(2))
        while clean.casefold() in used:
            clean = next(numbered)
        used.add(clean.casefold())
        found[name] = clean
    return found


def copy_name(name: str, picture: str | bytes | Image) -> str:
    """What the file of a picture is called in another folder, with an ending that says what it is.

    Args:
        name: its path, its address, or that of a video with the time behind it.
        picture: what it came as.
    """
    if isinstance(picture, str):
        return Path(picture).name
    path, _, time = name.partition("#t=")
    path = unquote(urlsplit(path).path) if is_address(path) else Path(path).name
    stem, suffix = os.path.splitext(path.rstrip("/").rpartition("/")[2])  # noqa: PTH122 (no path)
    if isinstance(picture, Image):
        stem, suffix = f"{stem}-{time.replace(':', '-')}", _FOR_FRAMES
    elif suffix.lower() not in SUFFIXES:
        kind = str(open_file(io.BytesIO(picture)).format).lower()
        suffix = ".jpg" if kind == "jpeg" else f".{kind}"
    return _clean(stem, "picture") + suffix


def _those_there(first: Path) -> Iterator[Path]:
    """A path, and those with a number that follow it, as long as there are such files."""
    for number in count(1):
        path = _numbered(first, number)
        if not path.exists():
            return
        yield path


def _clean(name: str, otherwise: str = "class") -> str:
    """A name as a file can have it; the same where it can be."""
    if os.name == "nt":
        name = _NOT_ON_WINDOWS.sub("_", name)
    if not name.startswith(".") and not why_no_file_name(name):
        return name
    name = "".join("_" if one in "/\\" or not one.isprintable() else one for one in name)
    name = name.encode("utf-8", "surrogateescape")[:150].decode("utf-8", "ignore")
    name = name.strip().strip(".") or otherwise
    return f"{name}_" if why_no_file_name(name) else name


def _begin(folder: Path) -> None:
    """Make the folder, or see that it may be used, and mark it."""
    if folder.exists() and not holds_copies(folder):
        if not folder.is_dir() or any(path.name[0] != "." for path in folder.iterdir()):
            what = "holds other files" if folder.is_dir() else "is a file"
            raise ImagetteError(
                f"Pictures cannot be sorted into {folder}: it {what}.", "Name a new folder."
            )
    elif not folder.exists():
        make_folder(folder)
    (folder / MARK).write_text(COPIES, encoding="utf-8")


def _open(picture: str | bytes | Image) -> BinaryIO:
    if isinstance(picture, str):
        return Path(picture).open("rb")
    if isinstance(picture, bytes):
        return io.BytesIO(picture)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95)
    return file


def _is_same(source: BinaryIO, path: Path) -> bool:
    """Whether a file, of the same size, holds the same."""
    source.seek(0)
    with path.open("rb") as file:
        while part := source.read(1 << 20):
            if part != file.read(1 << 20):
                return False
    return True


def _place(temporary: Path, first: Path, number: int) -> Path:
    """Give a file its name, the first with a number that nothing has; nothing is written over."""
    for tried in count(number):
        path = _numbered(first, tried)
        try:
            os.link(temporary, path)
            return path
        except FileExistsError:
            continue
        except OSError:  # a file system that knows no links, as on many a USB stick
            try:
                path.open("xb").close()
            except FileExistsError:
                continue
            temporary.replace(path)
            return path
    raise AssertionError("numbers do not end")


def _numbered(path: Path, number: int) -> Path:
    return path if number == 1 else path.with_stem(f"{path.stem}-{number}")
