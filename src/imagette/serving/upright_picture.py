"""A picture as it is kept to be learned from: upright, reduced, and without what its file says
besides.

It imports no more than decoding needs: this runs where large pictures are decoded.
"""

import io

from imagette.images.open_image import OpenedImage
from imagette.images.thumbnail import plain_pixels

SIDE = 1024
"""Pictures are kept with no more rows and columns than this: more than a network looks at."""

_LOSSLESS = 256  # rows and columns


def write_upright(opened: OpenedImage) -> tuple[bytes, str]:
    """A picture as a file that holds pixels alone.

    Args:
        opened: the picture.

    Returns:
        A JPEG file, or a PNG of a picture so small that each of its pixels counts; and the ending
        of its name.

    Raises:
        ImageError: the picture cannot be read.
    """
    pixels = plain_pixels(opened, SIDE)
    file = io.BytesIO()
    if max(pixels.size) <= _LOSSLESS:
        pixels.save(file, format="PNG")
        return file.getvalue(), ".png"
    pixels.save(file, format="JPEG", quality=92)
    return file.getvalue(), ".jpg"
