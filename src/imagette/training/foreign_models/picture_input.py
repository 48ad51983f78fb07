"""What a network takes: the size, channels, order of axes and type of its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.inference.bundle import MAX_SIDE

Layout = Literal["nchw", "nhwc"]
"""The order of axes: batch, then channels, height, width, or height, width, channels."""

_TYPES = {"float32", "float16", "float64", "uint8", "int8", "int16", "int32", "int64"}


@dataclass(frozen=True)
class PictureInput:
    """What a network takes.

    Attributes:
        height: rows of its pictures.
        width: columns of them.
        channels: 3, or 1 for greys.
        layout: the order of its axes; `nhw` where it takes greys without an axis for them.
        dtype: the type of its numbers.
        batch: how many pictures it takes at once; None for any number.
    """

    height: int
    width: int
    channels: int
    layout: Literal["nchw", "nhwc", "nhw"]
    dtype: np.dtype
    batch: int | None = None

    def arrange(self, pixels: NDArray[np.float32]) -> NDArray:
        """Bring float32 `(n, height, width, channels)` to the network's order and type."""
        if self.layout == "nchw":
            pixels = pixels.transpose(0, 3, 1, 2)
        elif self.layout == "nhw":
            pixels = pixels[..., 0]
        return np.ascontiguousarray(pixels.astype(self.dtype))

    def constant(self, value: float | NDArray[np.float32], count: int) -> NDArray:
        """Pictures with the same value everywhere, one number or one a channel, as the network
        takes them."""
        shape = (count, self.height, self.width, self.channels)
        return self.arrange(np.full(shape, value, np.float32))


def read_picture_input(
    name: str,
    shape: Sequence[int | None],
    dtype: str,
    layout: Layout | None,
    image_size: int | None,
) -> PictureInput:
    """Tell what a network takes by the shape of its input.

    Args:
        name: what the file is called in errors.
        shape: of the input, None for each axis of any length.
        dtype: of the input, by NumPy's name.
        layout: the order of axes, where it was said.
        image_size: rows and columns, where it was said.

    Raises:
        ImagetteError: it takes no pictures, or what was said does not fit, or more must be said.
    """
    if len(shape) not in (3, 4) or dtype not in _TYPES:
        raise _no_pictures(name, shape, dtype)
    if len(shape) == 3:
        if shape[0] not in (None, 1) or layout:
            raise _no_pictures(name, shape, dtype)
        axes: Literal["nchw", "nhwc", "nhw"] = "nhw"
        channels, sides = 1, shape[1:]
    else:
        axes = layout or _tell_layout(name, shape)
        given = shape[1] if axes == "nchw" else shape[3]
        sides = shape[2:] if axes == "nchw" else shape[1:3]
        if given not in (1, 3, None):
            raise ImagetteError(
                f"{name} takes pictures of shape {_written(shape)}: read as {axes}, they have"
                f" {given} channels, and only 3 (colours) or 1 (greys) can be given.",
                "Give the other --layout, or leave it out."
                if layout
                else "Export a network that takes RGB pictures or greys.",
            )
        channels = given or 3
    height, width = _sides(name, sides, image_size)
    return PictureInput(height, width, channels, axes, np.dtype(dtype), shape[0])


def _tell_layout(name: str, shape: Sequence[int | None]) -> Layout:
    found = [
        each for each in get_args(Layout) if shape[1 if each == "nchw" else 3] in (1, 3)
    ]  # fmt: skip
    if len(found) == 1:
        return found[0]
    if not found and None not in (shape[1], shape[3]):
        raise _no_pictures(name, shape, "")
    raise ImagetteError(
        f"{name} takes pictures of shape {_written(shape)}, which does not tell where the channels"
        " are.",
        "Give --layout nchw (PyTorch's order) or --layout nhwc (TensorFlow's).",
    )


def _sides(name: str, sides: Sequence[int | None], asked: int | None) -> tuple[int, int]:
    height, width = (side or asked for side in sides)
    if height is None or width is None:
        raise ImagetteError(
            f"{name} takes pictures of any size, and a bundle has one.",
            "Give the size it was trained on with --image-size, such as --image-size 224.",
        )
    if asked and asked not in (height, width):
        raise ImagetteError(
            f"{name} takes pictures of {height}×{width} and no others.", "Leave out --image-size."
        )
    if max(height, width) > MAX_SIDE:
        raise ImagetteError(
            f"Pictures of {height}×{width} are larger than a bundle may ask for.",
            f"Choose at most {MAX_SIDE} rows and columns.",
        )
    return height, width


def _no_pictures(name: str, shape: Sequence[int | None], dtype: str) -> ImagetteError:
    return ImagetteError(
        f"{name} takes no pictures that a bundle can give: its input has the shape"
        f" {_written(shape)}{f' and the type {dtype}' if dtype and dtype not in _TYPES else ''}.",
        "Export a network that takes (batch, height, width, channels) or (batch, channels, height,"
        " width), with 3 channels or 1.",
    )


def _written(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"
