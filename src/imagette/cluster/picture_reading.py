"""Read the files of a part's pictures, on the machine that answers about them."""

import bz2
import os
import platform
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import compress, islice
from typing import Any, NamedTuple

from imagette.cluster.file_systems import connect, is_missing_or_denied, unreachable
from imagette.cluster.picture_sources import LARGEST, Entry
from imagette.cluster.picture_tables import column_values, image_column
from imagette.cluster.read_ahead import Room, read_ahead
from imagette.errors import ImageError, ImagetteError, first_line

_FETCHED = ("file", "bytes", "zip")
"""What can be fetched ahead from a bucket: each picture lies in bytes of its own."""
_WAITS = (1.0, 3.0)
"""Seconds before something in a bucket is asked for again: a network, or a service, has moments in
which it does not answer."""
_LOCAL_HEADER = struct.Struct("<4s2x2H16x2H")
_AFTER_HEADER = 512
"""Bytes of a member's name and notes, if they are not longer: read with the rest, since from a
bucket each reading takes as long as many bytes do."""
_CHOOSE = "Choose another one."

_DAMAGED = ImageError("The picture is damaged in its archive.", _CHOOSE)


class _Packed(NamedTuple):
    """A member of a zip file, unpacked only when it is looked at: it may be far larger then."""

    method: int
    content: bytes


_Found = bytes | ImageError | _Packed
Picture = tuple[str, "str | bytes | ImageError"]
"""What a picture is called, and its path, the bytes of its file, or why there are none."""


def read_pictures(entries: Sequence[Entry], roots: Sequence[str]) -> Iterator[Picture]:
    """The pictures of a part, in order; what lies in buckets is fetched some files ahead.

    Raises:
        ImagetteError: a bucket, or the file that many pictures lie in, cannot be read at all.
    """
    reader = _Reader(roots)
    is_fetched = [entry.root >= 0 and entry.how in _FETCHED for entry in entries]
    fetched = read_ahead(reader.fetch, list(compress(entries, is_fetched)))
    for entry, one in zip(entries, is_fetched, strict=True):
        if one:
            yield entry.name, _unpacked(next(fetched))
        elif entry.how == "file":
            yield entry.name, reader.local(entry)
        else:
            yield entry.name, _unpacked(reader.inside(entry))


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

    def fetch(self, entry: Entry, number: int, room: Room) -> _Found:
        """The bytes of a picture in a bucket; `number` is its place in the order of answers."""

        def read() -> _Found:
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
        except ValueError:
            return _DAMAGED
        except OSError as error:
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

    def inside(self, entry: Entry) -> _Found:
        """The bytes of a picture that lies in a file with others."""
        try:
            return _patiently(lambda: self._inside(entry))
        except (ValueError, StopIteration):
            return _DAMAGED
        except OSError as error:
            if entry.root < 0 and error.errno is None:  # PyArrow's, of what it cannot unpack
                return _DAMAGED
            raise _unusable(entry, error) from error

    def _inside(self, entry: Entry) -> _Found:
        if entry.how != "parquet" and entry.size > LARGEST:
            return _too_large()
        if entry.how == "content":
            return entry.content or ImageError("There is no picture.", _CHOOSE)
        try:
            if entry.how == "parquet":
                content = self._row(entry)
                if len(content) > LARGEST:
                    return _too_large()
                return content or ImageError("There is no picture.", _CHOOSE)
            file = self._archive(entry.root, entry.place)
            if entry.how == "zip":
                return _member(file, entry.start, entry.size)
            content = file.read_at(entry.size, entry.start)
            return content
        except (OSError, ValueError, StopIteration):  # the next one begins with what it opens
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


def _member(file: Any, start: int, size: int) -> _Packed | ImageError:
    """A member of a zip file, from its own header on."""
    content: bytes = file.read_at(_LOCAL_HEADER.size + _AFTER_HEADER + size, start)
    if len(content) < _LOCAL_HEADER.size or content[:4] != b"PK\x03\x04":
        return _DAMAGED
    _, flags, method, *lengths = _LOCAL_HEADER.unpack_from(content)
    if flags & 1:
        return ImageError("The picture is encrypted.", "Unpack the zip file first.")
    begin = _LOCAL_HEADER.size + sum(lengths)
    if begin > _LOCAL_HEADER.size + _AFTER_HEADER:
        content, begin = file.read_at(size, start + begin), 0
    return _Packed(method, content[begin : begin + size])


def _unpacked(found: _Found) -> bytes | ImageError:
    if not isinstance(found, _Packed):
        return found
    try:
        if found.method == 0:
            return found.content
        if found.method == 8:
            unpack = zlib.decompressobj(-zlib.MAX_WBITS)
            return unpack.decompress(found.content, LARGEST)
        if found.method == 12:
            return bz2.BZ2Decompressor().decompress(found.content, LARGEST)
    except (zlib.error, OSError):
        return _DAMAGED
    return ImageError("The picture is packed in an unusual way.", "Unpack the zip file first.")


def _patiently(read: Callable[[], _Found]) -> _Found:
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
