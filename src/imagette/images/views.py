"""What a network looks at of a picture: all of it, its middle, or several parts in turn."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part, as shares of a picture's width and height."""

ViewName = Literal["whole", "centre"]
"""What of a picture a network is given: all of it, squashed to a square, or the largest square in
its middle."""

_WHOLE = (0.0, 0.0, 1.0, 1.0)

REDUCING_GAP = 5
"""A picture is decoded and averaged to no less than this many times the network's size; the
antialiasing filter does the rest, of the closest view from 4 times. The result is within about a
level of 255 of the filter's alone."""


@dataclass(frozen=True)
class View:
    """One look at a picture.

    Attributes:
        pixels: uint8 `(height, width, 3)`, RGB, as the network takes them.
        box: what it shows of the picture.
        aspect: the picture's width by its height.
    """

    pixels: NDArray[np.uint8]
    box: Box
    aspect: float


def cut_views(
    image: Image.Image, height: int, width: int, view: ViewName | None
) -> tuple[View, ...]:
    """The views of an upright RGB picture, as those of `imagette.images.open_image.OpenedImage`."""
    if view is None:
        boxes = _boxes(image, height, width)
    else:
        boxes = [_WHOLE if view == "whole" else _central_box(image, height, width)]
    aspect = image.width / image.height
    return tuple(View(_resize(image, box, height, width), box, aspect) for box in boxes)


def _boxes(image: Image.Image, height: int, width: int) -> list[Box]:
    """What parts of a picture to look at, as shares of its size: all of it first.

    Then the largest part in the middle that has the network's proportions, and four fifths of
    that. Compared with other choices on photographs in docs/reference/figures.md.
    """
    if min(image.width / width, image.height / height) < 2:
        return [_WHOLE]
    left, top, right, bottom = _central_box(image, height, width)
    return [_WHOLE, *(_in_the_middle((right - left) * z, (bottom - top) * z) for z in (1.0, 0.8))]


def _central_box(image: Image.Image, height: int, width: int) -> Box:
    """The largest part in the middle of the network's proportions, as shares of the size."""
    across = min(1.0, image.height * width / (image.width * height))
    down = min(1.0, image.width * height / (image.height * width))
    return _in_the_middle(across, down)


def _in_the_middle(across: float, down: float) -> Box:
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2


def _resize(image: Image.Image, box: Box, height: int, width: int) -> NDArray[np.uint8]:
    """A part of a picture in the network's size, smoothed before it shrinks."""
    if box != _WHOLE or image.size != (width, height):
        left, top, right, bottom = box
        part = left * image.width, top * image.height, right * image.width, bottom * image.height
        image = image.resize((width, height), Image.Resampling.BICUBIC, part)
    return np.frombuffer(image.tobytes(), np.uint8).reshape(height, width, 3)
