"""A picture, from opening it to what a network takes; `imagette.images` tells the steps."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.images.decode import decode
from imagette.images.decoding_cost import decoding_bytes, most_pixels
from imagette.images.formats import (
    MAX_PIXELS,
    ImageInput,
    check_size,
    open_input,
    too_costly,
    unreadable,
)
from imagette.images.views import REDUCING_GAP, View, ViewName, cut_views

PREPROCESS_VERSION = 2
"""Raised when the same picture would become other pixels; part of the key of all that is kept.
`tests/images/test_version.py` holds it, and says how to store the new pixels."""


@dataclass(eq=False, repr=False)
class OpenedImage:
    """A picture of which nothing is decoded yet; see `open_image`.

    Attributes:
        source: what it came as.
        width: in pixels, as the file says, before it is turned upright.
        height: likewise.
        pixels: how many are decoded at once: what time depends on.
        decoding_bytes: about how much memory decoding it takes at most, in bytes, for no more
            pixels than `open_image` was told.
    """

    source: ImageInput
    width: int
    height: int
    pixels: int
    decoding_bytes: int
    _image: Image.Image | None

    def to_rgb(self, at_least: int | None = None) -> Image.Image:
        """Decode the picture and bring it, upright, to 8-bit sRGB.

        Args:
            at_least: how many pixels of the shorter side are enough. A picture with at least twice
                as many may come back smaller, of nearly the same proportions, its shorter side no
                less than this; a JPEG is then decoded several times as fast. Anything else, and
                every picture if `at_least` is not given, keeps its size and its pixels.

        Returns:
            A picture of its own: one given as a PIL image is left as it is.

        Raises:
            ImageError: the picture cannot be read.
        """
        # Pillow decodes an opened file once; whoever asks again has it opened again.
        image = open_input(self.source) if self._image is None else self._image
        self._image = None
        try:
            return decode(image, image is self.source, at_least)
        # Pillow's readers raise nearly any exception on damaged or hostile bytes.
        except Exception as error:
            raise unreadable(self.source) from error

    def views(self, height: int, width: int, view: ViewName | None = None) -> tuple[View, ...]:
        """What a network looks at of the picture: people's photographs show more than one thing.

        Where a network has learned from one `view`, that is the only one. Otherwise a picture of
        just the network's size, or less than twice as large, is looked at once, as `whole`. Any
        other also without its longer ends, and closer: see `imagette.images.views`.

        Args:
            height: rows of the network's pictures.
            width: columns of them.
            view: the only look that is taken.

        Returns:
            One view or more; without `view` the first is of the whole picture. One of just the
            network's size keeps its pixels as they are; any other is brought to it with an
            antialiasing (bicubic) filter.

        Raises:
            ImageError: the picture cannot be read.
        """
        return cut_views(self.to_rgb(REDUCING_GAP * max(height, width)), height, width, view)


def open_image(
    image: ImageInput,
    max_pixels: int = MAX_PIXELS,
    at_least: int = REDUCING_GAP * 224,
    max_bytes: int | None = None,
) -> OpenedImage:
    """Open a picture and check its size; its pixels are not decoded yet.

    Args:
        image: a path, a file's bytes, a PIL image (left as it is), or an array (see
            `imagette.images.array.from_array`).
        max_pixels: refuse pictures with more pixels than this, and a JPEG with more than
            `JPEG_FACTOR` times as many, or of which more than this would be decoded.
        at_least: how many pixels of the shorter side will be asked for, as for
            `OpenedImage.to_rgb`: what decoding takes depends on it. Enough for most networks.
        max_bytes: refuse pictures whose decoding takes more memory than this.

    Raises:
        ImageError: the picture cannot be read, or is too large.
    """
    opened = open_input(image)
    pixels = check_size(image, opened, max_pixels, at_least)
    file_bytes = len(image) if isinstance(image, bytes) else 0
    try:
        cost = decoding_bytes(opened, pixels, file_bytes, at_least)
    except Exception as error:  # of Pillow, on what a damaged head says
        raise unreadable(image) from error
    if max_bytes is not None and cost > max_bytes:
        most = most_pixels(opened, pixels, file_bytes, at_least, max_bytes)
        raise too_costly(image, opened, pixels, most)
    return OpenedImage(image, *opened.size, pixels, cost, opened)


def to_pixels(
    image: ImageInput,
    height: int,
    width: int,
    max_pixels: int = MAX_PIXELS,
    view: ViewName = "whole",
) -> NDArray[np.uint8]:
    """Turn a picture into what a network takes.

    Args:
        image: as for `open_image`.
        height: rows of the result.
        width: columns of the result.
        max_pixels: as for `open_image`.
        view: what of the picture.

    Returns:
        uint8 `(height, width, 3)`, RGB, as of `OpenedImage.views`.

    Raises:
        ImageError: the picture cannot be read, or has too many pixels.
    """
    opened = open_image(image, max_pixels, REDUCING_GAP * max(height, width))
    return opened.views(height, width, view)[0].pixels


def read_size(image: ImageInput) -> tuple[int, int]:
    """Width and height in pixels, as the file says, before it is decoded, however many.

    Raises:
        ImageError: the picture cannot be read.
    """
    return open_input(image).size
