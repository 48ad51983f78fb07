"""Any picture a person may send, as real files: the colours that come out are the right ones."""

import io
from itertools import product

import numpy as np
import pytest
from PIL import Image, ImageCms, features
from support.images import (
    BACKGROUND,
    DEEP_EXPECTED,
    DEEP_GREYS,
    LUMA,
    QUARTERS,
    SIZE,
    UPRIGHT,
    assert_colours,
    blocks,
    middles,
    quarters,
    refused,
    written,
)

from imagette.errors import ImageError
from imagette.images.open_image import open_image, to_pixels

COLOUR_FILES = [
    *[(format_, "RGB", {}, 0) for format_ in ("PNG", "TIFF", "BMP", "DIB", "PPM", "TGA", "PCX",
                                              "SGI", "DDS", "QOI")],
    *[(format_, "RGBA", {}, 0) for format_ in ("PNG", "TIFF")],
    *[(format_, "P", {}, 0) for format_ in ("PNG", "TIFF", "GIF", "BMP", "TGA")],
    *[(format_, "RGB", {"quality": 95}, 4) for format_ in ("JPEG", "MPO")],
    ("JPEG", "CMYK", {"quality": 95}, 4),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}, 0),
    ("TIFF", "CMYK", {}, 0),
    ("TIFF", "YCbCr", {}, 3),
    ("TIFF", "LAB", {}, 4),
    *[("WEBP", mode, {"lossless": True}, 0) for mode in ("RGB", "RGBA")],
    ("WEBP", "RGB", {"quality": 95}, 6),
    ("ICO", "RGBA", {"sizes": [(SIZE, SIZE)]}, 0),
    ("ICO", "RGBA", {"sizes": [(SIZE, SIZE)], "bitmap_format": "bmp"}, 0),
    ("ICNS", "RGBA", {}, 6),
    ("TGA", "RGBA", {"compression": "tga_rle"}, 0),
    *[("JPEG2000", "RGB", {"irreversible": False}, 0)] * features.check("jpg_2000"),
    *[("AVIF", "RGB", {"quality": 95}, 6)] * features.check("avif"),
]  # fmt: skip


def in_mode(mode: str) -> Image.Image:
    """The quarters in a mode, also in those that `Image.convert` cannot make, or makes coarse."""
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(quarters())
    return quarters().convert(mode, palette=Image.Palette.ADAPTIVE)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_colour_files_keep_their_colours(subtests):
    for format_, mode, options, tolerance in COLOUR_FILES:
        with subtests.test(f"{format_}, {mode}, {options}"):
            assert_colours(written(in_mode(mode), format_, **options), QUARTERS, tolerance)


@pytest.mark.parametrize(
    ("format_", "mode", "tolerance"),
    [
        *[(format_, "L", 1) for format_ in ("PNG", "TIFF", "BMP", "GIF", "PPM", "TGA", "PCX")],
        ("JPEG", "L", 3),
        ("WEBP", "L", 6),
        ("PNG", "LA", 1),
        ("TIFF", "LA", 1),
        ("SPIDER", "F", 1),
        ("TIFF", "I", 1),
        ("TIFF", "F", 1),
    ],
)
def test_grey_files_keep_their_greys(format_, mode, tolerance):
    assert_colours(written(quarters("L").convert(mode), format_), LUMA, tolerance)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP", "GIF", "PPM", "PCX", "MSP", "XBM"])
def test_black_and_white_files_are_black_and_white(format_):
    image = quarters("L").point(lambda value: 255 * (value > 100), mode="1")
    black_or_white = np.where(LUMA > 100, 255, 0)
    assert len(np.unique(black_or_white)) == 2
    assert_colours(written(image, format_), black_or_white)


@pytest.mark.parametrize("mode", ["HSV", "YCbCr", "CMYK", "RGBX", "LAB"])
def test_colour_modes_in_memory(mode):
    image = in_mode(mode)
    assert image.mode == mode
    assert_colours(image, QUARTERS, 4)


def test_a_picture_given_in_memory_is_left_as_it_was():
    image = quarters("RGBA")
    image.putalpha(100)
    before = image.tobytes()
    to_pixels(image, 8, 8)
    assert (image.mode, image.size, image.tobytes()) == ("RGBA", (SIZE, SIZE), before)


def test_first_frame_of_an_animation():
    options = {"save_all": True, "append_images": [Image.new("RGB", (SIZE, SIZE), "white")]}
    for format_, more in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        assert_colours(written(quarters(), format_, **options, **more), QUARTERS)
    assert_colours(written(quarters(), "GIF", **options), QUARTERS, 3)


def test_exif_orientation(subtests):
    stored = QUARTERS.repeat(8, 0).repeat(16, 1)  # 16 rows, 32 columns
    for format_, orientation in product(("JPEG", "PNG", "WEBP", "TIFF"), UPRIGHT):
        with subtests.test(f"{format_}, {orientation}"):
            options = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
            content = written(Image.fromarray(stored), format_, exif=turned(orientation), **options)
            upright = open_image(content).to_rgb()
            assert upright.size == ((32, 16) if orientation < 5 else (16, 32))
            expected = UPRIGHT[orientation](QUARTERS)
            np.testing.assert_allclose(middles(upright), expected, atol=12 if options else 0)


def test_orientation_of_deep_and_transparent_pictures():
    deep = written(Image.fromarray(blocks(DEEP_GREYS)), "PNG", exif=turned(6))
    assert_colours(deep, UPRIGHT[6](DEEP_EXPECTED))
    palette = in_mode("P")
    red = palette.getpixel((0, 0))
    expected = QUARTERS.copy()
    expected[0, 0] = BACKGROUND
    content = written(palette, "PNG", transparency=red, exif=turned(6))
    assert_colours(content, UPRIGHT[6](expected))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif!!" * 9])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_turns_nothing(format_, exif):
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format_, {})
    assert_colours(written(quarters(), format_, exif=exif, **options), QUARTERS, 4)


@pytest.mark.parametrize("orientation", [0, 9, 60_000])
def test_an_unknown_orientation_turns_nothing(orientation):
    assert_colours(written(quarters(), "PNG", exif=turned(orientation)), QUARTERS)


def test_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(quarters()).save(file, quality=95)
    assert_colours(file.getvalue(), QUARTERS, 8)
    for share in (0.2, 0.9):
        refused(file.getvalue()[: int(len(file.getvalue()) * share)])


MUTATED = ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "TGA", "PPM", "DDS", "QOI", "SGI"]
MUTATED += ["AVIF"] * features.check("avif") + ["JPEG2000"] * features.check("jpg_2000")


@pytest.mark.parametrize("format_", MUTATED)
def test_flipped_bits_give_a_picture_or_a_picture_error(format_):
    random = np.random.default_rng(4)
    image = quarters("P" if format_ == "GIF" else "RGB")
    options = {"exif": turned(6)} if format_ in ("PNG", "JPEG", "TIFF") else {}
    content = np.frombuffer(written(image, format_, **options), np.uint8)
    for _ in range(40):
        mutant = content.copy()
        # Most damage near the start, where the headers are.
        where = (random.random(random.integers(1, 9)) ** 3 * len(content)).astype(int)
        mutant[where] ^= random.integers(1, 256, len(where), dtype=np.uint8)
        try:
            pixels = to_pixels(mutant.tobytes(), SIZE, SIZE, max_pixels=1_000_000)
        except ImageError:
            continue
        assert pixels.shape == (SIZE, SIZE, 3)
