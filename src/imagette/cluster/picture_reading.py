"""Read the files of a part's pictures, on the machine that answers about them."""

import bz2
import os
import platform
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Condition
from typing import Any, BinaryIO

from imagette.cluster.file_systems import connect, is_missing_or_denied, unreachable
from imagette.cluster.picture_sources import LARGEST, Entry
from imagette.cluster.picture_tables import column_values, image_column
from imagette.errors import ImageError, ImagetteError, first_line

_AHEAD = 16
"""Files that are fetched from buckets at the same time."""
_AHEAD_BYTES = 128_000_000
"""Of files that are fetched and not answered yet; of one larger file, where it is the next."""
_WAITS = (1.0, 3.0)
"""Seconds before something in a bucket is asked for again: a network, or a service, has moments in
which it does not answer."""
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
    room = _Room()
    with ThreadPoolExecutor(_AHEAD) as threads:
        waiting = enumerate(entries)

        def submit(most: int) -> list[Future[bytes | ImageError]]:
            some = islice(waiting, most)
            return [threads.submit(reader.fetch, one, number, room) for number, one in some]

        under_way = deque(submit(2 * _AHEAD))
        try:
            while under_way:
                content = under_way.popleft().result()
                under_way.extend(submit(1))
                yield content
                del content
                room.leave()
        finally:
            room.close()
            threads.shutdown(cancel_futures=True)


class _Room:
    """The memory for files that are fetched ahead, which are answered in the order of numbers."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._sizes: dict[int, int] = {}
        self._next = 0
        self._is_closed = False

    def enter(self, number: int, size: int) -> None:
        """Wait until a file has its place: until there is room, or it is the next."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._is_closed
                    or number == self._next
                    or number in self._sizes  # asked for again
                    or sum(self._sizes.values()) + size <= _AHEAD_BYTES
                )
            )
            self._sizes[number] = size

    def leave(self) -> None:
        """The next file is answered."""
        with self._changed:
            self._sizes.pop(self._next, None)
            self._next += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is answered any more, so nothing is to wait."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class _Reader:
    """Reads the pictures of entries, and keeps the archive open that many of them are in.

    Args:
        roots: the buckets.
    """

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots
        self._unreachable: ImagetteError | None = None
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

    def fetch(self, entry: Entry, number: int, room: _Room) -> bytes | ImageError:
        """The bytes of a file in a bucket; `number` is its place in the order of answers."""
        root = self._roots[entry.root]

        def read() -> bytes | ImageError:
            if self._unreachable is not None:  # another file told; each takes seconds to find out
                raise self._unreachable
            with connect(root)[0].open_input_file(entry.place) as file:
                size = file.size()
                if size > LARGEST:
                    return _too_large()
                room.enter(number, size)
                content: bytes = file.read()
                return content

        try:
            return _patiently(read)
        except OSError as error:
            try:
                _check_root(root, error)
                if not is_missing_or_denied(error):
                    raise unreachable(entry.name, error) from error
            except ImagetteError as told:
                self._unreachable = told
                raise
            return ImageError(f"The file cannot be read: {first_line(error)}.", _CHOOSE)

    def inside(self, entry: Entry) -> bytes | ImageError:
        """The bytes of a picture that lies in a file with others."""
        if entry.how != "parquet" and entry.size > LARGEST:
            return _too_large()
        if entry.how == "content":
            return entry.content or ImageError("There is no picture.", _CHOOSE)

        def read() -> bytes | ImageError:
            try:
                return self._inside(entry)
            except OSError:
                self._forget()
                raise

        try:
            return _patiently(read) if entry.root >= 0 else read()
        except (OSError, ValueError, StopIteration) as error:
            raise ImagetteError(
                f"{entry.place} cannot be read on the machine {platform.node()}:"
                f" {first_line(error)}.",
                "All machines of the cluster must see it at the same path, or in a bucket, as it"
                " was when its pictures were listed; then run the same command again.",
            ) from error

    def _inside(self, entry: Entry) -> bytes | ImageError:
        if entry.how == "parquet":
            return self._row(entry) or ImageError("There is no picture.", _CHOOSE)
        file = self._open(entry)
        file.seek(entry.start)
        return file.read(entry.size) if entry.how == "bytes" else _member(file, entry.size)

    def _forget(self) -> None:
        """Begin again with the archive that is open."""
        self._opened, self._next = {}, (-1, "", -1, 0)

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
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, LARGEST)
        if method == 12:
            return bz2.BZ2Decompressor().decompress(packed, LARGEST)
    except (zlib.error, OSError):
        return ImageError("The picture is damaged in its zip file.", _CHOOSE)
    return ImageError("The picture is packed in an unusual way.", "Unpack the zip file first.")


def _patiently(read: Callable[[], bytes | ImageError]) -> bytes | ImageError:
    """What `read` gives, asked again a few times after errors that may pass."""
    for seconds in _WAITS:
        try:
            return read()
        except OSError as error:
            if is_missing_or_denied(error):
                raise
            time.sleep(seconds)
    return read()


def _too_large() -> ImageError:
    return ImageError(f"The file has more than {LARGEST // 10**6} MB.", _CHOOSE, too_large=True)


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
