"""Find each picture in the sources that a user names, one at a time, as there may be millions."""

import gzip
import io
import lzma
import os
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from imagette.cluster.file_systems import (
    Stamp,
    connect,
    is_address,
    is_missing_or_denied,
    place_in,
    split_address,
    stamp_of,
    unreachable,
)
from imagette.cluster.picture_tables import (
    LISTS,
    column_values,
    image_column,
    paths_of_list,
    paths_of_parquet,
)
from imagette.errors import ImagetteError, first_line
from imagette.images.find_images import walk_images
from imagette.images.formats import SUFFIXES

_PACKED_TARS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
_ARCHIVES = (".zip", ".tar", *_PACKED_TARS, ".parquet")
_DAMAGED = (
    *(zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error),
    *(EOFError, ValueError, NotImplementedError, struct.error),
)
"""What the modules raise of an archive that is not whole; PyArrow's errors are ValueErrors."""
LARGEST = 256_000_000
"""Bytes of a picture's file; a larger one is not read."""
_FROM_BUCKET = 4_000_000
"""Bytes of a tar file that are read at once where each reading goes over a network."""
_MOST_ROWS = 8192
"""Of a row group of Parquet that is read in parts, each from its beginning on; the pictures of a
larger one are copied, once."""


class Entry(NamedTuple):
    """Where a picture lies.

    Attributes:
        name: what it is called in the answers.
        root: the number of the bucket or other root that it lies in; -1 for this machine's disks.
        place: the path of its file, or of the archive that it is in.
        how: `file`, `bytes` (so many of the place), `zip` (a member, likewise), `parquet` (a row of
            a row group), or `content`.
        start: the first byte, or the number of the row group.
        size: how many bytes, 0 where nobody knows; or the number of the row in its group.
        content: the bytes of its file, where they cannot be read alone from the place.
    """

    name: str
    root: int
    place: str
    how: str = "file"
    start: int = 0
    size: int = 0
    content: bytes | None = None


