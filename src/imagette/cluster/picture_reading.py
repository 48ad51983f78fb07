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
from functools import lru_cache
from itertools import compress, islice
from threading import Condition
from typing import Any

from imagette.cluster.file_systems import connect, is_missing_or_denied, unreachable
from imagette.cluster.picture_sources import LARGEST, Entry
from imagette.cluster.picture_tables import column_values, image_column
from imagette.errors import ImageError, ImagetteError, first_line

_AHEAD = 16
"""Pictures that are fetched from buckets at the same time."""
_FETCHED = ("file", "bytes", "zip")
"""What can be: each picture lies in bytes of its own."""
_AHEAD_BYTES = 128_000_000
"""Of those that are fetched and not answered yet; of one larger one, where it is the next."""
_WAITS = (1.0, 3.0)
"""Seconds before something in a bucket is asked for again: a network, or a service, has moments in
which it does not answer."""
_LOCAL_HEADER = struct.Struct("<4s2x2H16x2H")
_AFTER_HEADER = 512
"""Bytes of a member's name and notes, if they are not longer: read with the rest, since from a
bucket each reading takes as long as many bytes do."""
_CHOOSE = "Choose another one."

Picture = tuple[str, "str | bytes | ImageError"]
"""What a picture is called, and its path, the bytes of its file, or why there are none."""


def read_pictures(entries: Sequence[Entry], roots: Sequence[str]) -> Iterator[Picture]:
    """The pictures of a part, in order; what lies in buckets is fetched some files ahead.

    Raises:
        ImagetteError: a bucket, or the file that many pictures lie in, cannot be read at all.
    """
    reader = _Reader(roots)
    is_fetched = [entry.root >= 0 and entry.how in _FETCHED for entry in entries]
    fetched = _ahead(reader, list(compress(entries, is_fetched)))
    for entry, one in zip(entries, is_fetched, strict=True):
        if one:
            yield entry.name, next(fetched)
        elif entry.how == "file":
            yield entry.name, reader.local(entry)
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
        # The last few: a part may go from one archive to the next, and threads read ahead.
        self._archive = lru_cache(maxsize=4)(self._open)
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
        """The bytes of a picture in a bucket; `number` is its place in the order of answers."""

        def read() -> bytes | ImageError:
            if self._unreachable is not None:  # another file told; each takes seconds to find out
                raise self._unreachable
            if entry.how != "file":
                room.enter(number, min(entry.size, LARGEST))
                return self._inside(entry)
            with self._open(entry.root, entry.place) as file:
                size = file.size()
                if size > LARGEST:
                    return _too_large()
                room.enter(number, size)
                content: bytes = file.read()
                return content

        try:
            return _patiently(read)
        except (OSError, ValueError) as error:
            try:
                _check_root(self._roots[entry.root], error)
                if entry.how != "file":
                    raise _unusable(entry, error) from error
                if not is_missing_or_denied(error):
                    raise unreachable(entry.name, error) from error
            except ImagetteError as told:
                self._unreachable = told
                raise
            return ImageError(f"The file cannot be read: {first_line(error)}.", _CHOOSE)

    def inside(self, entry: Entry) -> bytes | ImageError:
        """The bytes of a picture that lies in a file with others."""
        try:
            return _patiently(lambda: self._inside(entry))
        except (OSError, ValueError, StopIteration) as error:
            raise _unusable(entry, error) from error

    def _inside(self, entry: Entry) -> bytes | ImageError:
        if entry.how != "parquet" and entry.size > LARGEST:
            return _too_large()
        if entry.how == "content":
            return entry.content or ImageError("There is no picture.", _CHOOSE)
        try:
            if entry.how == "parquet":
                return self._row(entry) or ImageError("There is no picture.", _CHOOSE)
            file = self._archive(entry.root, entry.place)
            if entry.how == "zip":
                return _member(file, entry.start, entry.size)
            content: bytes = file.read_at(entry.size, entry.start)
            return content
        except OSError:  # asked again, it begins with what it opens
            self._archive.cache_clear()
            self._next = (-1, "", -1, 0)
            raise

    def _open(self, root: int, place: str) -> Any:
        """A file, as one of PyArrow's, from which several threads may read at once."""
        if root >= 0:
            return connect(self._roots[root])[0].open_input_file(place)
        import pyarrow as pa

        return pa.PythonFile(open(place, "rb"), "r")  # noqa: PTH123  # it stays open

    def _row(self, entry: Entry) -> bytes:
        from pyarrow import parquet

        here = entry.root, entry.place, entry.start
        if self._next[:3] != here or entry.size < self._next[3]:
            file = self._archive(entry.root, entry.place)
            table = parquet.ParquetFile(file, buffer_size=1 << 20)
            column = image_column(table.schema_arrow)
            assert column is not None
            self._rows, self._next = column_values(table, entry.start, column), (*here, 0)
        skipped = entry.size - self._next[3]
        self._next = (*here, entry.size + 1)
        return next(islice(self._rows, skipped, None))


def _unusable(entry: Entry, error: Exception) -> ImagetteError:
    return ImagetteError(
        f"{entry.place} cannot be read on the machine {platform.node()}: {first_line(error)}.",
        "All machines of the cluster must see it at the same path, or in a bucket, as it was when"
        " its pictures were listed; then run the same command again.",
    )


def _member(file: Any, start: int, size: int) -> bytes | ImageError:
    """A member of a zip file, from its own header on."""
    content: bytes = file.read_at(_LOCAL_HEADER.size + _AFTER_HEADER + size, start)
    if len(content) < _LOCAL_HEADER.size or content[:4] != b"PK\x03\x04":
        raise ValueError("it has changed since its pictures were listed")
    _, flags, method, *lengths = _LOCAL_HEADER.unpack_from(content)
    if flags & 1:
        return ImageError("The picture is encrypted.", "Unpack the zip file first.")
    begin = _LOCAL_HEADER.size + sum(lengths)
    if begin > _LOCAL_HEADER.size + _AFTER_HEADER:
        content, begin = file.read_at(size, start + begin), 0
    packed = content[begin : begin + size]
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
