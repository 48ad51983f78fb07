"""A lesson that was saved as a zip file, or any zip file with a folder of pictures for each class.

Nothing of it is unpacked to the disk, and no more than one picture to memory. A file may say
anything of itself: what it says is held against bounds before it is believed.
"""

import io
import json
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imagette.webapp.uploads import Upload

REASONS = (
    "zip-unreadable", "zip-unsafe", "zip-bomb", "zip-too-many", "zip-no-pictures", "zip-newer",
)  # fmt: skip
"""Short names of the problems with such a file, which only the page has."""

_ABOUT = "imagette-lesson.json"
_VERSION = 1
_MOST_ABOUT = 4_000_000  # bytes of JSON

_END = b"PK\x05\x06"
_END_BYTES, _END_BYTES_64 = 22, 20
_MOST_COMMENT = 65_535
_MOST_LISTING = 8_000_000
"""Bytes that a file may take to list what is in it: a lesson of 500 pictures takes some 50 kB."""

_MOST_TIMES = 20
"""Pictures become hardly smaller when they are packed; drawings saved as BMP do, by some ten times.
What unpacks to more than this, and more than a lesson's worth, is made to fill a memory."""
_ALWAYS = 100_000_000  # bytes that may come out of any file

_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Ways of packing that take little memory to undo; others may claim gigabytes."""

_NOT_MEANT = re.compile(r"(^|/)(\.|__MACOSX/|Thumbs\.db$|desktop\.ini$)", re.IGNORECASE)
_OUTSIDE = re.compile(r"^/|^[A-Za-z]:|(^|/)\.\.(/|$)|\0")


class LessonZipError(Exception):
    """The file cannot be opened as a lesson.

    Attributes:
        kind: the short name of the problem.
    """

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class ZippedPicture:
    """A picture in a zip file, unpacked whenever it is asked for.

    Attributes:
        refused: as of `Upload`: there is never a reason.
    """

    refused = None

    def __init__(
        self, file: Upload, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int
    ) -> None:
        self._file = file  # which counts as held as long as a picture of it is
        self._archive, self._entry, self._most = archive, entry, most

    @property
    def data(self) -> bytes:
        """The bytes of the picture, and no more than one above the most that is taken of one; of
        one that is damaged what is no picture, which is refused as such."""
        try:
            with self._archive.open(self._entry) as picture:
                return picture.read(self._most + 1)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
            return b"damaged"


@dataclass(frozen=True)
class LessonZip:
    """What is in the file.

    Attributes:
        name: of the lesson; empty if it has none.
        classes: by name the pictures of each, by the names of their files, in their order.
    """

    name: str
    classes: dict[str, list[tuple[str, ZippedPicture]]]


def read_lesson_zip(file: Upload, max_classes: int, max_pictures: int, max_bytes: int) -> LessonZip:
    """Find what is in a file.

    Args:
        file: as somebody gave it.
        max_classes: of a lesson.
        max_pictures: of a lesson.
        max_bytes: of a picture.

    Raises:
        LessonZipError: it is no lesson, or one that is not to be opened.
    """
    archive = _open(file.data)
    entries = _check(archive, len(file.data))
    about = _read_about(file, archive, entries)
    found = _by_class([entry for entry in entries if not entry.is_dir()])
    names = dict.fromkeys([*(name for name, _ in _listed(about)), *found])
    if len(names) < 2 or not found:
        raise LessonZipError("zip-no-pictures")
    if len(names) > max_classes or sum(map(len, found.values())) > max_pictures:
        raise LessonZipError("zip-too-many")
    order = {path: place for _, paths in _listed(about) for place, path in enumerate(paths)}
    classes = {}
    for name in names:
        # Those of which nothing is said come last, in the order in which they are in the file.
        own = sorted(found.get(name, []), key=lambda one: order.get(_path(one), len(order)))
        classes[name] = [
            (one.filename, ZippedPicture(file, archive, one, max_bytes)) for one in own
        ]
    name = about.get("name", "")
    return LessonZip(name if isinstance(name, str) else "", classes)


def _open(content: bytes) -> zipfile.ZipFile:
    _check_listing(content)
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        raise LessonZipError("zip-unreadable") from error


def _check(archive: zipfile.ZipFile, size: int) -> list[zipfile.ZipInfo]:
    """What a file of some bytes lists, but for what nobody meant to pack."""
    entries = archive.infolist()
    if any(one.flag_bits & 1 or one.compress_type not in _PACKED for one in entries):
        raise LessonZipError("zip-unreadable")
    if any(_OUTSIDE.search(_path(one)) for one in entries):
        raise LessonZipError("zip-unsafe")
    if sum(one.file_size for one in entries) > max(_ALWAYS, _MOST_TIMES * size):
        raise LessonZipError("zip-bomb")
    return [one for one in entries if not _NOT_MEANT.search(_path(one))]


def _path(entry: zipfile.ZipInfo) -> str:
    """Where an entry is, with slashes between folders; some programs have written backslashes."""
    return entry.filename.replace("\\", "/")


def _check_listing(content: bytes) -> None:
    """Hold what a file says of its listing against the bound before the listing is read."""
    start = content.rfind(_END, max(0, len(content) - _END_BYTES - _MOST_COMMENT))
    if start < 0 or start + _END_BYTES > len(content):
        raise LessonZipError("zip-unreadable")
    (size,) = struct.unpack_from("<I", content, start + 12)
    # Files of more than 4 GB, or 65,535 entries, say it again before the end.
    before = max(0, start - _END_BYTES_64)
    is_huge = content[before : before + 4] == b"PK\x06\x07"
    if size > _MOST_LISTING or is_huge:
        raise LessonZipError("zip-too-many")


def _by_class(entries: Sequence[zipfile.ZipInfo]) -> dict[str, list[zipfile.ZipInfo]]:
    """Files by the folder that they are in; where all are in one folder, by those within it."""
    paths = [(entry, _path(entry).split("/")) for entry in entries]
    paths = [(entry, parts) for entry, parts in paths if parts[-1] != _ABOUT]
    while paths and len({tuple(parts[:1]) for _, parts in paths}) == 1:
        if any(len(parts) < 3 for _, parts in paths):
            break
        paths = [(entry, parts[1:]) for entry, parts in paths]
    found: dict[str, list[zipfile.ZipInfo]] = {}
    for entry, parts in paths:
        if len(parts) > 1:  # beside the folders may lie anything
            found.setdefault(parts[0], []).append(entry)
    return found


def _read_about(
    file: Upload, archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]
) -> dict[str, Any]:
    """What the file that Imagette writes says of the lesson; nothing if there is none of use."""
    entry = next((one for one in entries if _path(one).split("/")[-1] == _ABOUT), None)
    if entry is None or entry.file_size > _MOST_ABOUT:
        return {}
    try:
        about = json.loads(ZippedPicture(file, archive, entry, _MOST_ABOUT).data)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(about, dict) or about.get("format") != "imagette-lesson":
        return {}
    version = about.get("version")
    if isinstance(version, int) and version > _VERSION:
        raise LessonZipError("zip-newer")
    return about


def _listed(about: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The classes and their pictures in the order that is told; whatever is not well formed is left
    out."""
    found, classes = [], about.get("classes")
    for one in classes if isinstance(classes, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            pictures = one.get("pictures")
            known = pictures if isinstance(pictures, list) else []
            found.append((one["name"], [path for path in known if isinstance(path, str)]))
    return found
