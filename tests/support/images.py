"""Pictures as real files, and what should come out of them."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from imagette.errors import ImageError
from imagette.images.open_image import to_pixels

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


def large_jpeg(width: int, height: int) -> bytes:
    """A JPEG, red to the left and blue to the right, made of one row of blocks again and again."""
    row = np.full((16, width, 3), RED, np.uint8)
    row[:, width // 2 :] = BLUE
    content = written(Image.fromarray(row), "JPEG", restart_marker_rows=1)
    head, blocks = re.fullmatch(rb"(.*\xff\xda.{12})(.*)\xff\xd9", content, re.DOTALL).groups()
    sides = struct.pack(">HH", height, width)
    head = re.sub(rb"(\xff\xc0\0\x11\x08)....", lambda m: m[1] + sides, head, flags=re.DOTALL)
    rows = (blocks + bytes([0xFF, 0xD0 + number % 8]) for number in range(-(-height // 16)))
    return head + b"".join(rows)[:-2] + b"\xff\xd9"


def noise(seed: int, height: int = 30, width: int = 40) -> bytes:
    """A PNG of random pixels: no other image is like it."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return written(Image.fromarray(pixels), "PNG")


def stripes(seed: int, upright: bool) -> bytes:
    """A PNG of stripes, one way or the other, each in colours of its own."""
    random = np.random.default_rng(seed)
    pixels = np.empty((96, 96, 3), np.uint8)
    pixels[:] = random.integers(150, 256, 3)
    pixels[:, np.arange(96) // 12 % 2 == seed % 2] = random.integers(0, 100, 3)
    return written(Image.fromarray(pixels if upright else pixels.swapaxes(0, 1)), "PNG")


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


DEEP_GREYS = np.array([[0, 2570], [32896, 65535]], dtype=np.uint16)  # 0, 10, 128 and 255 times 257
DEEP_EXPECTED = np.array([[0, 10], [128, 255]])[..., None].repeat(3, 2)


def blocks(values: np.ndarray) -> np.ndarray:
    return values.repeat(SIZE // 2, 0).repeat(SIZE // 2, 1)


def over_grey(colours: np.ndarray, alpha: float) -> np.ndarray:
    return np.rint(colours * alpha + 128 * (1 - alpha))


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


def profile(name: str = "sRGB", **replaced: bytes) -> bytes:
    """An ICC profile; `replaced` tags (by name) hold other bytes of the same length."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes())
    for tag, data in replaced.items():
        extent = tag_extent(content, tag.encode())
        assert len(data) == len(content[extent])
        content[extent] = data
    return bytes(content)


def tag_extent(content: bytes, tag: bytes) -> slice:
    """Where a tag's data lies in a profile (ICC.1, 7.3)."""
    entry = content.index(tag, 132)
    start, length = struct.unpack(">II", content[entry + 4 : entry + 12])
    return slice(start, start + length)


def swapped() -> bytes:
    """A profile in which red is what sRGB calls green, and the other way round."""
    content = profile()
    red, green = (content[tag_extent(content, tag)] for tag in (b"rXYZ", b"gXYZ"))
    return profile(rXYZ=green, gXYZ=red)


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


def refused(picture, **options) -> ImageError:
    with pytest.raises(ImageError) as caught:
        to_pixels(picture, SIZE, SIZE, **options)
    assert caught.value.problem.endswith(".")
    assert caught.value.remedy.endswith(".")
    return caught.value
