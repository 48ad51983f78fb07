"""Greyscale of 16 or 32 bits or floating (modes I;16, I, F) to 8 bits."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.images.strips import strips


def is_deep(image: Image.Image) -> bool:
    """Whether it is greyscale of more than 8 bits."""
    return image.mode.startswith("I") or image.mode == "F"


def to_8_bits(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What brings any part of a deep greyscale picture to 8 bits, by the range of the whole."""
    black, white = _black_and_white(image)

    def convert(part: Image.Image) -> Image.Image:
        scaled = (_numbers(part) - black) / (white - black) * 255
        return Image.fromarray(np.rint(scaled).astype(np.uint8))

    return convert


def _black_and_white(image: Image.Image) -> tuple[float, float]:
    """The values of a deep greyscale picture that are black and white.

    16-bit pictures are scaled by their full range, so that a dark one stays dark. Modes I and F
    do not say their range: it is taken for 0–1 (F alone), 0–255 or 0–65535, the first that holds
    every value, and stretched from lowest to highest where none does.
    """
    # A 16-bit PPM file comes as mode I.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 0, 65535
    extremes = []
    for top, bottom in strips(*image.size):
        numbers = _numbers(image.crop((0, top, image.width, bottom)))
        extremes += [float(numbers.min()), float(numbers.max())]
    lowest, highest = min(extremes), max(extremes)
    for top in (1, 255, 65535) if image.mode == "F" else (255, 65535):
        if lowest >= 0 and highest <= top:
            return 0, top
    return lowest, max(highest, lowest + 1e-9)


def _numbers(image: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
