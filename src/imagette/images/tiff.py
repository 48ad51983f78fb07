"""What a TIFF file asks of its decoders, looked at before any of them opens it.

libtiff and Pillow believe what a file says: how many strips or tiles its picture has, how many
bytes each takes, how large a tile is. A few megabytes can so ask for hours of work. Each of the two
also understands ways to write a number that the other does not, and of a tag that is there twice
they may take different ones. So what is not written plainly is refused, and so is what asks for far
more than there is.

Sources: *TIFF 6.0*, 1992, sections 2 and 15; AWare Systems, *BigTIFF File Format Proposal*.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

_WIDTH, _LENGTH = 256, 257
_STRIP_OFFSETS, _STRIP_BYTES = 273, 279
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_TILE_OFFSETS, _TILE_BYTES = 324, 325

_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">", b"II\0*": "<", b"MM*\0": ">", b"II+\0": "<"}
"""By how a file begins; with a plus it is a BigTIFF. The third and the fourth only Pillow reads."""
_READ_DIFFERENTLY = b"MM\0+"
"""A BigTIFF to libtiff, and something else to Pillow."""

_WHOLE_NUMBERS = {3: "u2", 4: "u4", 16: "u8"}  # the types SHORT, LONG, and LONG8 of BigTIFF
_NOT_NUMBERS = {1, 2, 7}  # BYTE, ASCII and UNDEFINED: they stay as they are until they are wanted
_MOST_NUMBERS = 200_000  # the colour map of a 16-bit palette has 3 × 65,536
_MOST_ENTRIES = 65_535  # as many as TIFF can count

# Blank tiles may share their bytes, so a sound file may ask for more than it holds.
_MOST_BYTES = 500_000_000


@dataclass(frozen=True)
class _Entry:
    """An entry of a page's directory, its numbers as bytes where they lie in the entry itself."""

    tag: int
    type: int
    count: int
    value: bytes


def check_tiff(file: BinaryIO) -> None:
    """Look at the first page of a file, and leave the file where it was; any but a TIFF passes.

    Args:
        file: an open file, at its beginning.

    Raises:
        ValueError: its tags are not written plainly, or ask for far more than there is.
        struct.error: it is cut short.
    """
    head = file.read(16)
    if head.startswith(_READ_DIFFERENTLY):
        raise ValueError("a BigTIFF whose byte order is not understood")
    if order := _BYTE_ORDERS.get(head[:4]):
        _check(file, order, head)
    file.seek(0)


def decoded_size(image: TiffImageFile) -> tuple[int, int]:
    """The width and height that are decoded: tiles are, however little of them a picture shows."""
    tags = getattr(image, "tag_v2", {})  # a copy of an image has none
    sizes = (tags.get(tag) for tag in (_TILE_WIDTH, _TILE_LENGTH))
    tile_width, tile_height = (size if isinstance(size, int) and size else 1 for size in sizes)
    columns, rows = -(-image.width // tile_width), -(-image.height // tile_height)
    return columns * tile_width, rows * tile_height


def _check(file: BinaryIO, order: str, head: bytes) -> None:
    entries = list(_read_entries(file, order, head))
    if any(each.count > _MOST_NUMBERS and each.type not in _NOT_NUMBERS for each in entries):
        raise ValueError("a tag of too many numbers")
    for tag in (_WIDTH, _LENGTH, _STRIP_OFFSETS, _TILE_OFFSETS):
        _numbers(file, order, entries, tag)
    tile = [_numbers(file, order, entries, tag) for tag in (_TILE_WIDTH, _TILE_LENGTH)]
    if any(map(len, tile)) and not all(len(side) == 1 and side[0] > 0 for side in tile):
        raise ValueError("tiles without a size")
    most = max(_MOST_BYTES, file.seek(0, 2))
    for tag in (_STRIP_BYTES, _TILE_BYTES):
        if _numbers(file, order, entries, tag).sum(dtype=np.float64) > most:
            raise ValueError("strips or tiles of more bytes than there are")


def _read_entries(file: BinaryIO, order: str, head: bytes) -> Iterator[_Entry]:
    is_big = b"+" in head[:4]
    start, number, entry = ("Q", "Q", "HHQ8s") if is_big else ("I", "H", "HHI4s")
    file.seek(struct.unpack_from(order + start, head, 8 if is_big else 4)[0])
    [count] = struct.unpack(order + number, file.read(struct.calcsize(number)))
    if count > _MOST_ENTRIES:
        raise ValueError("a page of too many tags")
    size = struct.calcsize(order + entry)
    directory = file.read(count * size)
    for place in range(0, len(directory) - size + 1, size):
        yield _Entry(*struct.unpack_from(order + entry, directory, place))


def _numbers(file: BinaryIO, order: str, entries: list[_Entry], tag: int) -> np.ndarray:
    """The whole numbers of a tag, none where it is not there.

    Raises:
        ValueError: it is there twice, or they are of another type.
    """
    found = [each for each in entries if each.tag == tag]
    if not found:
        return np.array([], np.uint64)
    [entry] = found  # a second one is a ValueError
    offset_type = "u8" if len(entry.value) == 8 else "u4"
    kind = _WHOLE_NUMBERS.get(entry.type)
    if kind is None or (kind == "u8" and offset_type == "u4"):
        raise ValueError("numbers of a type that is not for them")
    content, size = entry.value, entry.count * np.dtype(kind).itemsize
    if size > len(content):
        file.seek(int(np.frombuffer(content, order + offset_type)[0]))
        content = file.read(size)
    return np.frombuffer(content[:size], order + kind)
