"""What a lesson keeps of a picture, and learns from.

It imports no more than decoding needs: this runs where large pictures are decoded.
"""

import io

import numpy as np
from numpy.typing import NDArray

from imagette.images.open_image import OpenedImage
from imagette.images.thumbnail import make_thumbnail, plain_pixels
from imagette.images.views import ViewName
from imagette.serving.teaching.thumbnails import SIDE

IMAGE_SIDE = 256
"""Pictures are kept with no more rows and columns than this."""


def reduce_picture(
    opened: OpenedImage, size: int, view: ViewName
) -> tuple[bytes, bytes, NDArray[np.uint8]]:
    """Make a picture small.

    Args:
        opened: the picture.
        size: rows and columns of the network's pictures.
        view: what the network looks at of it.

    Returns:
        A PNG file, upright and without what the picture's file says besides; a thumbnail; and what
        the network takes, uint8 `(size, size, 3)`.

    Raises:
        ImageError: the picture cannot be read.
    """
    return *_reduce(opened), opened.views(size, size, view)[0].pixels


def _reduce(opened: OpenedImage) -> tuple[bytes, bytes]:
    """A picture as a small PNG file that holds pixels alone, and as a thumbnail."""
    pixels = plain_pixels(opened, IMAGE_SIDE)
    file = io.BytesIO()
    pixels.save(file, format="PNG")
    return file.getvalue(), make_thumbnail(pixels, SIDE)
