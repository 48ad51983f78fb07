"""Which files below a folder are pictures: one rule for learning, exploring and answering.

A file is a picture by what it holds; one with a picture's ending is not opened to know. Left out
are hidden and system files, and what Imagette wrote, so that it never learns from its own plots.
Links are followed, but for those that lead nowhere, back, or to what is found anyway.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from imagette.errors import ImagetteError
from imagette.files import COPIES, MARK
from imagette.images.formats import SUFFIXES
from imagette.images.own_files import is_marked, is_own_image, may_be_own_image
from imagette.images.signatures import first_bytes, is_image

_SYSTEM = frozenset([
    "__macosx", "__pycache__", "@eadir", "@recently-snapshot", "@recycle", "@tmp", "#recycle",
    "#snapshot", "$recycle.bin", "desktop.ini", "ehthumbs.db", "found.000", "icon\r",
    "lightning_logs", "lost+found", "mlruns", "network trash folder", "node_modules", "recycled",
    "recycler", "system volume information", "temporary items", "thumbs.db", "wandb",
])  # fmt: skip
"""Names, in small letters, of what systems and programs leave among people's files."""

_OF_THE_SYSTEM = ("/proc", "/sys", "/dev")
"""Folders whose files are not on any disk; to read some of them waits for ever."""

_MOST_OTHERS = 200_000
"""Files that are no pictures, of which a dataset has no more, or ten times its pictures."""

_RAW = frozenset([
    ".3fr", ".arw", ".cr2", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".nef",
    ".nrw", ".pef", ".sr2", ".srw",
])  # fmt: skip
"""Endings of cameras' own files: they begin as TIFF does, and Pillow would read a small preview."""

_TEXTS = frozenset([
    ".cfg", ".css", ".csv", ".html", ".ini", ".ipynb", ".js", ".json", ".jsonl", ".log", ".mat",
    ".md", ".names", ".py", ".sh", ".toml", ".tsv", ".txt", ".xml", ".yaml", ".yml",
])  # fmt: skip
"""Endings of what lies beside pictures, and is none under another name."""

_OTHER, _OWN = "is no picture", "was written by Imagette"

Reason = str
"""Why a file is left out; empty for a picture."""
LeftOut = list[tuple[Path, Reason]]


class Found(NamedTuple):
    """What lies below a folder.

    Attributes:
        images: the pictures, in the order of their paths.
        left_out: what else there is, each with the reason; hidden and system files are not told.
    """

    images: list[Path]
    left_out: LeftOut


def find_images(folder: Path, top: Path | None = None) -> Found:
    """Find the pictures in a folder, however deep.

    Args:
        folder: where to look.
        top: what the folder is a part of; links from one part to another are not followed.
    """
    walk = _Walk(folder, top or folder)
    images: list[Path] = []
    left_out: LeftOut = []
    for path, reason in walk.below(folder):
        if reason:
            left_out.append((path, reason))
        else:
            images.append(path)
    if twice := _found_twice(images, walk.links):
        images = [path for path in images if path not in twice]
        left_out += [(path, "is a link to a picture that is found anyway.") for path in twice]
    if any(reason == _OWN for _, reason in left_out):
        left_out = _whole_folders(folder, images, left_out)
    return Found(images, sorted(left_out))


def walk_images(folder: Path) -> Iterator[tuple[Path, Reason]]:
    """The files below a folder one by one, each with why it is left out, for more of them than
    should lie in memory.

    They come as `find_images` has them, but a link to a picture is left out only where that lies
    in the folder itself.
    """
    walk, real = _Walk(folder), Path(os.path.realpath(folder))
    for path, reason in walk.below(folder):
        if walk.links and path in walk.links:
            walk.links.discard(path)
            if Path(os.path.realpath(path)).is_relative_to(real):
                yield path, "is a link to a picture that is found anyway."
                continue
        yield path, reason


def holds_images(folder: Path) -> bool:
    """Whether a picture lies in a folder, however deep."""
    return any(not reason for _, reason in _Walk(folder).below(folder))


def holds_only_texts(folder: Path) -> bool:
    """Whether there are files in a folder, however deep, and all are programs, lists and texts."""
    holds_some = False
    for path, _ in _Walk(folder).below(folder):
        if path.suffix.lower() not in _TEXTS:
            return False
        holds_some = True
    return holds_some


def look_in(folder: Path) -> Found:
    """Find the pictures that lie in a folder itself; what is no picture is not told."""
    walk, found = _Walk(folder), Found([], [])
    for entry in _entries(folder):
        path, reason = Path(entry.path), walk.judge(entry)
        if not reason and entry.is_dir():
            reason = _OWN if _is_own_folder(path) else _OTHER
        if not reason:
            found.images.append(path)
        elif reason != _OTHER:
            found.left_out.append((path, reason))
    return found


def folders_in(folder: Path) -> list[Path]:
    """The folders inside a folder, by name, that may hold pictures.

    That is, without hidden and system ones, links that are not followed, and those that hold what
    Imagette wrote and no picture.
    """
    walk = _Walk(folder)
    inside = [(Path(entry.path), entry) for entry in _entries(folder)]
    found = [path for path, entry in inside if not walk.judge(entry) and path.is_dir()]
    return [path for path in found if not _is_own_folder(path)]


