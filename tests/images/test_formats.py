"""Any picture a person may send, as real files: the colours that come out are the right ones."""

import io

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
from imagette.images.opened import open_image, to_pixels

COLOUR_FILES = [
    ("PNG", "RGB", {}, 0),
    ("PNG", "RGBA", {}, 0),
    ("PNG", "P", {}, 0),
    ("JPEG", "RGB", {"quality": 95}, 4),
    ("JPEG", "CMYK", {"quality": 95}, 4),
    ("MPO", "RGB", {"quality": 95}, 4),
    ("TIFF", "RGB", {}, 0),
    ("TIFF", "RGB", {"compression": "tiff_lzw"}, 0),
    ("TIFF", "RGBA", {}, 0),
    ("TIFF", "CMYK", {}, 0),
    ("TIFF", "YCbCr", {}, 3),
    ("TIFF", "P", {}, 0),
    ("WEBP", "RGB", {"lossless": True}, 0),
    ("WEBP", "RGB", {"quality": 95}, 6),
    ("WEBP", "RGBA", {"lossless": True}, 0),
    ("GIF", "P", {}, 0),
    ("BMP", "RGB", {}, 0),
    ("BMP", "P", {}, 0),
    ("DIB", "RGB", {}, 0),
    ("ICO", "RGBA", {"sizes": [(SIZE, SIZE)]}, 0),
    ("ICO", "RGBA", {"sizes": [(SIZE, SIZE)], "bitmap_format": "bmp"}, 0),
    ("ICNS", "RGBA", {}, 6),
    ("PPM", "RGB", {}, 0),
    ("TGA", "RGB", {}, 0),
    ("TGA", "RGBA", {"compression": "tga_rle"}, 0),
    ("TGA", "P", {}, 0),
    ("PCX", "RGB", {}, 0),
    ("SGI", "RGB", {}, 0),
    ("DDS", "RGB", {}, 0),
    ("QOI", "RGB", {}, 0),
    pytest.param(
        "JPEG2000", "RGB", {"irreversible": False}, 0,
        marks=pytest.mark.skipif(not features.check("jpg_2000"), reason="no JPEG 2000 in Pillow"),
    ),
    pytest.param(
        "AVIF", "RGB", {"quality": 95}, 6,
        marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF in Pillow"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("format_", "mode", "options", "tolerance"), COLOUR_FILES)
def test_colour_files_keep_their_colours(format_, mode, options, tolerance):
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else None
    content = written(image or quarters(mode), format_, **options)
    assert_colours(content, QUARTERS, tolerance)


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


def test_lab_tiff():
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(quarters())
    assert image.mode == "LAB"
    assert_colours(written(image, "TIFF"), QUARTERS, 4)


@pytest.mark.parametrize("mode", ["HSV", "YCbCr", "CMYK", "RGBX", "LAB"])
def test_colour_modes_in_memory(mode):
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(quarters())
    else:
        image = quarters(mode)
    assert_colours(image, QUARTERS, 4)


def test_a_picture_given_in_memory_is_left_as_it_was():
    image = quarters("RGBA")
    image.putalpha(100)
    before = image.tobytes()
    to_pixels(image, 8, 8)
    assert (image.mode, image.size, image.tobytes()) == ("RGBA", (SIZE, SIZE), before)


def test_first_frame_of_an_animation():
    frames = [quarters(), Image.new("RGB", (SIZE, SIZE), "white")]
    options = {"save_all": True, "append_images": frames[1:], "duration": 50}
    assert_colours(written(frames[0], "GIF", **options), QUARTERS, 3)
    assert_colours(written(frames[0], "PNG", **options), QUARTERS)
    assert_colours(written(frames[0], "WEBP", lossless=True, **options), QUARTERS)
    assert_colours(written(frames[0], "TIFF", save_all=True, append_images=frames[1:]), QUARTERS)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation(format_, orientation):
    stored = QUARTERS.repeat(8, 0).repeat(16, 1)  # 16 rows, 32 columns
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"quality": 95} if format_ in ("JPEG", "WEBP") else {}
    content = written(Image.fromarray(stored), format_, exif=exif, **options)
    upright = open_image(content).to_rgb()
    assert upright.size == ((32, 16) if orientation < 5 else (16, 32))
    expected = UPRIGHT[orientation](QUARTERS)
    np.testing.assert_allclose(middles(upright), expected, atol=12 if options else 0)


def test_orientation_of_deep_and_transparent_pictures():
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = written(Image.fromarray(blocks(DEEP_GREYS)), "PNG", exif=exif)
    assert_colours(deep, UPRIGHT[6](DEEP_EXPECTED))
    palette = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    red = palette.getpixel((0, 0))
    expected = QUARTERS.copy()
    expected[0, 0] = BACKGROUND
    content = written(palette, "PNG", transparency=red, exif=exif)
    assert_colours(content, UPRIGHT[6](expected))


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif!!" * 9])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_damaged_exif_block_turns_nothing(format_, exif):
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format_, {})
    assert_colours(written(quarters(), format_, exif=exif, **options), QUARTERS, 4)


@pytest.mark.parametrize("orientation", [0, 9, 60_000])
def test_an_unknown_orientation_turns_nothing(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert_colours(written(quarters(), "PNG", exif=exif), QUARTERS)


def test_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(quarters()).save(file, quality=95)
    assert_colours(file.getvalue(), QUARTERS, 8)
    for share in (0.2, 0.9):
        refused(file.getvalue()[: int(len(file.getvalue()) * share)])


MUTATED = ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "ICO", "TGA", "PPM", "DDS", "QOI", "SGI"]
MUTATED += ["AVIF"] if features.check("avif") else []
MUTATED += ["JPEG2000"] if features.check("jpg_2000") else []


@pytest.mark.parametrize("format_", MUTATED)
def test_flipped_bits_give_a_picture_or_a_picture_error(format_):
    random = np.random.default_rng(4)
    exif = Image.Exif()
    exif[0x0112] = 6
    image = quarters("P" if format_ == "GIF" else "RGB")
    content = np.frombuffer(
        written(image, format_, **({"exif": exif} if format_ in ("PNG", "JPEG", "TIFF") else {})),
        dtype=np.uint8,
    )
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
