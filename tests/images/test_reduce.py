"""Decoding no more of a large picture than is needed (`jpeg.py`, `strips.py`)."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageCms
from support.images import (
    QUARTERS,
    RED,
    SIZE,
    UPRIGHT,
    assert_colours,
    over_grey,
    quarters,
    refused,
    written,
)

from imagette.images.open_image import open_image, to_pixels


def photograph(width: int, height: int) -> Image.Image:
    """Smooth shapes and grain, as photographs have them."""
    random = np.random.default_rng(5)
    shapes = Image.fromarray(random.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = np.asarray(shapes.resize((width, height), Image.Resampling.BICUBIC), np.int16)
    grain = random.normal(0, 8, (height, width, 1))
    return Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8))


LARGE = photograph(1600, 1200)
PLAINLY = np.asarray(LARGE.resize((SIZE, SIZE), Image.Resampling.BICUBIC), np.int16)


@pytest.mark.parametrize(
    ("format_", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 90}),
        ("JPEG", {"quality": 90, "progressive": True}),
        ("JPEG", {"quality": 90, "subsampling": 0}),
        ("MPO", {"quality": 90}),
        ("WEBP", {"quality": 90}),
        ("TIFF", {"compression": "jpeg", "quality": 90}),
    ],
)
def test_a_large_picture_comes_out_as_by_the_filter_alone(format_, options):
    pixels = to_pixels(written(LARGE, format_, **options), SIZE, SIZE)
    assert np.abs(pixels - PLAINLY).max() <= 4
    assert np.abs(pixels - PLAINLY).mean() < 1


@pytest.mark.parametrize("orientation", UPRIGHT)
def test_a_large_picture_is_turned_upright(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(QUARTERS.repeat(500, 0).repeat(800, 1))
    content = written(stored, "JPEG", quality=90, progressive=True, exif=exif)
    assert_colours(content, UPRIGHT[orientation](QUARTERS), 4)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I",
                                  "F", "LAB", "HSV", "La", "RGBa", "PA", "RGBX"])  # fmt: skip
def test_every_mode_is_reduced_to_the_mean(mode):
    plain = 255 if mode == "1" else 100
    image = Image.new("L", (3100, 1700), plain).convert("RGB")
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(image)
    elif mode == "I;16":
        image = Image.fromarray(np.full((1700, 3100), plain * 257, np.uint16))
    elif mode in ("La", "RGBa", "PA"):
        image = image.convert({"La": "LA", "RGBa": "RGBA", "PA": "P"}[mode]).convert(mode)
    else:
        image = image.convert("L").convert(mode) if mode in "LIFPA" else image.convert(mode)
    small = open_image(image).to_rgb(100)
    assert small.size == (182, 100)
    np.testing.assert_allclose(np.asarray(small), plain, atol=2)


def test_pixels_that_cannot_be_seen_colour_nothing():
    # Red wherever it is opaque, and green where nobody sees it, in a fine pattern.
    pixels = np.zeros((1000, 1000, 4), np.uint8)
    pixels[:, ::2] = (*RED, 255)
    pixels[:, 1::2] = (0, 255, 0, 0)
    expected = np.tile(over_grey(np.array(RED), 0.5), (8, 8, 1))
    for format_, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        content = written(Image.fromarray(pixels), format_, **options)
        np.testing.assert_allclose(to_pixels(content, 8, 8), expected, atol=2)


@pytest.mark.slow
@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
@pytest.mark.parametrize("at_least", [1, 30, 64, 75, 100, 149, 150, 299, 301, 10_000])
def test_what_comes_back_is_large_enough(format_, at_least):
    for size in ((1200, 600), (600, 1200), (599, 601)):
        small = open_image(written(LARGE.resize(size), format_)).to_rgb(at_least)
        assert min(small.size) >= min(at_least, *size)
        assert min(small.size) < 2 * at_least or small.size == size
        aspect = small.width / small.height
        assert aspect == pytest.approx(size[0] / size[1], rel=2 / min(small.size))


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_keeps_its_pixels_where_it_is_not_to_be_smaller(options):
    content = written(LARGE, "JPEG", quality=90, **options)
    decoded = np.asarray(Image.open(io.BytesIO(content)))
    assert np.array_equal(open_image(content).to_rgb(), decoded)
    assert np.array_equal(open_image(content).to_rgb(at_least=601), decoded)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_large_progressive_jpeg_cut_short_is_refused(share):
    content = written(LARGE, "JPEG", quality=90, progressive=True)
    refused(content[: int(len(content) * share)])


def test_a_thumbnail_in_a_progressive_jpeg_is_left_alone():
    thumbnail = written(LARGE.resize((160, 120)), "JPEG", progressive=True)
    exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail
    content = written(LARGE, "JPEG", quality=90, progressive=True, exif=exif)
    assert np.abs(to_pixels(content, SIZE, SIZE) - PLAINLY).max() <= 4


def test_a_huge_picture_is_not_copied():
    """The decoded pixels take 36 MB; beside them there are only strips."""
    program = (
        "import io, resource, sys; from PIL import Image\n"
        "from imagette.images.open_image import to_pixels\n"
        "file = io.BytesIO()\n"
        "format_ = 'TIFF' if sys.argv[1] == 'CMYK' else 'PNG'\n"
        "Image.new(sys.argv[1], (3000, 3000)).save(file, format_)\n"
        "Image.open(file).load()\n"  # the memory that decoding takes by itself
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "to_pixels(file.getvalue(), 32, 32)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    for mode in ("RGB", "RGBA", "CMYK"):
        grown = subprocess.check_output([sys.executable, "-c", program, mode])
        assert int(grown) < 25_000, mode  # kilobytes


def test_a_jpeg_of_very_many_scans_is_refused():
    # Each costs a pass over all pixels: 100,000 of them, in 7 MB, would take an hour.
    content = written(Image.new("RGB", (640, 480), RED), "JPEG", progressive=True)
    scan = content[content.rindex(b"\xff\xda") : -2]
    assert (to_pixels(content[:-2] + 50 * scan + content[-2:], SIZE, SIZE) != 0).any()
    refused(content[:-2] + 200 * scan + content[-2:])


def test_what_a_phone_puts_behind_a_jpeg_is_no_part_of_it():
    # A film of a few megabytes has the two bytes of a scan in it hundreds of times by chance.
    film = np.random.default_rng(5).bytes(1_000_000) + 200 * b"\xff\xda\x12\x34"
    assert_colours(written(quarters(), "JPEG", quality=95) + film, QUARTERS, tolerance=6)
