"""Files that look like pictures: small valid ones of every kind, and what can be done to them."""

import io
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from random import Random
from typing import Any

from PIL import Image, ImageCms

_SIZE = (19, 13)
_MODES = ("RGB", "RGBA", "L", "LA", "P", "PA", "1", "I;16", "I", "F", "CMYK", "YCbCr", "LAB", "HSV")
_LARGEST_SEED = 8192

# Extra options by format, each a file of its own beside the plain one.
_OPTIONS: dict[str, list[dict]] = {
    "JPEG": [{"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}],
    "PNG": [{"compress_level": 0}],
    "TIFF": [{"compression": c} for c in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg",
                                          "lzma", "zstd")],
    "WEBP": [{"lossless": True}],
    "ICO": [{"bitmap_format": "bmp"}],
    "TGA": [{"compression": "tga_rle"}],
    "DDS": [{"pixel_format": f} for f in ("DXT1", "DXT5", "BC5")],
    "JPEG2000": [{"irreversible": True}, {"no_jp2": True}],
}  # fmt: skip


@cache
def seeds() -> tuple[bytes, ...]:
    """Small valid files of every format, mode and option that Pillow here can write."""
    Image.init()
    _register_heif()
    files = []
    for format_ in sorted(Image.SAVE):
        files += [_written(_pattern(mode), format_) for mode in _MODES]
        files += [_written(_pattern("RGB"), format_, **more) for more in _OPTIONS.get(format_, [])]
    files.append(_written(_pattern("1"), "TIFF", compression="group4"))
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "x" * 20
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    frames = {"save_all": True, "append_images": [_pattern("RGB")] * 2}
    for format_ in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF", "MPO", "GIF", "HEIF"):
        for options in ({"exif": exif}, {"icc_profile": profile}, frames):
            files.append(_written(_pattern("RGB"), format_, **options))
    return tuple(dict.fromkeys(file for file in files if 0 < len(file) <= _LARGEST_SEED))


def _register_heif() -> None:
    with suppress(ImportError):
        import pillow_heif

        pillow_heif.register_heif_opener()


def _pattern(mode: str) -> Image.Image:
    width, height = _SIZE
    pixels = bytes((7 * i * i) % 251 for i in range(width * height * 3))
    image = Image.frombytes("RGB", _SIZE, pixels)
    if mode == "LAB":
        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.buildTransform(srgb, lab, "RGB", "LAB").apply(image)
    if mode in ("LA", "PA", "I", "F", "I;16"):
        image = image.convert("P" if mode == "PA" else "L")
    return image.convert(mode)


def _written(image: Image.Image, format_: str, **options: Any) -> bytes:
    file = io.BytesIO()
    try:
        image.save(file, format_, **options)
    except Exception:  # a mode or an option that the format does not have
        return b""
    return file.getvalue()


def damaged(random: Random) -> tuple[str, bytes]:
    """A file made of valid ones, and the kind of damage; the same for the same `random`."""
    kind = random.choice(sorted(_DAMAGES))
    return kind, _DAMAGES[kind](random)


def _truncated(random: Random) -> bytes:
    file = random.choice(seeds())
    return file[: random.randrange(len(file))]


def _flipped(random: Random) -> bytes:
    file = bytearray(random.choice(seeds()))
    for _ in range(random.choice((1, 1, 2, 4, 16, 64))):
        # Most damage near the start, where the headers are.
        place = int(random.random() ** random.choice((1, 3)) * len(file))
        file[place] ^= 1 << random.randrange(8)
    return bytes(file)


def _lying(random: Random) -> bytes:
    """Numbers of headers replaced by extreme ones."""
    file = bytearray(random.choice(seeds()))
    for _ in range(random.choice((1, 1, 2, 3))):
        number = random.choice((0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 31))
        size = random.choice([s for s in (1, 2, 4, 8) if number < 1 << (8 * s)])
        place = int(random.random() ** 3 * len(file))
        file[place : place + size] = number.to_bytes(size, random.choice(("big", "little")))
    return bytes(file)


def _spliced(random: Random) -> bytes:
    """A stretch of one file within another, or of the same again, several times."""
    host, guest = random.choice(seeds()), random.choice(seeds())
    if random.random() < 0.5:
        guest = host
    start = random.randrange(len(guest))
    stretch = guest[start : start + random.randrange(1, 400)] * random.choice((1, 1, 2, 50))
    place = random.randrange(len(host))
    return host[:place] + stretch + host[place + random.choice((0, len(stretch))) :]


def _polyglot(random: Random) -> bytes:
    """What several programs take for theirs."""
    first, second = random.choice(seeds()), random.choice(seeds())
    other = random.choice((
        b"<html><script>alert(1)</script>", b"PK\3\4" + bytes(26), b"%PDF-1.7\n", b"GIF89a=1;/*",
        b"#!/bin/sh\n", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"<svg/>", b"MZ",
        b"BM", b"\xff\xd8\xff\xe0", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypheic", b"\0\0\1\0\1\0",
    ))  # fmt: skip
    return random.choice((
        first + second, first[: random.randrange(1, 64)] + second, other + first, first + other,
        other + random.randbytes(random.randrange(300)),
    ))  # fmt: skip


def _noise(random: Random) -> bytes:
    head = random.choice(seeds())[: random.randrange(1, 40)]
    return head + random.randbytes(random.choice((0, 1, 10, 1000)))


def _bomb(random: Random) -> bytes:
    return random.choice(_BOMBS)(random)


def _png(
    width: int, height: int, colour_type: int, rows: bytes, *chunks: tuple[bytes, bytes]
) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )


