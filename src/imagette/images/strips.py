"""Large pictures a strip at a time, so that no second copy of one is ever in memory."""

import math
from collections.abc import Callable

from PIL import Image

_STRIP_PIXELS = 1 << 20


def strips(width: int, height: int, weight: int = 1) -> list[tuple[int, int]]:
    """First and last row (exclusive) of strips of about a million pixels, or fewer, if a pixel
    stands for `weight` of them."""
    rows = max(1, _STRIP_PIXELS // (width * weight))
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def reduce_in_strips(
    image: Image.Image, factor: int, to_plain: Callable[[Image.Image], Image.Image]
) -> Image.Image:
    """Bring a picture to a mode of plain channels, and blocks of its pixels to their mean.

    Args:
        image: of any mode.
        factor: rows and columns of a block, or so: the blocks fill the picture evenly.
        to_plain: what brings a strip of it to a mode whose channels can be averaged.
    """
    width, height = image.width // factor, image.height // factor
    step = image.height / height
    places = strips(width, height, factor * factor)
    pieces = []
    for top, bottom in places:
        first, end = math.floor(top * step), math.ceil(bottom * step)
        plain = to_plain(image.crop((0, first, image.width, end)))
        box = (0, top * step - first, image.width, bottom * step - first)
        pieces.append(plain.resize((width, bottom - top), Image.Resampling.BOX, box))
    small = Image.new(pieces[0].mode, (width, height))
    for (top, _), piece in zip(places, pieces, strict=True):
        small.paste(piece, (0, top))
    return small
