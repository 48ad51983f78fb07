"""Greys of 16 bits and more, and of floating numbers."""

import numpy as np
import pytest
from PIL import Image
from support.images import (
    DEEP_EXPECTED,
    DEEP_GREYS,
    QUARTERS,
    SIZE,
    assert_colours,
    blocks,
    png,
    written,
)

from imagette.images.open_image import to_pixels


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_files(format_):
    assert_colours(written(Image.fromarray(blocks(DEEP_GREYS)), format_), DEEP_EXPECTED)
    dark = np.full((SIZE, SIZE), 200, dtype=np.uint16)  # of 65,535: it stays dark
    assert to_pixels(written(Image.fromarray(dark), format_), SIZE, SIZE).max() <= 1


@pytest.mark.parametrize("mode", ["I;16", "I;16L", "I;16B"])
def test_16_bit_modes_in_memory(mode):
    image = Image.new(mode, (2, 2))
    for x, y in np.ndindex(2, 2):
        image.putpixel((x, y), int(DEEP_GREYS[y, x]))
    assert (to_pixels(image, 2, 2) == DEEP_EXPECTED).all()


def test_16_bit_colour_png():
    rows = b"".join(
        b"\0" + np.repeat(row.astype(">u2") * 257, SIZE // 2, axis=0).tobytes()
        for row in QUARTERS.repeat(SIZE // 2, 0)
    )
    assert_colours(png(SIZE, SIZE, 16, 2, rows), QUARTERS)


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (np.float32, [0.0, 0.5, 1.0], [0, 128, 255]),  # taken for 0–1
        (np.float32, [0.0, 100.0, 255.0], [0, 100, 255]),  # for 0–255
        (np.float32, [0.0, 2570.0, 65535.0], [0, 10, 255]),  # for 0–65535
        (np.float32, [-1.0, 0.0, 1.0], [0, 128, 255]),  # stretched
        (np.float32, [0.0, 50_000.0, 100_000.0], [0, 128, 255]),
        (np.float32, [np.nan, 0.5, np.inf], [0, 128, 0]),
        (np.int32, [0, 100, 255], [0, 100, 255]),
        (np.int32, [0, 2570, 65535], [0, 10, 255]),
        (np.int32, [-100, 0, 100], [0, 128, 255]),
        (np.int32, [7, 7, 7], [7, 7, 7]),
        (np.int32, [-7, -7, -7], [0, 0, 0]),
    ],
)
def test_floating_and_integer_tiff(dtype, values, expected):
    image = Image.fromarray(np.array([values], dtype))
    assert to_pixels(written(image, "TIFF"), 1, 3)[0, :, 0].tolist() == expected