def _bomb_of_pixels(random: Random) -> bytes:
    """Declares up to four thousand million pixels, with as many, few or none behind it."""
    side = random.choice((1100, 1500, 7000, 7100, 30_000, 65_535))
    rows = min(side * (side + 1), 3_000_000) * random.choice((0, 1))
    return _png(side, side, 0, bytes(rows))


def _bomb_of_text(random: Random) -> bytes:
    """Compressed text or a compressed colour profile of many megabytes."""
    data = zlib.compress(bytes(random.choice((100_000, 20_000_000))), 9)
    kind, head = random.choice(
        ((b"zTXt", b"k\0\0"), (b"iCCP", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"))
    )
    chunks = [(kind, head + data)] * random.choice((1, 5))
    return _png(8, 8, 0, bytes(72), *chunks)


def _bomb_in_an_icon(random: Random) -> bytes:
    inside = _bomb_of_pixels(random)
    count = random.choice((1, 2, 200))
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inside), 6 + 16 * count)
    return struct.pack("<HHH", 0, 1, count) + entry * count + inside


def _bomb_of_runs(random: Random) -> bytes:
    """A QOI file that is nothing but runs: 62 pixels a byte, decoded in Python."""
    width = random.choice((900, 1100, 60_000))
    head = b"qoif" + struct.pack(">IIBB", width, width, 3, 0)
    return head + b"\xfe\1\2\3" + b"\xfd" * (min(width, 900) ** 2 // 62) + b"\0" * 7 + b"\1"


def _bomb_of_scans(random: Random) -> bytes:
    """A progressive JPEG with the same scan over and over."""
    file = _scanned()
    scan = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + scan * random.choice((10, 90, 5000)) + file[-2:]


@cache
def _scanned() -> bytes:
    return _written(Image.new("RGB", (1000, 1000), (9, 99, 199)), "JPEG", progressive=True)


def _bomb_of_frames(random: Random) -> bytes:
    frames = [Image.new("P", (random.choice((1, 300)),) * 2, n % 256) for n in range(200)]
    return _written(frames[0], random.choice(("GIF", "TIFF")), save_all=True,
                    append_images=frames[1:])  # fmt: skip


def _bomb_of_tiles(random: Random) -> bytes:
    """A TIFF whose tiles or strips are all the same few bytes, or are said to be a megabyte."""
    side, count = random.choice((16, 2000, 7000)), random.choice((2, 200, 20_000, 300_000))
    tile = _zeros(side * side)
    size = random.choice((len(tile), 1_000_000))
    first, second = random.choice(((273, 279), (324, 325)))  # strips, tiles
    places = 200
    sizes = places + 4 * count
    tags = [
        (256, 1, 1), (257, 1, side * count), (258, 1, 8), (259, 1, random.choice((1, 8))),
        (262, 1, 1), (266, 1, random.choice((1, 2))), (277, 1, 1), (322, 1, side), (323, 1, side),
        (first, count, places), (second, count, sizes),
    ]  # fmt: skip
    head = struct.pack("<4sIH", b"II*\0", 8, len(tags))
    head += b"".join(struct.pack("<HHII", tag, 4, *rest) for tag, *rest in sorted(tags))
    place = struct.pack("<I", sizes + 4 * count)
    return head.ljust(places, b"\0") + place * count + struct.pack("<I", size) * count + tile


@cache
def _zeros(count: int) -> bytes:
    return zlib.compress(bytes(count))


_BOMBS = (_bomb_of_pixels, _bomb_of_text, _bomb_in_an_icon, _bomb_of_runs, _bomb_of_scans,
          _bomb_of_frames, _bomb_of_tiles)  # fmt: skip
_DAMAGES: dict[str, Callable[[Random], bytes]] = {
    "truncated": _truncated,
    "bits flipped": _flipped,
    "lying headers": _lying,
    "spliced": _spliced,
    "polyglot": _polyglot,
    "noise": _noise,
}


def bomb(random: Random) -> tuple[str, bytes]:
    """A small file that asks for much memory or time."""
    return "bomb", _bomb(random)
