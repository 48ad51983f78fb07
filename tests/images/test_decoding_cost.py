"""How much memory decoding takes, told beforehand."""

import io
import json
import re
import struct
import subprocess
import sys

import pytest
from PIL import Image, features
from support.images import BLUE, RED, large_jpeg, swapped, written

from imagette.errors import ImageError
from imagette.images.open_image import open_image

MEASURE = r"""
import ctypes, json, platform, re, sys
from pathlib import Path
from imagette.images.open_image import open_image
from imagette.serving.memory import hand_back_freed_memory

hand_back_freed_memory()

def held(name):
    return int(re.search(name + r":\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024

for path in sys.argv[1:]:
    content = Path(path).read_bytes()
    for _ in range(2):  # the first time, libraries are loaded too
        Path("/proc/self/clear_refs").write_text("5")
        before = held("VmRSS")
        opened = open_image(content, at_least=160)
        told = opened.decoding_bytes
        opened.views(32, 32)
        taken = held("VmHWM") - before
    print(json.dumps([path, taken, told]))
"""

SIZE = (1300, 1000)
EVERY = [
    *[("PNG", mode, {}) for mode in ("RGB", "RGBA", "LA", "L", "P", "1", "I;16")],
    *[
        ("JPEG", mode, {"progressive": progressive, "subsampling": subsampling})
        for mode, subsampling in (("RGB", 0), ("RGB", 2), ("L", 0), ("CMYK", 0))
        for progressive in (False, True)
    ],
    *[("WEBP", mode, {"lossless": lossless, "method": 0})
      for mode in ("RGB", "RGBA") for lossless in (False, True)],
    *[("JPEG2000", mode, {}) for mode in ("RGB", "RGBA", "L", "LA", "I;16")],
    *[("TIFF", mode, {}) for mode in ("RGB", "RGBA", "L", "1", "I;16", "I", "F", "CMYK", "LAB")],
    *[("TIFF", mode, {"compression": "tiff_lzw", "strip_size": 1 << 30})
      for mode in ("RGB", "RGBA", "F")],
    *[(kind, "RGB", {}) for kind in ("BMP", "PPM", "SGI", "TGA", "PCX", "IM")],
    *[("GIF", "P", {}), ("SPIDER", "F", {}), ("XBM", "1", {}), ("ICNS", "RGBA", {})],
    *[("AVIF", mode, {"speed": 10, "subsampling": "4:4:4"})
      for mode in ("RGB", "RGBA") if features.check("avif")],
]  # fmt: skip
"""Formats, modes, and how they are written."""


def colour(mode: str):
    return {"RGB": (90, 120, 200), "RGBA": (90, 120, 200, 128), "LA": (90, 128)}.get(mode, 1)


def heif(mode: str, chroma: int) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file, pixel = io.BytesIO(), b"\0\x40" if ";" in mode else b"\x40"
    bands = len(mode.split(";")[0])
    pixels = pixel * (SIZE[0] * SIZE[1] * bands)
    pillow_heif.encode(mode, SIZE, pixels, file, quality=20, chroma=chroma)
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tells memory in /proc")
def test_no_picture_takes_more_than_is_told(tmp_path):
    files = {}
    for number, (kind, mode, options) in enumerate(EVERY):
        image = Image.new(mode, SIZE, colour(mode))
        files[f"{number}-{kind}-{mode}"] = written(image, kind, **options)
    for mode in ("RGB", "RGBA", "RGB;16", "RGBA;16"):
        for chroma in (420, 444):
            files[f"HEIF-{mode}-{chroma}"] = heif(mode, chroma)
    # Not reduced, for its shorter side; turned and converted as a whole.
    turned, long = Image.Exif(), Image.new("RGBA", (9000, 300), colour("RGBA"))
    turned[0x0112] = 6
    files["long"] = written(long, "PNG", exif=turned, icc_profile=swapped())
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = [str(tmp_path / name) for name in files]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == len(files)
    for path, taken, told in found:
        # Beside the picture, pages of the process come and go.
        assert taken < told + 3_000_000, path
        assert told < 4 * taken + 40_000_000, path


