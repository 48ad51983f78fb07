"""The files of a part's pictures, on the machine that answers about them."""

import bz2
import os
import platform
import struct
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, BinaryIO

from imagette.cluster.file_systems import connect, unreachable
from imagette.cluster.picture_sources import Entry
from imagette.cluster.picture_tables import column_values, image_column
from imagette.errors import ImageError, ImagetteError

_AHEAD = 16
"""Files that are fetched from buckets at the same time."""
_LARGEST = 256_000_000
"""Bytes of a file; a larger one is not read."""
_LOCAL_HEADER = struct.Struct("<26x2H")
_CHOOSE = "Choose another one."

Picture = tuple[str, "str | bytes | ImageError"]
"""What a picture is called, and its path, the bytes of its file, or why there are none."""


def read_pictures(entries: Sequence[Entry], roots: Sequence[str]) -> Iterator[Picture]:
    """The pictures of a part, in order; what lies in buckets is fetched some files ahead.

    Raises:
        ImagetteError: a bucket, or the file that many pictures lie in, cannot be read at all.
    """
    reader = _Reader(roots)
    files = [entry for entry in entries if entry.root >= 0 and entry.how == "file"]
    fetched = _ahead(reader, files)
    for entry in entries:
        if entry.how == "file":
            yield entry.name, next(fetched) if entry.root >= 0 else reader.local(entry)
        else:
            yield entry.name, reader.inside(entry)


def _ahead(reader: "_Reader", entries: list[Entry]) -> Iterator[bytes | ImageError]:
    if not entries:
        return
    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting = iter(entries)
        first = islice(waiting, 2 * _AHEAD)
        under_way: deque[Future[bytes | ImageError]] = deque(
            threads.submit(reader.fetch, entry) for entry in first
        )
        try:
            while under_way:
                content = under_way.popleft().result()
                under_way.extend(threads.submit(reader.fetch, one) for one in islice(waiting, 1))
                yield content
        finally:  # where the bucket is gone, each of the others would wait for it
            threads.shutdown(cancel_futures=True)


class _Reader:
    """Reads what entries say, and keeps open what many of them lie in.

    Args:
        roots: the buckets.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._opened: dict[tuple[int, str], BinaryIO] = {}
        self._rows: Iterator[bytes] = iter(())
        self._next = (-1, "", -1, 0)

    def local(self, entry: Entry) -> str | ImageError:
        """The path of a file, where its folder is there."""
        if not os.path.exists(entry.place):  # noqa: PTH110  # as quick as can be, for each of many
            folder = os.path.dirname(entry.place)  # noqa: PTH120
            if not os.path.isdir(folder):  # noqa: PTH112
                raise ImagetteError(
                    f"There is no folder {folder} on the machine {platform.node()}.",
                    "All machines of the cluster must see the pictures at the same path, or in a"
                    " bucket.",
                )
            return ImageError("There is no such file.", "Check its name.")
        return entry.place

    def fetch(self, entry: Entry) -> bytes | ImageError:
        """The bytes of a file in a bucket."""
        root = self._roots[entry.root]
        try:
            with connect(root)[0].open_input_file(entry.place) as file:
                if file.size() > _LARGEST:
                    return _too_large()
                content: bytes = file.read()
                return content
        except OSError as error:
            _check_root(root, error)
            first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            return ImageError(f"The file cannot be read: {first}.", _CHOOSE)

    def inside(self, entry: Entry) -> bytes | ImageError:
        """The bytes of a picture that lies in a file with others."""
        if entry.how == "content":
            content = entry.content
            return content or ImageError("There is no picture.", _CHOOSE)
        try:
            if entry.how == "parquet":
                return self._row(entry) or ImageError("There is no picture.", _CHOOSE)
            if entry.size > _LARGEST:
                return _too_large()
            file = self._open(entry)
            file.seek(entry.start)
            return file.read(entry.size) if entry.how == "bytes" else _member(file, entry.size)
        except (OSError, ValueError, StopIteration) as error:
            first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise ImagetteError(
                f"{entry.place} cannot be read on the machine {platform.node()}: {first}.",
                "All machines of the cluster must see it at the same path, or in a bucket, as it"
                " was when its pictures were listed; then run the same command again.",
            ) from error

    def _open(self, entry: Entry) -> BinaryIO:
        key = entry.root, entry.place
        if key not in self._opened:
            for file in self._opened.values():
                file.close()
            self._opened = {key: _open(entry, self._roots)}
        return self._opened[key]

    def _row(self, entry: Entry) -> bytes:
        from pyarrow import parquet

        here = entry.root, entry.place, entry.start
        if self._next[:3] != here or entry.size < self._next[3]:
            table = parquet.ParquetFile(self._open(entry), buffer_size=1 << 20)
            column = image_column(table.schema_arrow)
            assert column is not None
            self._rows, self._next = column_values(table, entry.start, column), (*here, 0)
        skipped = entry.size - self._next[3]
        self._next = (*here, entry.size + 1)
        return next(islice(self._rows, skipped, None))


def _open(entry: Entry, roots: Sequence[str]) -> BinaryIO:
    if entry.root < 0:
        return open(entry.place, "rb")  # noqa: PTH123  # which stays open
    stored: Any = connect(roots[entry.root])[0].open_input_file(entry.place)
    return stored


def _member(file: BinaryIO, size: int) -> bytes | ImageError:
    """A member of a zip file, from its own header on."""
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\x03\x04":
        raise ValueError("it has changed since its pictures were listed")
    flags, method = struct.unpack("<2H", header[6:10])
    if flags & 1:
        return ImageError("The picture is encrypted.", "Unpack the zip file first.")
    file.seek(sum(_LOCAL_HEADER.unpack(header)), os.SEEK_CUR)
    packed = file.read(size)
    try:
        if method == 0:
            return packed
        if method == 8:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, _LARGEST)
        if method == 12:
            return bz2.BZ2Decompressor().decompress(packed, _LARGEST)
    except (zlib.error, OSError):
        return ImageError("The picture is damaged in its zip file.", _CHOOSE)
    return ImageError("The picture is packed in an unusual way.", "Unpack the zip file first.")


def _too_large() -> ImageError:
    return ImageError(f"The file has more than {_LARGEST // 10**6} MB.", _CHOOSE, too_large=True)


def _check_root(root: str, error: Exception) -> None:
    """Tell a file that is not there from a bucket that is not: without it, nothing goes on."""
    from pyarrow.fs import FileType

    system, base = connect(root)
    try:
        if system.get_file_info(base or "/").type != FileType.NotFound:
            return
    except OSError as other:
        raise unreachable(root, other) from other
    raise unreachable(root, error) from error
