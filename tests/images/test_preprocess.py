"""Any picture a person may send, as real files: the colours that come out are the right ones."""

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms, features

from imagette.errors import ImageError
from imagette.images.array import from_array
from imagette.images.open import MAX_PIXELS
from imagette.images.opened import open_image, to_pixels

SIZE = 32
RED, GREEN, BLUE, GREY = (200, 40, 30), (40, 160, 60), (50, 60, 180), (120, 120, 120)
QUARTERS = np.array([[RED, GREEN], [BLUE, GREY]], dtype=np.uint8)
LUMA = np.rint(QUARTERS @ [0.299, 0.587, 0.114])[..., None].repeat(3, 2)
BACKGROUND = np.full(3, 128)


def quarters(mode: str = "RGB") -> Image.Image:
    """A picture of four plain colours, one in each quarter."""
    return Image.fromarray(QUARTERS.repeat(SIZE // 2, 0).repeat(SIZE // 2, 1)).convert(mode)


def written(image: Image.Image, format_: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def middles(pixels) -> np.ndarray:
    """The colour in the middle of each quarter, `(2, 2, 3)`."""
    pixels = np.asarray(pixels).astype(int)
    height, width = pixels.shape[:2]
    return pixels[height // 4 :: height // 2, width // 4 :: width // 2][:2, :2]


def assert_colours(picture, expected, tolerance=0) -> None:
    pixels = to_pixels(picture, SIZE, SIZE)
    assert pixels.shape == (SIZE, SIZE, 3)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(middles(pixels), expected, atol=tolerance)


def png(width, height, depth, colour_type, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file put together by hand, for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


# --- formats and modes ---------------------------------------------------------------------------

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


# --- 16 bits and more ----------------------------------------------------------------------------

DEEP_GREYS = np.array([[0, 2570], [32896, 65535]], dtype=np.uint16)  # 0, 10, 128 and 255 times 257
DEEP_EXPECTED = np.array([[0, 10], [128, 255]])[..., None].repeat(3, 2)


def blocks(values: np.ndarray) -> np.ndarray:
    return values.repeat(SIZE // 2, 0).repeat(SIZE // 2, 1)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_files(format_):
    assert_colours(written(Image.fromarray(blocks(DEEP_GREYS)), format_), DEEP_EXPECTED)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "PPM"])
def test_a_dark_16_bit_file_stays_dark(format_):
    dark = np.full((SIZE, SIZE), 200, dtype=np.uint16)  # 200 of 65,535
    pixels = to_pixels(written(Image.fromarray(dark), format_), SIZE, SIZE)
    assert pixels.max() <= 1


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
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),  # taken for 0–1
        ([0.0, 100.0, 255.0], [0, 100, 255]),  # for 0–255
        ([0.0, 2570.0, 65535.0], [0, 10, 255]),  # for 0–65535
        ([-1.0, 0.0, 1.0], [0, 128, 255]),  # stretched
        ([0.0, 50_000.0, 100_000.0], [0, 128, 255]),
        ([np.nan, 0.5, np.inf], [0, 128, 0]),
    ],
)
def test_floating_tiff(values, expected):
    image = Image.fromarray(np.array([values], dtype=np.float32))
    assert to_pixels(written(image, "TIFF"), 1, 3)[0, :, 0].tolist() == expected


def test_integer_tiff():
    for values, expected in (
        ([0, 100, 255], [0, 100, 255]),
        ([0, 2570, 65535], [0, 10, 255]),
        ([-100, 0, 100], [0, 128, 255]),
        ([7, 7, 7], [7, 7, 7]),
        ([-7, -7, -7], [0, 0, 0]),
    ):
        image = Image.fromarray(np.array([values], dtype=np.int32))
        assert to_pixels(written(image, "TIFF"), 1, 3)[0, :, 0].tolist() == expected


# --- transparency --------------------------------------------------------------------------------


def over_grey(colours: np.ndarray, alpha: float) -> np.ndarray:
    return np.rint(colours * alpha + 128 * (1 - alpha))


@pytest.mark.parametrize(("format_", "options"), [("PNG", {}), ("TIFF", {}), ("TGA", {}),
                                                  ("WEBP", {"lossless": True})])  # fmt: skip
@pytest.mark.parametrize("alpha", [0, 102, 255])
def test_transparency_lies_over_grey(format_, options, alpha):
    image = quarters("RGBA")
    image.putalpha(alpha)
    assert_colours(written(image, format_, **options), over_grey(QUARTERS, alpha / 255), 1)


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_transparent_greys_lie_over_grey(format_):
    image = quarters("LA")
    image.putalpha(51)
    assert_colours(written(image, format_), over_grey(LUMA, 0.2), 1)


@pytest.mark.parametrize("format_", ["PNG", "GIF"])
def test_transparent_palette_entry_lies_over_grey(format_):
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    red = image.getpixel((0, 0))
    expected = QUARTERS.copy()
    expected[0, 0] = BACKGROUND
    assert_colours(written(image, format_, transparency=red), expected)


def test_half_transparent_palette_lies_over_grey():
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
    content = written(image, "PNG", transparency=bytes([51] * 256))
    assert Image.open(io.BytesIO(content)).mode == "P"
    assert_colours(content, over_grey(QUARTERS, 0.2), 1)


def test_transparent_modes_in_memory():
    palette = quarters().convert("P", palette=Image.Palette.ADAPTIVE).convert("PA")
    palette.putalpha(51)
    assert_colours(palette, over_grey(QUARTERS, 0.2), 1)
    for mode, colours in (("RGBA", QUARTERS), ("LA", LUMA)):
        image = quarters(mode)
        image.putalpha(51)
        multiplied = image.convert("RGBa" if mode == "RGBA" else "La")
        assert_colours(multiplied, over_grey(colours, 0.2), 3)


def test_transparent_colour_of_a_png_lies_over_grey():
    red_is_clear = written(quarters(), "PNG", transparency=RED)
    expected = QUARTERS.copy()
    expected[0, 0] = BACKGROUND
    assert_colours(red_is_clear, expected)
    black_is_clear = png(2, 1, 8, 0, b"\0\0\x64", (b"tRNS", struct.pack(">H", 0)))
    assert to_pixels(black_is_clear, 1, 2)[0, :, 0].tolist() == [128, 100]


# --- orientation ---------------------------------------------------------------------------------

# How the rows and columns that a file holds come to lie upright, by the EXIF standard: where its
# first row and its first column are to be seen.
UPRIGHT = {
    1: lambda a: a,  # top, left
    2: lambda a: a[:, ::-1],  # top, right
    3: lambda a: a[::-1, ::-1],  # bottom, right
    4: lambda a: a[::-1],  # bottom, left
    5: lambda a: a.swapaxes(0, 1),  # left, top
    6: lambda a: a.swapaxes(0, 1)[:, ::-1],  # right, top
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],  # right, bottom
    8: lambda a: a.swapaxes(0, 1)[::-1],  # left, bottom
}


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


