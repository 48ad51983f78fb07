"""The corruptions: each by what it must do to images."""

from itertools import product

import numpy as np
import pytest
from PIL import Image

from imagette.evaluation.corruptions import NAMES, SEVERITIES, corrupt


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Twelve images with shades, edges and fine grain."""
    random = np.random.default_rng(3)
    coarse = random.integers(30, 226, (12, 4, 4, 3), dtype=np.uint8)
    large = [Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC) for one in coarse]
    images = np.stack([np.asarray(one) for one in large]).astype(int)
    images[:, 8:24, 10:14] = 230
    return (images + random.integers(-12, 13, images.shape)).clip(0, 255).astype(np.uint8)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def roughness(images: np.ndarray) -> float:
    return float(np.abs(np.diff(images.astype(float), axis=2)).mean())


def test_they_are_the_paper_s_fifteen():
    assert NAMES == (
        "gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur",
        "motion_blur", "zoom_blur", "snow", "frost", "fog", "brightness", "contrast",
        "elastic_transform", "pixelate", "jpeg_compression",
    )  # fmt: skip


def test_each_changes_pictures_and_the_strongest_most(images, subtests):
    for name in NAMES:
        with subtests.test(name):
            found = [corrupt(images, name, severity) for severity in SEVERITIES]
            assert all(one.shape == images.shape and one.dtype == np.uint8 for one in found)
            far = [distance(one, images) for one in found]
            assert far[0] > 0.1
            # Elastic severities differ in kind: the first only shears, and shears most.
            assert far[4] > far[0] or name == "elastic_transform"
            assert distance(found[4], images) < 110  # something of the picture is left


def test_the_same_call_gives_the_same_pixels(images, subtests):
    for name in NAMES:
        with subtests.test(name):
            before = images.copy()
            once, again, other = (corrupt(images, name, 3, seed=seed) for seed in (0, 0, 1))
            assert (once == again).all()
            assert (images == before).all()
            if name in ("gaussian_noise", "glass_blur", "motion_blur", "snow", "fog"):
                assert (once != other).any()


def test_pictures_of_any_size(subtests):
    for name, size in product(NAMES, [(1, 1), (6, 9), (40, 30), (96, 96)]):
        with subtests.test(f"{name}, {size}"):
            images = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
            for severity in (1, 5):
                assert corrupt(images, name, severity).shape == images.shape
            assert corrupt(images[:0], name, 1).shape == (0, *size, 3)


def test_more_pictures_than_are_taken_at_once(images, monkeypatch):
    monkeypatch.setattr("imagette.evaluation.corruptions._PIXELS_AT_ONCE", 5 * 32 * 32)
    found = corrupt(images, "contrast", 2)
    monkeypatch.undo()
    assert (found == corrupt(images, "contrast", 2)).all()


@pytest.mark.parametrize("name", ["defocus_blur", "motion_blur", "zoom_blur"])
def test_blurs_smooth_and_keep_the_brightness(images, name):
    found = corrupt(images, name, 5)
    assert roughness(found) < 0.8 * roughness(images)
    assert found.mean() == pytest.approx(images.mean(), abs=8)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_blurs_leave_a_plain_picture_as_it_is(severity):
    plain = np.full((2, 32, 32, 3), 100, np.uint8)
    for name in ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur", "elastic_transform"):
        assert (np.abs(corrupt(plain, name, severity).astype(int) - 100) <= 1).all()


def test_gaussian_noise_has_the_paper_s_deviation():
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    for severity, deviation in zip(SEVERITIES, (0.04, 0.06, 0.08, 0.09, 0.10), strict=True):
        noise = corrupt(grey, "gaussian_noise", severity).astype(float) - 128
        assert noise.std() / 255 == pytest.approx(deviation, rel=0.02)


def test_shot_noise_grows_with_the_light():
    for level, photons in ((50, 500), (200, 500)):
        grey = np.full((40, 32, 32, 3), level, np.uint8)
        found = corrupt(grey, "shot_noise", 1).astype(float) / 255
        assert found.std() == pytest.approx(np.sqrt(level / 255 / photons), rel=0.03)


def test_impulse_noise_strikes_the_paper_s_share():
    grey = np.full((40, 32, 32, 3), 128, np.uint8)
    found = corrupt(grey, "impulse_noise", 5)
    assert (found == 0).mean() == pytest.approx(0.035, rel=0.1)
    assert (found == 255).mean() == pytest.approx(0.035, rel=0.1)


def test_glass_moves_pixels_by_one():
    image = np.zeros((1, 32, 32, 3), np.uint8)
    image[0, 16, 16] = 255
    rows, columns = np.nonzero(corrupt(image.repeat(50, axis=0), "glass_blur", 1).max((0, 3)))
    assert set(zip(rows.tolist(), columns.tolist(), strict=True)) == {
        (16, 16), (16, 17), (17, 16), (17, 17),
    }  # fmt: skip


def test_zoom_blur_keeps_the_middle():
    image = np.zeros((1, 33, 33, 3), np.uint8)
    image[0, 16, 16] = 255
    found = corrupt(image, "zoom_blur", 5)[0, :, :, 0]
    assert found.argmax() == 16 * 33 + 16
    assert (np.abs(found - found[::-1, ::-1].astype(int)) <= 1).all()


def test_brightness_keeps_hue_and_adds_value():
    image = np.full((1, 2, 2, 3), (100, 40, 0), np.uint8)
    assert corrupt(image, "brightness", 4)[0, 0, 0].tolist() == [151, 60, 0]
    assert corrupt(image * 0, "brightness", 4)[0, 0, 0].tolist() == [51, 51, 51]


def test_contrast_shrinks_around_the_mean(images):
    found = corrupt(images, "contrast", 4).astype(float)
    assert found.mean((1, 2)) == pytest.approx(images.mean((1, 2)), abs=0.5)
    assert found.std() < images.std()
    one = found[0, :, :, 0].std() / images[0, :, :, 0].astype(float).std()
    assert one == pytest.approx(0.3, abs=0.01)


def test_weather_brightens(images):
    dark = images // 3
    for name in ("snow", "frost"):
        assert corrupt(dark, name, 5).mean() > dark.mean() + 20


def test_fog_evens_out(images):
    thin, thick = (corrupt(images, "fog", severity) for severity in (1, 5))
    assert roughness(thick) < roughness(thin) < roughness(images)
