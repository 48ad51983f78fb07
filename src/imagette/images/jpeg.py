"""JPEG files: no more of one is decoded than a picture of the size that is wanted needs."""

import io
import re

from PIL import Image, ImageFile
from PIL.JpegImagePlugin import JpegImageFile

# Each scan of a progressive JPEG costs a pass over all its pixels, and need not be longer than 70
# bytes: a few megabytes of them would take hours. Real files have about ten; libtiff's limit.
_MAX_JPEG_SCANS = 100
_SCAN = b"\xff\xda"
# With the length that its number of components asks for, or no decoder takes it: two bytes alone
# stand by chance in the film that a phone puts behind a picture.
_SCAN_HEADER = re.compile(_SCAN + rb"\x00[\x06\x08\x0a\x0c\x0e][\x00-\x04]")

# A scan of a progressive JPEG that holds no means of blocks (DC), only what is within them (AC):
# its header names one component and a first coefficient above 0 (ITU-T T.81, B.2.3 and G.1.1.1).
_AC_SCAN = re.compile(
    _SCAN + rb"\x00\x08\x01..[\x01-\x3f][\x01-\x3f]."
    rb"[^\xff]*+(?:\xff[\x00\xd0-\xd7][^\xff]*+)*+",
    re.DOTALL,
)


def jpeg_scale(shorter: int, at_least: int) -> int:
    """By how much the decoder reduces a JPEG's sides, as `JpegImageFile.draft` has it.

    Args:
        shorter: its shorter side, in pixels.
        at_least: how many of them are enough.
    """
    most = shorter // at_least
    return next((scale for scale in (8, 4, 2) if most >= scale), 1)


def prepare_jpeg(image: ImageFile.ImageFile, at_least: int | None) -> Image.Image:
    """Have the decoder do no more work than a picture of that size needs.

    It gives a half, a quarter or an eighth of the size straight from the coefficients. An eighth
    is the mean of each block of 8×8: of a progressive file, the scans of all other coefficients,
    where most of its bytes and of the decoder's time are, can then be left out.
    """
    assert image.fp is not None
    first_scan = image.fp.tell()
    image.fp.seek(0)
    content = image.fp.read()
    if sum(1 for _ in _SCAN_HEADER.finditer(content)) > _MAX_JPEG_SCANS:
        raise ValueError("more scans than any camera or program writes")
    if at_least is None:
        return image
    if image.info.get("progressive") and min(image.size) // at_least >= 8:
        start = content.rfind(_SCAN, 0, first_scan)
        means = content[:start] + _AC_SCAN.sub(b"", content[start:])
        image = JpegImageFile(io.BytesIO(means))
    image.draft(None, (at_least, at_least))
    return image
