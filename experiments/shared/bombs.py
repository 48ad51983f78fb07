"""Small files that take much memory to decode, and requests that take much to receive."""

import gzip
import io
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

from PIL import Image

from imagette.images import formats  # noqa: F401  # has Pillow write HEIF
from shared.servers import Post


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def flat(side: int, mode: str, kind: str, **options: object) -> bytes:
    return written(Image.new(mode, (side, side), 7), kind, **options)


BOMBS: dict[str, Callable[[int], bytes]] = {
    "webp": lambda side: flat(side, "RGB", "WEBP", lossless=True, method=0),
    "png": lambda side: flat(side, "RGB", "PNG"),
    "jp2": lambda side: flat(side, "RGBA", "JPEG2000"),
    "avif": lambda side: flat(side, "RGBA", "AVIF", speed=10),
    # Its encoder's usual settings take a minute of work, and the file no longer to decode.
    "heif": lambda side: flat(side, "RGBA", "HEIF", chroma=444, enc_params={"preset": "ultrafast"}),
    "jpeg": lambda side: flat(side, "RGB", "JPEG", progressive=True, subsampling=0),
    "tiff": lambda side: flat(side, "F", "TIFF", compression="tiff_lzw"),
}
"""What makes the picture of each kind, of so many pixels a side, that costs most."""


@cache
def bomb(name: str, side: int) -> bytes:
    """The picture of a kind, made once a run."""
    return BOMBS[name](side)


HALF = 0.5
"""Of the most pixels: bombs of this share are sent in turn with the largest ones, which may be
refused before they are decoded."""


def several(picture: bytes, count: int) -> Post:
    """A request with the same picture many times."""
    head = b'--limit\r\nContent-Disposition: form-data; name="image"; filename="p"\r\n'
    body = (head + b"Content-Type: application/octet-stream\r\n\r\n" + picture + b"\r\n") * count
    headers = {"Content-Type": "multipart/form-data; boundary=limit"}
    return Post(body + b"--limit--\r\n", headers)


def post(body: bytes, **headers: str) -> Post:
    return Post(body, {"Content-Type": "image/png"} | headers)


def png_with_text(size: int) -> bytes:
    """A small PNG with a compressed text that unpacks to so many bytes."""
    data = b"zTXt" + b"a\0\0" + zlib.compress(bytes(size))
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    picture = flat(32, "RGB", "PNG")
    return picture[:33] + chunk + picture[33:]


def json_numbers(size: int) -> bytes:
    """Rows of pixels as numbers, and then white space, so many bytes in all."""
    pixels = ",".join(["[0.1,0.2,0.3]"] * 512)
    text = '{"image":[' + ",".join([f"[{pixels}]"] * 512) + "]}"
    return text.encode().ljust(size)


def icon_with(picture: bytes) -> bytes:
    """An icon (ICO) that says it is 32×32 and holds another picture."""
    return struct.pack("<3H4B2H2I", 0, 1, 1, 32, 32, 0, 0, 1, 32, len(picture), 22) + picture


FULL = 9_900_000
"""Bytes: a body a little below what is accepted."""

BODIES: dict[str, Callable[[int], list[Post]]] = {
    "noise": lambda _: [post(os.urandom(FULL))],
    "large-png": lambda _: [post(written(Image.effect_noise((3100, 3100), 99), "PNG"))],
    "json-numbers": lambda _: [post(json_numbers(FULL))],
    "json-lists": lambda _: [post(b'{"image":' + b"[" * 4_900_000 + b"]" * 4_900_000 + b"}")],
    "base64": lambda side: [post(b'{"image":"' + b"iVBORw0KGgo".ljust(FULL, b"A") + b'"}')],
    "chunked": lambda _: [post(os.urandom(FULL), **{"Transfer-Encoding": "chunked"})],
    "gzip": lambda _: [
        post(gzip.compress(bytes(size)), **{"Content-Encoding": "gzip"})
        for size in (FULL, 1_000_000_000)
    ],
    "gzip-json": lambda _: [
        post(gzip.compress(json_numbers(FULL)), **{"Content-Encoding": "gzip"})
    ],
    "png-text": lambda _: [post(png_with_text(64 << 20)), several(png_with_text(64 << 20), 64)],
    "icon": lambda side: [post(icon_with(flat(side, "RGB", "PNG")))],
}
"""What makes the requests of each kind that take most to receive, or to look at."""


def bombs(names: list[str], max_pixels: int) -> Iterator[tuple[str, list[Post]]]:
    """The requests of each bomb."""
    sides = [math.isqrt(int(max_pixels * share)) for share in (1, HALF)]
    for name in names:
        if name in BODIES:
            yield name, BODIES[name](sides[0])
            continue
        pictures = [bomb(name, side) for side in sides]
        yield name, [Post(one, {"Content-Type": "image/png"}) for one in pictures]
        if name == "webp":
            yield "64 webp in one request", [several(one, 64) for one in pictures]
