"""The head of a JPEG file: what its decoder is asked for, and no more of it than cameras write.

Pillow reads a head in Python, a marker or a byte between two at a time: a few megabytes of markers
without content, or of bytes that are none, would take seconds.
"""

from dataclasses import dataclass
from typing import BinaryIO

from PIL.JpegImagePlugin import MARKER

# A file with a colour profile, a preview and pages of notes has some hundred markers at most.
_MOST_STEPS = 5_000

_SCAN = 0xFFDA
_PROGRESSIVE = {0xFFC2, 0xFFC6, 0xFFCA, 0xFFCE}
_FRAMES = set(range(0xFFC0, 0xFFD0)) - {0xFFC4, 0xFFC8, 0xFFCC}


@dataclass(frozen=True)
class JpegHead:
    """What stands before the first scan.

    Attributes:
        is_progressive: whether its scans add up to a picture.
        scan_components: how many of the colour components the first scan has.
    """

    is_progressive: bool
    scan_components: int


def check_jpeg(file: BinaryIO) -> None:
    """Look at the head of a file, and leave the file at its beginning; any but a JPEG passes.

    Args:
        file: an open file, at its beginning.

    Raises:
        ValueError: there is more before the first scan than any camera or program writes.
    """
    read_jpeg_head(file)
    file.seek(0)


def read_jpeg_head(file: BinaryIO) -> JpegHead | None:
    """The head of a JPEG file as Pillow reads it; None where there is none, or no scan.

    Args:
        file: an open file, at its beginning.

    Raises:
        ValueError: there is more before the first scan than any camera or program writes.
    """
    if file.read(3) != b"\xff\xd8\xff":
        return None
    is_progressive, previous = False, 0xFF
    for _ in range(_MOST_STEPS):
        [byte] = file.read(1) or (None,)
        if byte is None:
            return None
        if previous != 0xFF or byte in (0x00, 0xFF):  # between markers, or padding
            previous = byte
            continue
        marker = 0xFF00 | byte
        if marker not in MARKER:
            return None
        is_progressive = marker in _PROGRESSIVE if marker in _FRAMES else is_progressive
        if MARKER[marker][2] is not None:
            length = int.from_bytes(file.read(2), "big") - 2
            if marker == _SCAN:
                return JpegHead(is_progressive, *file.read(1) or (0,))
            file.seek(max(length, 0), 1)
        previous = 0
    raise ValueError("more before the first scan than any camera or program writes")