# --- colour profiles -----------------------------------------------------------------------------


def profile(name: str = "sRGB", **replaced: bytes) -> bytes:
    """An ICC profile; `replaced` tags (by name) hold other bytes of the same length."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes())
    for tag, data in replaced.items():
        start, length = tag_of(content, tag.encode())
        assert len(data) == length
        content[start : start + length] = data
    return bytes(content)


def tag_of(content: bytes, tag: bytes) -> tuple[int, int]:
    """Where a tag's data lies in a profile (ICC.1, 7.3): its offset and length."""
    entry = content.index(tag, 132)
    return struct.unpack(">II", content[entry + 4 : entry + 12])


def swapped() -> bytes:
    """A profile in which red is what sRGB calls green, and the other way round."""
    content = profile()
    red, green = (content[slice(*extent(content, tag))] for tag in (b"rXYZ", b"gXYZ"))
    return profile(rXYZ=green, gXYZ=red)


def extent(content: bytes, tag: bytes) -> tuple[int, int]:
    start, length = tag_of(content, tag)
    return start, start + length


def dark_grey() -> bytes:
    """A profile for grey pictures, of which the values are light itself (gamma 1)."""
    white = struct.pack(">8siii", b"XYZ ", 63190, 65536, 54061)
    curve = struct.pack(">8sI", b"curv", 0)
    header = struct.pack(
        ">I4sI4s4s4s12s4s28s3i48s", 188, b"", 0x02400000, b"mntr", b"GRAY", b"XYZ ",
        b"", b"acsp", b"", 63190, 65536, 54061, b"",
    )  # fmt: skip
    tags = struct.pack(">I4sII4sII", 2, b"wtpt", 156, 20, b"kTRC", 176, 12)
    return header + tags + white + curve


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
        pytest.param(
            "AVIF", "RGB", {"quality": 95}, 8,
            marks=pytest.mark.skipif(not features.check("avif"), reason="no AVIF in Pillow"),
        ),
    ],
)  # fmt: skip
def test_a_colour_profile_is_followed(format_, mode, options, tolerance):
    image = quarters().convert("P", palette=Image.Palette.ADAPTIVE) if mode == "P" else None
    content = written(image or quarters(mode), format_, icc_profile=swapped(), **options)
    assert_colours(content, SWAPPED_COLOURS, tolerance)


