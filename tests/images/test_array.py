"""Arrays as pictures."""

import numpy as np
import pytest
from support.images import QUARTERS, over_grey

from imagette.errors import ImageError
from imagette.images.array import from_array
from imagette.images.open_image import to_pixels


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *[(dtype, 1 / 255) for dtype in ("float16", "float32", "float64", ">f4", "longdouble")],
        *[(dtype, 257) for dtype in ("uint16", "<u2", ">u2")],
    ],
)
def test_floating_arrays_are_0_to_1_and_16_bit_ones_0_to_65535(dtype, scale):
    assert np.array_equal(to_pixels((QUARTERS * float(scale)).astype(dtype), 2, 2), QUARTERS)


def test_boolean_arrays_are_black_and_white():
    array = np.array([[True, False], [False, True]])
    assert to_pixels(array, 2, 2)[..., 0].tolist() == [[255, 0], [0, 255]]


def test_channels_of_arrays():
    grey = np.array([[0, 50], [100, 255]], dtype=np.uint8)
    for array in (grey, grey[..., None]):
        assert np.array_equal(to_pixels(array, 2, 2), grey[..., None].repeat(3, 2))
    with_alpha = np.dstack([QUARTERS, np.full((2, 2), 51, np.uint8)])
    np.testing.assert_allclose(to_pixels(with_alpha, 2, 2), over_grey(QUARTERS, 0.2), atol=1)


def test_arrays_that_are_not_contiguous():
    large = np.zeros((4, 4, 5), np.uint8)
    large[::2, ::2, 1:4] = QUARTERS
    assert np.array_equal(to_pixels(large[::2, ::2, 1:4], 2, 2), QUARTERS)
    assert np.array_equal(to_pixels(QUARTERS[::-1], 2, 2), QUARTERS[::-1])


@pytest.mark.parametrize(
    "shape",
    [(), (5,), (0, 0), (4, 0, 3), (4, 4, 0), (4, 4, 2), (4, 4, 5), (3, 32, 32), (1, 4, 4, 3)],
)
def test_arrays_of_another_shape_are_refused(shape):
    with pytest.raises(ImageError, match="is not one picture"):
        from_array(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    "value",
    [
        *(1.01, -0.01, np.nan, np.float32(np.inf), np.int64(7), np.int8(7), np.uint32(7)),
        *(1j, None, "7"),
    ],
)
def test_arrays_of_other_values_are_refused(value):
    with pytest.raises(ImageError, match="values that are not pixels"):
        from_array(np.full((2, 2, 3), value))


@pytest.mark.parametrize(
    ("array", "remedy"),
    [
        (np.zeros((1, 8, 8, 3)), "array[0]"),
        (np.zeros((5, 8, 8, 3)), "list(array)"),
        (np.zeros((3, 8, 8)), "array.transpose(1, 2, 0)"),
        (np.zeros((5, 3, 8, 8)), "list(array.transpose(0, 2, 3, 1))"),
        (np.full((8, 8, 3), 200), "array.astype(np.uint8)"),
        (np.full((8, 8, 3), 200.0), "array.astype(np.uint8)"),
        (np.full((8, 8, 3), 300), "uint8 in 0–255 or as floating numbers in 0–1"),
        (np.full((8, 8, 3), -0.5), "Models normalise them by themselves"),
    ],
)
def test_what_to_do_about_an_array_is_said(array, remedy):
    with pytest.raises(ImageError) as caught:
        from_array(array)
    assert remedy in caught.value.remedy