def in_short(left_out: LeftOut) -> LeftOut:
    """The same, with one line for all that is no picture, and one for all that Imagette wrote."""
    lines = [(path, reason) for path, reason in left_out if reason not in (_OTHER, _OWN)]
    for kind in (_OTHER, _OWN):
        paths = [path for path, reason in left_out if reason == kind]
        more = f", like {len(paths) - 1:,} more" if len(paths) > 1 else ""
        lines += [(path, f"{kind}{more}.") for path in paths[:1]]
    return lines


def holds_copies(folder: Path) -> bool:
    """Whether Imagette copies into a folder what lies elsewhere, and so would be found twice."""
    with suppress(OSError, UnicodeDecodeError):
        return (folder / MARK).read_text(encoding="utf-8") == COPIES
    return False


class _Walk:
    """One look through a folder.

    Attributes:
        links: to pictures.
    """

    def __init__(self, folder: Path, top: Path | None = None) -> None:
        self.links: set[Path] = set()
        self._others = self._pictures = 0
        self._folders = [Path(os.path.realpath(one)) for one in (folder, top or folder)]

    def below(self, folder: Path) -> Iterator[tuple[Path, Reason]]:
        """Every file that is not hidden, in the order of paths."""
        try:
            inside = _entries(folder)
        except OSError as error:
            yield folder, f"cannot be opened ({error.strerror})."
            return
        if is_marked(folder):
            yield folder / MARK, _OWN
        for entry in inside:
            path, reason = Path(entry.path), self.judge(entry)
            if not reason and entry.is_dir():
                yield from self.below(path)
            else:
                self._count(path, reason)
                yield path, reason

    def _count(self, path: Path, reason: Reason) -> None:
        """Raise an ImagetteError where a great many files are found and hardly one is a picture, as
        where a link leads to all of a disk."""
        self._pictures += not reason
        self._others += bool(reason)
        if self._others > max(_MOST_OTHERS, 10 * self._pictures):
            raise ImagetteError(
                f"{self._folders[0]} holds more than {_MOST_OTHERS:,} files that are not"
                f" pictures, such as {path}.",
                "Name the folder of the pictures themselves; if it is that, take out the link in it"
                " that leads elsewhere.",
            )

    def judge(self, entry: os.DirEntry[str]) -> Reason:
        """Why a file, or all of a folder, is left out."""
        if entry.is_symlink() and (reason := self._not_followed(entry)):
            return reason
        if entry.path in _OF_THE_SYSTEM:
            return "is the system's, and holds no files of people."
        if entry.is_dir():
            if (Path(entry.path) / "pyvenv.cfg").exists():
                return "is a virtual environment of Python."
            return _OWN if holds_copies(Path(entry.path)) else ""
        reason = _judge_file(entry)
        if entry.is_symlink() and not reason:
            self.links.add(Path(entry.path))
        return reason

    def _not_followed(self, link: os.DirEntry[str]) -> Reason:
        real = Path(os.path.realpath(link.path))
        try:
            if not real.exists():
                return f"is a link to {real}, where there is nothing."
        except OSError as error:
            return f"is a link to {real}, which cannot be opened ({error.strerror})."
        if real.is_dir():
            in_memory = real.is_relative_to("/dev/shm")  # where some copy what they learn from
            if not in_memory and any(real.is_relative_to(one) for one in _OF_THE_SYSTEM):
                return f"is a link to {real}, where the system has no files of people."
            if any(real.is_relative_to(one) or one.is_relative_to(real) for one in self._folders):
                return "is a link to a folder that is found anyway, or that it lies in."
            self._folders.append(real)
        return ""


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, by name, but for what is hidden or the system's."""
    with os.scandir(folder) as inside:
        seen = [one for one in inside if one.name[0] != "." and one.name.lower() not in _SYSTEM]
    return sorted(seen, key=lambda entry: entry.name)


def _judge_file(entry: os.DirEntry[str]) -> Reason:
    _, point, ending = entry.name.lower().rpartition(".")
    suffix = point + ending if point else ""
    if not entry.is_file() or suffix in _RAW:
        return _OTHER
    if suffix == ".png" and may_be_own_image(entry.name) and is_own_image(Path(entry.path)):
        return _OWN
    return "" if suffix in SUFFIXES or is_image(first_bytes(Path(entry.path))) else _OTHER


def _is_own_folder(folder: Path) -> bool:
    """Whether a folder holds what Imagette wrote, and no picture."""
    own = False
    for _, reason in _Walk(folder).below(folder):
        if not reason:
            return False
        own = own or reason == _OWN
    return own


def _whole_folders(top: Path, images: list[Path], left_out: LeftOut) -> LeftOut:
    """The same, but of a folder with what Imagette wrote and no picture that folder alone."""
    used = {top, *top.parents}
    for folder in {path.parent for path in images}:
        used.update((folder, *folder.parents))
    whole = {
        next((one for one in reversed(path.parents) if one not in used), path)
        for path, reason in left_out
        if reason == _OWN
    }
    rest = [
        (path, reason)
        for path, reason in left_out
        if path not in whole and whole.isdisjoint(path.parents)
    ]
    return [*rest, *((path, _OWN) for path in whole if path.name != MARK)]


def _found_twice(images: list[Path], links: set[Path]) -> set[Path]:
    """The links to pictures that are found without them."""
    seen, twice = set(), set()
    for path in sorted(images, key=links.__contains__) if links else ():  # links come last
        real = os.path.realpath(path)
        if real in seen:
            twice.add(path)
        seen.add(real)
    return twice
