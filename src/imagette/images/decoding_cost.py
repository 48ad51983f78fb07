"""How much memory decoding a picture takes, told by its head before anything is decoded.

A pixel costs 1 byte in a grey PNG and 24 in a JPEG 2000 with transparency: most decoders give a
picture whole, and keep copies of it in forms of their own meanwhile. What stands here was measured,
and `tests/images/test_decoding_cost.py` measures again that no picture takes more.
"""

from typing import BinaryIO, cast

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imagette.images.jpeg import jpeg_scale
from imagette.images.jpeg_head import read_jpeg_head

# Bytes of a pixel in Pillow's memory; 4 in all other modes.
_IN_MEMORY = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16L": 2, "I;16B": 2, "I;16N": 2}

# What bringing a picture upright and to sRGB takes besides, per pixel of what is left of it once it
# is reduced: copies that are turned, converted by the profile, and laid over grey.
_FINISHING, _FINISHING_ALPHA = 13, 22

# A large picture is reduced a strip at a time (`strips.py`); deep grey is float64 meanwhile.
_STRIP_PIXELS = 1 << 20
_STRIP, _DEEP_STRIP = 10, 38

# By bits (8, or 10 and more) and how much of the colour is kept: what libheif takes with its own
# result, without and with transparency.
_HEIF = {
    (False, True): (4, 5),
    (False, False): (6, 9),
    (True, True): (5, 9),
    (True, False): (12, 17),
}

_BASE = 500_000
"""Bytes that any picture takes: tables, rows, and small objects."""

_FEW_PIXELS, _MOST_OF_A_PIXEL = 64 * 64, 100
"""Of so few pixels, each taken at the worst of any format, it does not matter what they are of."""


def decoding_bytes(image: Image.Image, pixels: int, file_bytes: int, at_least: int) -> int:
    """About how much memory decoding a picture takes at most.

    Args:
        image: it, just opened.
        pixels: how many are decoded at once; or another number, for what a picture of the same
            kind and proportions takes that has so many.
        file_bytes: the length of its file: decoders make copies of it.
        at_least: as for `imagette.images.open_image.OpenedImage.to_rgb`.
    """
    cost = _BASE + file_bytes
    if pixels <= _FEW_PIXELS:
        return cost + file_bytes + pixels * _MOST_OF_A_PIXEL
    share = pixels / (image.width * image.height)
    shorter = int(min(image.size) * share**0.5)
    if isinstance(image, JpegImageFile):
        scale = jpeg_scale(shorter, at_least)
        cost += file_bytes + int(_coefficients(image) * share)
        pixels, shorter = pixels // scale**2, shorter // scale
        decoder = 0.0
    else:
        decoder = _decoder_bytes(image) if isinstance(image, ImageFile) else 0.0
    factor = max(1, shorter // at_least)
    is_deep = image.mode.startswith("I") or image.mode == "F"
    cost += int(pixels * (_IN_MEMORY.get(image.mode, 4) + decoder) * 1.02)
    cost += min(pixels, _STRIP_PIXELS) * (_DEEP_STRIP if is_deep else _STRIP)
    has_alpha = image.mode in ("LA", "RGBA", "PA", "La", "RGBa") or image.has_transparency_data
    return cost + pixels // factor**2 * (_FINISHING_ALPHA if has_alpha else _FINISHING)


def most_pixels(
    image: Image.Image, pixels: int, file_bytes: int, at_least: int, max_bytes: int
) -> int:
    """About how many pixels such a picture may have so that decoding it takes no more memory.

    Args:
        image: as for `decoding_bytes`.
        pixels: likewise: more than it may have.
        file_bytes: likewise.
        at_least: likewise.
        max_bytes: how much memory there is.
    """
    while pixels and decoding_bytes(image, pixels, file_bytes, at_least) > max_bytes:
        pixels = pixels * 19 // 20
    return pixels


def _coefficients(image: JpegImageFile) -> int:
    """Bytes of the coefficients that a JPEG decoder keeps, however far it reduces the picture.

    One of several scans (a progressive one) is kept whole, 2 bytes a coefficient.
    """
    assert image.fp is not None
    place = image.fp.tell()
    image.fp.seek(0)
    head = read_jpeg_head(cast(BinaryIO, image.fp))
    image.fp.seek(place)
    if head is None or not (head.is_progressive or head.scan_components < len(image.layer)):
        return 0
    across, down = (max(layer[side] for layer in image.layer) for side in (1, 2))
    width, height = (
        -(-length // (8 * blocks)) * 8 * blocks
        for length, blocks in zip(image.size, (across, down), strict=True)
    )
    shares = sum(layer[1] * layer[2] for layer in image.layer) / (across * down)
    return int(2 * width * height * shares)


def _decoder_bytes(image: ImageFile) -> float:
    """Bytes a pixel that a decoder takes besides Pillow's own picture."""
    bands = len(image.getbands())
    has_alpha = bands in (2, 4)
    match image.format:
        case "WEBP":  # two canvases of RGBA, and the answer
            return 12
        case "AVIF":  # at its worst: all colour, 10 bits, grain
            return 20 if has_alpha else 15
        case "HEIF":
            kind = (image.info.get("bit_depth", 8) > 8, image.info.get("chroma", 420) == 420)
            return 1.7 if image.mode == "L" else _HEIF[kind][has_alpha]
        case "JPEG2000":  # 32 bits each channel, and the answer
            return bands * (6 if image.mode.startswith("I") else 5) + 0.2
        case "ICNS":  # may hold a JPEG 2000
            return 21
        case "SGI":
            return 2
    if isinstance(image, TiffImageFile):
        return _strip_bytes(image)
    # A decoder in Python gathers what it gives.
    return 5 if any(tile[0] in Image.DECODERS for tile in image.tile) else 0.5


def _strip_bytes(image: TiffImageFile) -> float:
    """Bytes a pixel of the strips or tiles of a TIFF: a single one may hold all of the picture."""
    tags = getattr(image, "tag_v2", {})  # gone with a file that was closed
    bits = tags.get(258, (8,))  # of each sample
    samples = tags.get(277, 1)
    return max(sum(bits) if len(bits) > 1 else bits[0] * samples, 8) / 8 + 0.5
