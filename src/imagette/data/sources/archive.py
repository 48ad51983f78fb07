"""A zip or tar file of pictures: of a folder, a table, Parquet files or another such file."""

import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from unicodedata import normalize

from imagette.data.cache import kept_folder
from imagette.data.sources.image_index import ImageIndex
from imagette.data.sources.parquet import open_parquet
from imagette.data.sources.parquet_files import is_parquet
from imagette.data.sources.table_in_folder import open_folder_or_table
from imagette.errors import ImagetteError, first_line
from imagette.images.find_images import folders_in
from imagette.images.signatures import UNPACK, first_bytes, what_else

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_OTHERS = (".7z", ".bz2", ".cab", ".gz", ".rar", ".tbz2", ".txz", ".xz", ".zst")
"""Endings of what may be no archive that can be unpacked; what it is, is told."""
_UNPACKING = 2
"""Raised when the same archive would become other files; part of the key of what is kept."""


_BLOCK = 4096
"""Bytes that a file takes of a disk are a multiple of this."""
_MOST_UNASKED = 1_000_000_000
_MOST_TIMES = 100
"""What unpacks to more than a gigabyte and a hundred times its own size holds no pictures, which
become hardly smaller when they are packed."""


def is_archive(path: Path) -> bool:
    """Whether a path is a file with the ending of an archive."""
    return path.name.lower().endswith(ENDINGS + _OTHERS) and path.is_file()


def open_archive(file: Path) -> ImageIndex:
    """Find the images of an archive, which is unpacked into the user's cache once.

    Raises:
        ImagetteError: it is damaged, encrypted or of another kind, needs more space than there is,
            or holds no dataset.
    """
    folder = _unpacked(file)

    def named(text: str) -> str:  # people know the archive, not the folder in the cache
        return text.replace(f"{folder}{os.sep}", "").replace(str(folder), str(file))

    try:
        found = _open_inside(folder)
    except ImagetteError as error:
        raise ImagetteError(named(error.problem), named(error.remedy)) from error
    name = next(
        (file.name[: -len(end)] for end in ENDINGS if file.name.lower().endswith(end)), file.stem
    )
    skipped = tuple((named(path), named(reason)) for path, reason in found.skipped)
    notes = tuple(map(named, found.notes))
    return replace(found, name=name, source=str(file.resolve()), skipped=skipped, notes=notes)


def _open_inside(folder: Path) -> ImageIndex:
    """Open what is in an archive: any source, but archives only one level deep."""
    place, inside = folder, folders_in(folder)
    files = _files_in(place)
    while len(inside) == 1 and not files:
        place, inside = inside[0], folders_in(inside[0])
        files = _files_in(place)
    if is_parquet(place):
        return open_parquet(place)
    if not inside and len(files) == 1 and is_archive(files[0]):
        folder = _unpacked(files[0])
    return open_folder_or_table(folder)


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name[0] != ".")


def _unpacked(file: Path) -> Path:
    """The folder in the cache that holds what is in the archive."""
    status = file.stat()
    stamp = f"{_UNPACKING} {file.resolve()} {status.st_size} {status.st_mtime_ns}"
    cache = kept_folder("archives").resolve()
    folder = cache / blake2b(stamp.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=cache) as temporary:
            _unpack(file, Path(temporary) / "all")
            try:
                (Path(temporary) / "all").rename(folder)
            except OSError:  # another process has unpacked it meanwhile
                if not folder.is_dir():
                    raise
    folder.touch()
    return folder


def _unpack(file: Path, folder: Path) -> None:
    folder.mkdir()
    try:
        if zipfile.is_zipfile(file):
            _unpack_zip(file, folder)
        elif _is_tar(file):
            _unpack_tar(file, folder)
        else:
            raise _other_kind(file)
    except ImagetteError:
        raise
    # What a damaged archive raises: each way of packing has errors of its own.
    except Exception as error:
        raise _not_unpacked(
            file, first_line(error), "Download it again, or pack the folder again as a zip or tar."
        ) from error