def test_a_colour_profile_is_followed_under_transparency():
    image = quarters("RGBA")
    image.putalpha(51)
    content = written(image, "PNG", icc_profile=swapped())
    assert_colours(content, over_grey(SWAPPED_COLOURS, 0.2), 2)


def test_a_profile_for_grey_is_followed():
    light = written(Image.new("L", (SIZE, SIZE), 55), "PNG", icc_profile=dark_grey())
    # 55/255 of the light is 0.5 in sRGB's curve.
    np.testing.assert_allclose(to_pixels(light, SIZE, SIZE), 128, atol=2)
    with_alpha = Image.new("LA", (SIZE, SIZE), (55, 255))
    light = written(with_alpha, "PNG", icc_profile=dark_grey())
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
    adobe = written(quarters("CMYK"), "JPEG", quality=95)
    assert b"Adobe" in adobe
    assert_colours(adobe, QUARTERS, 4)
    assert_colours(written(quarters("CMYK"), "JPEG", quality=95, icc_profile=swapped()),
                   QUARTERS, 4)  # fmt: skip


# --- decoding no more than is needed -------------------------------------------------------------


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
    expected = over_grey(np.array(RED), 0.5)
    for format_ in ("PNG", "WEBP"):
        options = {"lossless": True, "exact": True} if format_ == "WEBP" else {}
        content = written(Image.fromarray(pixels), format_, **options)
        np.testing.assert_allclose(to_pixels(content, 8, 8), np.tile(expected, (8, 8, 1)), atol=2)


