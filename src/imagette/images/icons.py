"""Icons (ICO, CUR, ICNS), which hold pictures of other formats: none of those may be larger than an
icon ever is.

Pillow decodes the largest of an ICO file while it opens it, whatever size the file says it has.
"""

import re
import struct
from typing import BinaryIO

from PIL import Image

MAX_PIXELS_IN_ICON = 1024 * 1024
"""The largest icon of macOS; those of Windows are at most 256×256."""

_PNG_SIZE = re.compile(rb"IHDR(?=(.{4})(.{4}))", re.DOTALL)
_JPEG_2000_SIZE = re.compile(rb"\xff\x4f\xff\x51(?=.{4}(.{4})(.{4}))", re.DOTALL)
_ENTRY = struct.Struct("<12xI")


def check_icon(file: BinaryIO) -> None:
    """Look at what an icon holds, and leave the file at its beginning; any but an icon passes.

    Args:
        file: an open file, at its beginning.

    Raises:
        Image.DecompressionBombError: a picture in it is too large.
    """
    head = file.read(4)
    is_windows = head in (b"\0\0\1\0", b"\0\0\2\0")
    if is_windows or head == b"icns":
        content = head + file.read()
        sizes = [
            struct.unpack(">II", b"".join(found.groups()))
            for pattern in (_PNG_SIZE, _JPEG_2000_SIZE)
            for found in pattern.finditer(content)
        ]
        sizes += _bitmap_sizes(content) if is_windows else []
        if any(width * height > MAX_PIXELS_IN_ICON for width, height in sizes):
            raise Image.DecompressionBombError("a picture in an icon is too large")
    file.seek(0)


def _bitmap_sizes(content: bytes) -> list[tuple[int, int]]:
    """Width and height of the bitmaps in an ICO or CUR file."""
    [count] = struct.unpack_from("<H", content, 4) if len(content) >= 6 else (0,)
    sizes = []
    end = min(6 + count * _ENTRY.size, len(content) - _ENTRY.size + 1)
    for place in range(6, end, _ENTRY.size):
        [offset] = _ENTRY.unpack_from(content, place)
        header = content[offset : offset + 12]
        if len(header) == 12 and not header.startswith(b"\x89PNG"):
            kind = "<4xHH4x" if header[:4] == b"\x0c\0\0\0" else "<4xii"
            width, height = struct.unpack(kind, header)
            sizes.append((abs(width), abs(height) // 2))  # below it comes a mask as large
    return sizes