def _not_unpacked(file: Path, why: str, remedy: str) -> ImagetteError:
    return ImagetteError(f"{file} cannot be unpacked: {why}.", remedy)


def _other_kind(file: Path) -> ImagetteError:
    head = first_bytes(file)
    if head.startswith(b"PK\x03\x04"):
        return _not_unpacked(file, "its end is missing", "Download or copy it again.")
    unknown = "neither a zip nor a tar file" if head else "empty"
    what, do = what_else(head) or (unknown, "download it again, or pack the folder as a zip file")
    if do == UNPACK:
        do = "unpack it with the program that made it, and give the folder"
    return _not_unpacked(file, f"it is {what}", f"{do[0].upper()}{do[1:]}.")


def _is_tar(file: Path) -> bool:
    try:
        return tarfile.is_tarfile(file)
    except Exception:  # damaged where it begins, which unpacking tells
        return True


def _unpack_zip(file: Path, folder: Path) -> None:
    plain = _PlainNames()
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.flag_bits & 1 for entry in entries):
            raise _not_unpacked(
                file, "it is encrypted", "Unpack it with its password, and give the folder."
            )
        _check_size(file, (entry.file_size for entry in entries), folder)
        for entry in entries:
            entry.filename = plain(_read_name(entry))
            archive.extract(entry, folder)  # not out of the folder, whatever the name says


def _read_name(entry: zipfile.ZipInfo) -> str:
    """The name of an entry, with slashes between folders.

    Programs for Windows have written backslashes; some for macOS and Linux UTF-8 without a word.
    """
    name = entry.filename
    if not entry.flag_bits & 0x800:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode("utf-8")
    return name.replace("\\", "/")


def _unpack_tar(file: Path, folder: Path) -> None:
    plain = _PlainNames()

    def safe(member: tarfile.TarInfo, to: str) -> tarfile.TarInfo | None:
        return tarfile.data_filter(member.replace(name=plain(member.name), deep=False), to)

    with tarfile.open(file) as tar:
        # One after the other, so that what is too large is not read to its end.
        _check_size(file, (entry.size for entry in tar), folder)
        _check_end(tar)
        tar.extractall(folder, filter=safe)


class _PlainNames:
    """Gives names in the composed form of Unicode (NFC), or as they are where that is taken."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        composed = normalize("NFC", name)
        return composed if self._given.setdefault(composed, name) == name else name


def _check_end(tar: tarfile.TarFile) -> None:
    """Make sure that the archive is whole: `tarfile` stops at a damaged entry without a word.

    Every archive should end with blocks of zeros (POSIX, pax, "ustar Interchange Format").
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if not end or end.strip(b"\0"):
        raise tarfile.ReadError("it is damaged, or has no end")


def _check_size(file: Path, sizes: Iterable[int], folder: Path) -> None:
    """Raise an ImagetteError unless what is in an archive may be written to the disk.

    Args:
        file: the archive.
        sizes: of its files, in bytes; none of them is unpacked to more than it says.
        folder: where they are to be.
    """
    needed, packed = 0, file.stat().st_size
    free = shutil.disk_usage(folder).free * 0.9
    for size in sizes:
        needed += -(-size // _BLOCK) * _BLOCK
        if needed > max(_MOST_UNASKED, _MOST_TIMES * packed):
            raise ImagetteError(
                f"{file} unpacks to {needed / packed:,.0f} times its size or more, which pictures"
                " never do: it seems made to fill the disk.",
                "If you know what it is, unpack it yourself, and give the folder.",
            )
        if needed > free:
            raise ImagetteError(
                f"{file} unpacks to {needed / 1e9:,.1f} GB or more, and the disk has no"
                " room for that.",
                "Free some space, or let IMAGETTE_CACHE_DIR name a folder on a larger disk.",
            )