@pytest.mark.parametrize("format_", ["JPEG", "PNG"])
@pytest.mark.parametrize("at_least", [1, 30, 64, 75, 100, 149, 150, 299, 301, 10_000])
def test_what_comes_back_is_large_enough(format_, at_least):
    for size in ((1200, 600), (600, 1200), (599, 601)):
        small = open_image(written(LARGE.resize(size), format_)).to_rgb(at_least)
        assert min(small.size) >= min(at_least, *size)
        assert min(small.size) < 2 * at_least or small.size == size
        assert small.width / small.height == pytest.approx(
            size[0] / size[1], rel=2 / min(small.size)
        )


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
    path = Path(__file__).parents[2] / "src"
    program = (
        "import io, resource, sys; from PIL import Image\n"
        "from imagette.images.opened import to_pixels\n"
        "file = io.BytesIO()\n"
        "format_ = 'TIFF' if sys.argv[1] == 'CMYK' else 'PNG'\n"
        "Image.new(sys.argv[1], (3000, 3000)).save(file, format_)\n"
        "Image.open(file).load()\n"  # the memory that decoding takes by itself
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "to_pixels(file.getvalue(), 32, 32)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    for mode in ("RGB", "RGBA", "CMYK"):
        grown = subprocess.run(
            [sys.executable, "-c", program, mode],
            capture_output=True, check=True, text=True, env=os.environ | {"PYTHONPATH": str(path)},
        ).stdout  # fmt: skip
        assert int(grown) < 25_000, (mode, grown)  # kilobytes


# --- HEIC ----------------------------------------------------------------------------------------


def test_heic():
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(quarters()).save(file, quality=95)
    assert_colours(file.getvalue(), QUARTERS, 8)
    for share in (0.2, 0.9):
        refused(file.getvalue()[: int(len(file.getvalue()) * share)])


# --- sizes ---------------------------------------------------------------------------------------


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


# --- what is refused -----------------------------------------------------------------------------


def refused(picture, **options) -> ImageError:
    with pytest.raises(ImageError) as caught:
        to_pixels(picture, SIZE, SIZE, **options)
    assert caught.value.problem.endswith(".")
    assert caught.value.remedy.endswith(".")
    return caught.value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0",
        b"A letter, not a picture.\n" * 40,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7\n",
        b"PK\3\4" + bytes(100),
        np.random.default_rng(2).bytes(5000),
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF89a",
    ],
)
def test_what_is_no_picture_is_refused(content, tmp_path):
    assert not refused(content).too_large
    path = tmp_path / "strange.png"
    path.write_bytes(content)
    assert str(path) in refused(path).problem


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "TGA", "PPM"])
def test_a_picture_cut_short_is_refused(format_):
    noise = np.random.default_rng(3).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    content = written(image.convert("P") if format_ == "GIF" else image, format_)
    for share in (0.1, 0.5, 0.9):
        refused(content[: int(len(content) * share)])


@pytest.fixture
def fake_ghostscript(tmp_path, monkeypatch):
    """A `gs` that leaves a mark when it is run."""
    mark = tmp_path / "was-run"
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)
    return mark


def test_eps_is_refused_without_running_ghostscript(fake_ghostscript, tmp_path):
    content = written(quarters(), "EPS")
    for name in ("drawing.eps", "drawing.png"):
        path = tmp_path / name
        path.write_bytes(content)
        refused(path)
    refused(content)
    assert not fake_ghostscript.exists()
    # Pillow alone would have run it, so the trap is a real one.
    with pytest.raises(OSError):  # noqa: PT011
        Image.open(io.BytesIO(content)).load()
    assert fake_ghostscript.exists()


def test_no_picture_opens_another_of_any_kind_inside(fake_ghostscript):
    # Pillow reads the picture in an IPTC file with every reader it has.
    def field(record: int, number: int, value: bytes) -> bytes:
        return struct.pack(">BBBH", 0x1C, record, number, len(value)) + value

    inside = written(quarters(), "EPS")
    content = field(3, 60, b"\x01\x00") + field(3, 65, b"\x01")
    content += field(3, 20, struct.pack(">H", SIZE)) + field(3, 30, struct.pack(">H", SIZE))
    content += field(3, 120, b"\x05") + field(8, 10, inside)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "IPTC"
        with pytest.raises(OSError):  # noqa: PT011
            opened.load()
    assert fake_ghostscript.exists()
    fake_ghostscript.unlink()
    refused(content)
    assert not fake_ghostscript.exists()


def test_blp_which_may_hold_a_jpeg_that_no_limit_sees_is_refused():
    content = written(quarters("P"), "BLP")
    Image.open(io.BytesIO(content)).load()
    refused(content)


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


def test_a_decompression_bomb_is_refused_before_it_is_decoded(tmp_path):
    # The pixels are missing: were they looked for, the file would be refused as damaged.
    for side in (60_000, 8_000):
        bomb = png(side, side, 8, 2, b"")
        assert refused(bomb).too_large
        path = tmp_path / "bomb.png"
        path.write_bytes(bomb)
        error = refused(path)
        assert error.too_large
        assert str(path) in error.problem
    assert MAX_PIXELS < 8_000 * 8_000
    assert "8000×8000" in error.problem
    assert not refused(png(7_000, 7_000, 8, 2, b"")).too_large


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


