"""What a network is given of a picture: its size, and which parts."""

import numpy as np
import pytest
from PIL import Image
from support.images import RED, SIZE, written

from imagette.images.open_image import open_image, to_pixels


def test_a_picture_of_just_the_size_keeps_every_bit():
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    for picture in (pixels, Image.fromarray(pixels), written(Image.fromarray(pixels), "PNG")):
        assert np.array_equal(to_pixels(picture, SIZE, SIZE), pixels)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2, 3), (333, 777)])
def test_a_plain_picture_of_any_size_stays_plain(size):
    pixels = to_pixels(written(Image.new("RGB", size, RED), "PNG"), 24, 40)
    assert pixels.shape == (24, 40, 3)
    assert (pixels == RED).all()


def test_a_large_picture_is_averaged_not_sampled():
    chessboard = np.indices((512, 512)).sum(0) % 2 * np.uint8(255)
    pixels = to_pixels(chessboard.astype(np.uint8), SIZE, SIZE)
    assert np.abs(pixels.astype(int) - 127.5).max() <= 2


def test_height_and_width_are_not_swapped():
    wide = np.zeros((10, 20, 3), np.uint8)
    wide[:, 10:] = 255
    pixels = to_pixels(wide, 4, 6)
    assert pixels[:, 0].max() == 0
    assert pixels[:, 5].min() == 255


@pytest.mark.parametrize("size", [(32, 32), (63, 63), (63, 500), (40, 50)])
def test_a_small_picture_is_looked_at_once(size):
    image = Image.effect_noise(size, 50).convert("RGB")
    [view] = open_image(image).views(32, 32)
    assert view.box == (0, 0, 1, 1)
    np.testing.assert_array_equal(view.pixels, to_pixels(image, 32, 32))


def test_a_photograph_is_looked_at_as_a_whole_and_closer():
    image = Image.linear_gradient("L").resize((400, 200)).convert("RGB")
    whole, middle, closer = open_image(image).views(32, 32)
    np.testing.assert_array_equal(whole.pixels, to_pixels(image, 32, 32))
    assert whole.box == (0, 0, 1, 1)
    assert middle.box == pytest.approx((0.25, 0, 0.75, 1))
    assert closer.box == pytest.approx((0.3, 0.1, 0.7, 0.9))
    assert {view.aspect for view in (whole, middle, closer)} == {2}
    expected = to_pixels(image.crop((100, 0, 300, 200)), 32, 32).astype(int)
    assert np.abs(middle.pixels - expected).max() <= 2
