"""Colour profiles, and what shows through transparent pixels."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, features
from support.images import (
    BACKGROUND,
    LUMA,
    QUARTERS,
    RED,
    SIZE,
    assert_colours,
    dark_grey,
    over_grey,
    png,
    profile,
    quarters,
    swapped,
    written,
)

from imagette.images.open_image import to_pixels

PALETTE = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
RED_IS_CLEAR = np.array([[BACKGROUND, QUARTERS[0, 1]], QUARTERS[1]])


@pytest.mark.parametrize(
    ("format_", "mode"),
    [
        ("PNG", "RGBA"),
        ("PNG", "LA"),
        ("TIFF", "RGBA"),
        ("TIFF", "LA"),
        ("TGA", "RGBA"),
        ("WEBP", "RGBA"),
    ],
)
@pytest.mark.parametrize("alpha", [0, 102, 255])
def test_transparency_lies_over_grey(format_, mode, alpha):
    image = quarters(mode)
    image.putalpha(alpha)
    content = written(image, format_, **({"lossless": True} if format_ == "WEBP" else {}))
    assert_colours(content, over_grey(LUMA if mode == "LA" else QUARTERS, alpha / 255), 1)


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_transparent_palette_entry_lies_over_grey(format_):
    red = PALETTE.getpixel((0, 0))
    assert_colours(written(PALETTE, format_, transparency=red), RED_IS_CLEAR)


def test_half_transparent_palette_lies_over_grey():
    content = written(PALETTE, "PNG", transparency=bytes([51] * 256))
    assert Image.open(io.BytesIO(content)).mode == "P"
    assert_colours(content, over_grey(QUARTERS, 0.2), 1)


def test_transparent_modes_in_memory():
    palette = PALETTE.convert("PA")
    palette.putalpha(51)
    assert_colours(palette, over_grey(QUARTERS, 0.2), 1)
    for mode, colours in (("RGBA", QUARTERS), ("LA", LUMA)):
        image = quarters(mode)
        image.putalpha(51)
        multiplied = image.convert("RGBa" if mode == "RGBA" else "La")
        assert_colours(multiplied, over_grey(colours, 0.2), 3)


def test_transparent_colour_of_a_png_lies_over_grey():
    assert_colours(written(quarters(), "PNG", transparency=RED), RED_IS_CLEAR)
    black_is_clear = png(2, 1, 8, 0, b"\0\0\x64", (b"tRNS", struct.pack(">H", 0)))
    assert to_pixels(black_is_clear, 1, 2)[0, :, 0].tolist() == [128, 100]


SWAPPED_COLOURS = QUARTERS[..., [1, 0, 2]]


@pytest.mark.parametrize(
    ("format_", "mode", "options", "tolerance"),
    [
        ("PNG", "RGB", {}, 2),
        ("PNG", "RGBA", {}, 2),
        ("PNG", "P", {}, 2),
        ("TIFF", "RGB", {}, 2),
        ("WEBP", "RGB", {"lossless": True}, 2),
        ("JPEG", "RGB", {"quality": 95}, 6),
        *[("AVIF", "RGB", {"quality": 95}, 8)] * features.check("avif"),
    ],
)
def test_a_colour_profile_is_followed(format_, mode, options, tolerance):
    image = PALETTE if mode == "P" else quarters(mode)
    content = written(image, format_, icc_profile=swapped(), **options)
    assert_colours(content, SWAPPED_COLOURS, tolerance)


def test_a_colour_profile_is_followed_under_transparency():
    image = quarters("RGBA")
    image.putalpha(51)
    content = written(image, "PNG", icc_profile=swapped())
    assert_colours(content, over_grey(SWAPPED_COLOURS, 0.2), 2)


def test_a_profile_for_grey_is_followed():
    for mode, colour in (("L", 55), ("LA", (55, 255))):
        light = written(Image.new(mode, (SIZE, SIZE), colour), "PNG", icc_profile=dark_grey())
        # 55/255 of the light is 0.5 in sRGB's curve.
        np.testing.assert_allclose(to_pixels(light, SIZE, SIZE), 128, atol=2)


def test_a_grey_picture_with_a_profile_for_colours_stays_grey():
    assert_colours(written(quarters("L"), "PNG", icc_profile=swapped()), LUMA, 4)


def test_a_profile_that_is_srgb_changes_no_bit():
    pixels = np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    content = written(Image.fromarray(pixels), "PNG", icc_profile=profile())
    assert np.array_equal(to_pixels(content, SIZE, SIZE), pixels)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "CMYK"])
@pytest.mark.parametrize(
    "damaged",
    [b"", b"\0", b"no profile" * 50, profile()[:200], profile("LAB"), profile("XYZ"),
     profile()[:16] + b"CMYK" + profile()[20:]],
)  # fmt: skip
def test_a_profile_that_is_damaged_or_does_not_fit_is_ignored(mode, damaged):
    expected = LUMA if mode == "L" else QUARTERS
    assert_colours(written(quarters(mode), "TIFF", icc_profile=damaged), expected, 1)


def test_cmyk_of_adobe_is_inverted_once():
    for options in ({}, {"icc_profile": swapped()}):
        adobe = written(quarters("CMYK"), "JPEG", quality=95, **options)
        assert b"Adobe" in adobe
        assert_colours(adobe, QUARTERS, 4)