def test_formats_decoded_in_python_have_a_limit_of_their_own():
    for header in (b"P3 1001 1000 255\n", b"qoif" + struct.pack(">IIBB", 1001, 1000, 3, 0)):
        error = refused(header + bytes(100))
        assert error.too_large
        assert "1001×1000" in error.problem
        assert error.problem.rstrip(".").endswith(("PPM file", "QOI file"))
    assert not refused(b"P6 1001 1000 255\n" + bytes(100)).too_large


@pytest.mark.parametrize("format_", ["ICO", "ICNS"] + ["AVIF"] * features.check("avif"))
def test_what_may_hold_more_than_it_says_counts_as_the_largest_picture(format_):
    opened = open_image(written(quarters("RGBA"), format_), max_pixels=2_000_000)
    assert opened.pixels == 2_000_000


def test_an_icon_may_not_hide_a_bomb():
    # The icon says 16×16; the PNG inside it is far larger.
    rows = bytes((10_000 // 8 + 1) * 6_000)
    inside = png(10_000, 6_000, 1, 0, rows)
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 22)
    assert refused(b"\0\0\1\0\1\0" + entry + inside).too_large


def test_the_limit_on_pixels_is_exact():
    image = Image.new("RGB", (20, 10), RED)
    for picture in (image, np.asarray(image), written(image, "PNG")):
        assert (to_pixels(picture, SIZE, SIZE, max_pixels=200) == RED).all()
        assert refused(picture, max_pixels=199).too_large


def test_a_picture_without_pixels_is_refused():
    refused(Image.new("RGB", (0, 5)))
    refused(np.zeros((0, 5, 3), np.uint8))


# --- paths ---------------------------------------------------------------------------------------


def test_paths_as_text_and_as_path_objects(tmp_path):
    path = tmp_path / "été, 2 × 2.png"
    quarters().save(path)
    assert_colours(path, QUARTERS)
    assert_colours(str(path), QUARTERS)


def test_contents_decide_whatever_the_ending_says(tmp_path):
    path = tmp_path / "picture.txt"
    path.write_bytes(written(quarters(), "WEBP", lossless=True))
    assert_colours(path, QUARTERS)


@pytest.mark.parametrize("name", ["missing.png", "", ".", "a" * 5000, "null\0byte"])
def test_a_missing_file_or_a_folder_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "There is no file" in refused(name).problem
    assert "There is no file" in refused(Path(name)).problem


@pytest.mark.parametrize("thing", [None, 3, {"image": 1}, (1, 2), io.BytesIO(b""), bytearray(4)])
def test_things_that_are_no_pictures_are_refused(thing):
    assert type(thing).__name__ in refused(thing).problem


# --- arrays --------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4", "longdouble"])
def test_floating_arrays_are_0_to_1(dtype):
    array = (QUARTERS / 255).astype(dtype)
    assert np.array_equal(to_pixels(array, 2, 2), QUARTERS)


@pytest.mark.parametrize("dtype", ["uint16", "<u2", ">u2"])
def test_16_bit_arrays_are_0_to_65535(dtype):
    array = (QUARTERS.astype(np.uint32) * 257).astype(dtype)
    assert np.array_equal(to_pixels(array, 2, 2), QUARTERS)


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
    "array",
    [
        np.full((2, 2, 3), 1.01),
        np.full((2, 2, 3), -0.01),
        np.full((2, 2, 3), np.nan),
        np.full((2, 2, 3), np.inf, np.float32),
        np.full((2, 2, 3), 7, np.int64),
        np.full((2, 2, 3), 7, np.int8),
        np.full((2, 2, 3), 7, np.uint32),
        np.full((2, 2, 3), 1j),
        np.full((2, 2, 3), None),
        np.full((2, 2, 3), "7"),
    ],
)
def test_arrays_of_other_values_are_refused(array):
    with pytest.raises(ImageError, match="values that are not pixels"):
        from_array(array)


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
