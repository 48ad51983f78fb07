"""Arrays as pictures."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.errors import ImageError


def from_array(array: NDArray) -> Image.Image:
    """Make a picture of an array.

    Args:
        array: `(height, width)`, or `(height, width, channels)` with 1, 3 (RGB) or 4 (RGBA)
            channels; uint8 in 0–255, uint16 in 0–65535, boolean, or floating in 0–1.

    Raises:
        ImageError: the array has another shape, type or range.
    """
    what = f"The array of shape {array.shape} and type {array.dtype}"
    remedy = (
        "Give (height, width, 3) as uint8 in 0–255 or as floating numbers in 0–1;"
        " for several pictures, give a list of arrays."
    )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise ImageError(f"{what} is not one picture.", remedy)
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if np.issubdtype(array.dtype, np.uint16):  # in either byte order
        return Image.fromarray(np.rint(array / 257).astype(np.uint8))
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        # NaN fails both comparisons, so it is refused too.
        if values.min() >= 0 and values.max() <= 1:
            return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    raise ImageError(f"{what} holds values that are not pixels.", remedy)