def jpeg(width: int, height: int, **options) -> bytes:
    """The head of a photograph, and no picture."""
    small = written(Image.new("RGB", (16, 16)), "JPEG", **options)
    size = struct.pack(">HH", height, width)
    return re.sub(rb"(\xff[\xc0\xc2]\0\x11\x08)....", lambda m: m[1] + size, small, flags=re.DOTALL)


OF_A_WORKER = 590_000_000
"""Bytes for one picture in 2 GiB with two workers, if a part is kept for small ones."""


@pytest.mark.parametrize("side", [160, 1120])
def test_photographs_of_phones_are_taken(side):
    for content in (jpeg(8160, 6120), jpeg(8160, 6120, progressive=True)):
        open_image(content, at_least=side, max_bytes=OF_A_WORKER)
    png = written(Image.new("RGB", (4032, 3024)), "PNG")
    open_image(png, at_least=side, max_bytes=OF_A_WORKER)


def test_a_baseline_jpeg_costs_what_is_left_of_it():
    cost = open_image(jpeg(8160, 6120), at_least=160).decoding_bytes
    assert cost < open_image(jpeg(8160, 6120, progressive=True), at_least=160).decoding_bytes / 5
    in_several_scans = jpeg(8160, 6120).replace(b"\xff\xda\0\x0c\x03", b"\xff\xda\0\x08\x01")
    assert open_image(in_several_scans, at_least=160).decoding_bytes > 5 * cost


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="tells memory in /proc")
def test_200_megapixels_of_a_phone_take_less_than_a_png_of_10(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(large_jpeg(16320, 12240))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "photo.jpg")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    _, taken, told = json.loads(done.stdout)
    assert taken < told + 3_000_000
    assert told < 40_000_000


def test_a_jpeg_may_have_200_megapixels_of_which_no_more_than_50_are_decoded():
    small = open_image(large_jpeg(8192, 6144)).to_rgb(160)
    assert min(small.size) >= 160
    for place, colour in ((0.2, RED), (0.8, BLUE)):
        found = small.getpixel((int(place * small.width), small.height // 2))
        assert max(abs(a - b) for a, b in zip(found, colour, strict=True)) <= 3
    open_image(jpeg(16320, 12240))
    open_image(jpeg(60_000, 1_100), at_least=160)
    # Too many, or too narrow to be reduced.
    for width, height in ((16_400, 12_240), (60_000, 1_100)):
        with pytest.raises(ImageError, match=f"{width}×{height} pixels, more than the") as caught:
            open_image(jpeg(width, height))
        assert caught.value.too_large


def test_a_progressive_jpeg_that_takes_too_much_is_told_what_would_help():
    error = refused_for(jpeg(16320, 12240, progressive=True), OF_A_WORKER)
    assert "199.8 million pixels" in error.problem
    assert "progressive" in error.problem
    assert "save it as a JPEG that is not progressive" in error.remedy


def test_a_picture_that_takes_too_much_is_refused_in_megapixels():
    content = written(Image.new("RGBA", (2000, 1500)), "JPEG2000")
    error = refused_for(content, 50_000_000)
    assert "3.0 million pixels" in error.problem
    allowed = float(re.search(r"than the ([\d.]+) million", error.problem)[1])
    assert 0.5 < allowed < 3.0
    side = int((allowed * 1e6) ** 0.5)
    smaller = written(Image.new("RGBA", (side, side)), "JPEG2000")
    open_image(smaller, max_bytes=50_000_000)
    assert "JPEG2000" in error.problem


def refused_for(content: bytes, max_bytes: int):
    with pytest.raises(Exception, match="memory") as caught:
        open_image(content, max_bytes=max_bytes)
    assert caught.value.too_large
    return caught.value