class PictureSources:
    """The pictures of folders, lists, archives, Parquet files and buckets.

    Args:
        names: as the user typed them.

    Attributes:
        roots: the buckets, known once all pictures were asked for.
        files: the archives and lists, likewise: name, number of the bucket, place and stamp.
        left_out: how many files were left out, as far as is known.
        first_left_out: the first one, and why.
    """

    def __init__(self, names: list[str]) -> None:
        self.names = names
        self.roots: list[str] = []
        self.files: list[tuple[str, int, str, Stamp | None]] = []
        self.left_out = 0
        self.first_left_out = ""

    def __iter__(self) -> Iterator[Entry]:
        """All pictures, in an order that is the same each time.

        Raises:
            ImagetteError: something cannot be read, or is no source of pictures.
        """
        for name in self.names:
            if is_address(name):
                root, path = split_address(name, has_options=True)
                yield from self._in_root(self._root(root), path, name.partition("?")[0])
            elif os.path.isdir(name):  # noqa: PTH112  # long names
                yield from self._in_folder(name)
            else:
                yield from self._file(name, -1, str(Path(name).absolute()))

    def _root(self, root: str) -> int:
        if root not in self.roots:
            self.roots.append(root)
        return self.roots.index(root)

    def _leave_out(self, name: str, reason: str) -> None:
        self.left_out += 1
        self.first_left_out = self.first_left_out or f"{name} {reason.rstrip('.')}"

    def _in_folder(self, folder: str) -> Iterator[Entry]:
        here = os.getcwd()  # noqa: PTH109  # texts, not Paths: there may be millions
        for path, reason in walk_images(Path(folder)):
            name = str(path)
            place = os.path.join(here, name)  # noqa: PTH118
            if not reason:
                yield Entry(name, -1, place)
            elif name.lower().endswith(_ARCHIVES):
                yield from self._file(name, -1, place, is_named=False)
            else:
                self._leave_out(name, reason)

    def _in_root(self, root: int, path: str, name: str) -> Iterator[Entry]:
        from pyarrow.fs import FileSelector, FileType

        system, _ = connect(self.roots[root])
        place = place_in(self.roots[root], path.rstrip("/"))
        try:
            kind = system.get_file_info(place).type
            if kind == FileType.NotFound:
                raise FileNotFoundError("there is nothing at that address")
            if kind == FileType.File:
                yield from self._file(name, root, place)
                return
            inside = system.get_file_info(FileSelector(place))
        except OSError as error:
            raise unreachable(name, error) from error
        for info in sorted(inside, key=lambda one: one.base_name):
            inner = f"{name.rstrip('/')}/{info.base_name}"
            if info.base_name.startswith("."):
                continue
            if info.type == FileType.Directory:
                below = f"{path.rstrip('/')}/{info.base_name}".lstrip("/")
                yield from self._in_root(root, below, inner)
            elif info.base_name.lower().endswith((*SUFFIXES, *_ARCHIVES)):
                size = max(0, info.size or 0)
                yield from self._file(inner, root, info.path, size, is_named=False)
            else:
                self._leave_out(inner, "is no picture by its name")

    def _file(
        self, name: str, root: int, place: str, size: int = 0, is_named: bool = True
    ) -> Iterator[Entry]:
        """A picture, or all those that an archive or, where that is named, a list holds."""
        low = name.lower()
        if not low.endswith((*_ARCHIVES, *LISTS)):
            yield Entry(name, root, place, size=size)
            return
        try:
            stamp = stamp_of(self.roots[root] if root >= 0 else None, place)
            self.files.append((name, root, place, stamp))
            with self.opened(root, place) as file:
                if low.endswith(".zip"):
                    yield from self._zip(file, name, root, place)
                elif low.endswith(".parquet"):
                    yield from self._parquet(file, name, root, place, is_named)
                elif low.endswith(LISTS):
                    yield from self._paths(paths_of_list(file, name), name, root)
                else:
                    yield from self._tar(file, name, root, place, low.endswith(_PACKED_TARS))
        except (OSError, *_DAMAGED) as error:
            is_of_this_file = root < 0 or isinstance(error, _DAMAGED) or is_missing_or_denied(error)
            if not is_named and is_of_this_file:
                self._leave_out(name, f"cannot be read: {first_line(error)}")
                return
            raise ImagetteError(
                f"{name} cannot be read: {first_line(error)}.",
                "Check that it is whole and may be read, then run the command again.",
            ) from error

    @contextmanager
    def opened(self, root: int, place: str) -> Iterator[BinaryIO]:
        """A file, wherever it lies."""
        if root < 0:
            with open(place, "rb") as file:  # noqa: PTH123  # as quick as can be
                yield file
        else:
            with connect(self.roots[root])[0].open_input_file(place) as stored:
                yield stored

    def _zip(self, file: BinaryIO, name: str, root: int, place: str) -> Iterator[Entry]:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir() and self._is_member(info.filename, name):
                    inner = f"{name}/{info.filename}"
                    yield Entry(inner, root, place, "zip", info.header_offset, info.compress_size)

    def _tar(
        self, file: BinaryIO, name: str, root: int, place: str, packed: bool
    ) -> Iterator[Entry]:
        if root >= 0:  # a tar file has no list of its members, and each reading takes long
            file = io.BufferedReader(file, _FROM_BUCKET)  # type: ignore[type-var]
        with tarfile.open(fileobj=file, mode="r|*" if packed else "r:") as archive:
            for info in archive:
                archive.members = []  # type: ignore[attr-defined]  # which would hold all of them
                if not info.isreg() or not self._is_member(info.name, name):
                    continue
                inner = f"{name}/{info.name}"
                if packed:
                    member = archive.extractfile(info) if info.size <= LARGEST else None
                    content = member.read() if member else b""
                    yield Entry(inner, root, place, "content", 0, info.size, content)
                else:
                    yield Entry(inner, root, place, "bytes", info.offset_data, info.size)

    def _is_member(self, path: str, archive: str) -> bool:
        folders = path.replace("\\", "/").split("/")
        if any(part.startswith((".", "__MACOSX")) and part != "." for part in folders):
            return False
        if path.lower().endswith(tuple(SUFFIXES)):
            return True
        self._leave_out(f"{archive}/{path}", "is no picture by its name")
        return False

    def _parquet(
        self, file: BinaryIO, name: str, root: int, place: str, is_named: bool
    ) -> Iterator[Entry]:
        from pyarrow import parquet

        table = parquet.ParquetFile(file)
        column = image_column(table.schema_arrow)
        if column is None and not is_named:  # answers, say
            self._leave_out(name, "has no column of pictures")
            return
        if column is None:
            yield from self._paths(paths_of_parquet(table, name), name, root)
            return
        number = 0
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if rows <= _MOST_ROWS:
                for row in range(rows):
                    yield Entry(f"{name}/{number + row}", root, place, "parquet", group, row)
            else:
                for row, content in enumerate(column_values(table, group, column)):
                    inner = f"{name}/{number + row}"
                    size = len(content)
                    content = content if size <= LARGEST else b""
                    yield Entry(inner, root, place, "content", 0, size, content)
            number += rows

    def _paths(self, paths: Iterator[str], name: str, root: int) -> Iterator[Entry]:
        """The pictures that a list names: from its own folder on, or from here."""
        folder = None if root >= 0 else _folder_of(name)
        for path in paths:
            if is_address(path):
                found, rest = split_address(path)
                number = self._root(found)
                yield Entry(path, number, place_in(found, rest))
            elif folder is None:
                above = name.rpartition("/")[0]
                rest = split_address(f"{above}/{path}")[1]
                yield Entry(path, root, place_in(self.roots[root], rest))
            else:
                there = folder / path
                if not there.exists() and Path(path).exists():
                    folder = Path.cwd()
                    there = folder / path
                yield Entry(path, -1, str(there))


def _folder_of(name: str) -> Path:
    return Path(name).absolute().parent
