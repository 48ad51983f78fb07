"""Arrays as pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.errors import ImageError

_ANY = "Give (height, width, 3) as uint8 in 0–255 or as floating numbers in 0–1."


def from_array(array: NDArray) -> Image.Image:
    """Make a picture of an array.

    Args:
        array: `(height, width)`, or `(height, width, channels)` with 1, 3 (RGB) or 4 (RGBA)
            channels; uint8 in 0–255, uint16 in 0–65535, boolean, or floating in 0–1.

    Raises:
        ImageError: the array has another shape, type or range.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise _wrong_shape(array)
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if np.issubdtype(array.dtype, np.uint16):  # in either byte order
        return Image.fromarray(np.rint(array / 257).astype(np.uint8))
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        # NaN fails both comparisons, so it is refused too.
        if values.min() >= 0 and values.max() <= 1:
            return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    raise _wrong_values(array)


def _wrong_shape(array: NDArray) -> ImageError:
    match array.shape:
        case (1, _, _, 1 | 3 | 4):
            remedy = "Give the picture alone: `array[0]`."
        case (_, _, _, 1 | 3 | 4):
            remedy = "Give several pictures as a list of arrays: `list(array)`."
        case (1 | 3 | 4, _, _):
            remedy = "Give the channels last: `array.transpose(1, 2, 0)`."
        case (_, 1 | 3 | 4, _, _):
            remedy = "Give a list of arrays, channels last: `list(array.transpose(0, 2, 3, 1))`."
        case _:
            remedy = _ANY
    return ImageError(f"An array of shape {array.shape} is not one picture.", remedy)


def _wrong_values(array: NDArray) -> ImageError:
    what = f"An array of type {array.dtype}"
    if not (np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)):
        return ImageError(f"{what} holds values that are not pixels.", _ANY)
    if not np.isfinite(array).all():
        return ImageError(f"{what} holds values that are not pixels: NaN or infinity.", _ANY)
    lowest, highest = float(array.min()), float(array.max())
    if lowest >= 0 and highest <= 255:
        remedy = "If they are 0–255, give `array.astype(np.uint8)`."
    else:
        remedy = f"{_ANY} Models normalise them by themselves."
    return ImageError(
        f"{what} holds values that are not pixels: they go from {lowest:g} to {highest:g}.", remedy
    )
