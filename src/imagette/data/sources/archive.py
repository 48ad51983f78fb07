"""A zip or tar file of a folder of images."""

import shutil
import tarfile
import tempfile
import zipfile
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

from imagette.data.cache import kept_folder
from imagette.data.sources.image_index import ImageIndex
from imagette.data.sources.table_in_folder import open_folder_or_table
from imagette.errors import ImagetteError

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


def is_archive(path: Path) -> bool:
    """Whether a path is a file with the ending of an archive."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def open_archive(file: Path) -> ImageIndex:
    """Find the images of an archive, which is unpacked into the user's cache once.

    Raises:
        ImagetteError: it is damaged, needs more space than there is, or holds no dataset.
    """
    folder = _unpacked(file)
    name = next(file.name[: -len(end)] for end in ENDINGS if file.name.lower().endswith(end))
    try:
        found = open_folder_or_table(folder)
    except ImagetteError as error:  # people know the archive, not the folder in the cache
        raise ImagetteError(error.problem.replace(str(folder), str(file)), error.remedy) from error
    return replace(found, name=name, source=str(file.resolve()))


def _unpacked(file: Path) -> Path:
    """The folder in the cache that holds what is in the archive."""
    status = file.stat()
    stamp = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
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
    free = shutil.disk_usage(folder).free
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                _check_space(file, sum(entry.file_size for entry in archive.infolist()), free)
                archive.extractall(folder)  # leaves out what would lead out of the folder
        else:
            with tarfile.open(file) as tar:
                _check_space(file, sum(entry.size for entry in tar.getmembers()), free)
                _check_end(tar)
                tar.extractall(folder, filter="data")
    except ImagetteError:
        raise
    # What a damaged or encrypted archive raises: each way of packing has errors of its own.
    except Exception as error:
        raise ImagetteError(
            f"{file} cannot be unpacked: {error}.", "Pack the folder again as a plain zip or tar."
        ) from error


def _check_end(tar: tarfile.TarFile) -> None:
    """Make sure that the archive is whole: `tarfile` stops at a damaged entry without a word.

    Every archive should end with blocks of zeros (POSIX, pax, "ustar Interchange Format").
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    end = tar.fileobj.read(tarfile.BLOCKSIZE)
    if not end or end.strip(b"\0"):
        raise tarfile.ReadError("it is damaged, or has no end")


def _check_space(file: Path, needed: int, free: int) -> None:
    if needed > free * 0.9:
        raise ImagetteError(
            f"{file} holds {needed / 1e9:,.1f} GB, more than there is room for.",
            "Free some space, or let IMAGETTE_CACHE_DIR name a folder on a larger disk.",
        )
