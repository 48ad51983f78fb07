"""What phones send to the page: photographs as its script leaves them, and what a camera sees."""

import io
import math
from pathlib import Path

from PIL import Image

from imagette.assets import list_samples

_TAKEN = (4000, 3000)  # pixels of a photograph: 12 megapixels
# As webapp/uploads.js has it: what it leaves as it is, and what it makes of the others.
_HEAVY = 15e5  # bytes
_LONGER, _SHORTER, _AREA = 2048, 1280, 16e6  # pixels
_UPLOAD_QUALITY = 92
# As webapp/live_camera.js has it, of a camera that is asked for 640 pixels.
_SEEN, _SEEN_QUALITY = (400, 300), 90


def make_photographs(names: list[str], count: int) -> list[list[bytes]]:
    """So many photographs of each class, as the page's script would send them.

    Returns:
        for each class its JPEG files. A phone would have taken them with 4000 x 3000 pixels, as
        files of some 3 MB.
    """
    samples = {Path(one.path).stem: one.path for one in list_samples()}
    kinds = []
    for name in names:
        with Image.open(samples[name]) as opened:
            image = opened.convert("RGB").resize(_TAKEN)
        kind = []
        for number in range(count):
            noise = Image.effect_noise(image.size, 30).convert("RGB")
            taken = Image.blend(image.rotate(3 * number - 15), noise, 0.25)
            kind.append(as_sent(as_jpeg(taken, 85)))
        kinds.append(kind)
    return kinds


def as_sent(photograph: bytes) -> bytes:
    """What the page's script sends of a JPEG file: a smaller one, if it is heavy.

    It has as many pixels and the same JPEG quality. Each new pixel is made of two by two old ones,
    much as in Chromium's canvas: of those tried here, this came closest to its files in bytes.
    """
    if len(photograph) <= _HEAVY:
        return photograph
    with Image.open(io.BytesIO(photograph)) as opened:
        short, long = sorted(opened.size)
        enough = max(_LONGER / long, _SHORTER / short)
        scale = min(1.0, enough, math.sqrt(_AREA / (short * long)))
        width, height = (round(side * scale) for side in opened.size)
        across, down = opened.width / width, opened.height / height
        affine, bilinear = Image.Transform.AFFINE, Image.Resampling.BILINEAR
        image = opened.transform((width, height), affine, (across, 0, 0, 0, down, 0), bilinear)
        smaller = as_jpeg(image, _UPLOAD_QUALITY)
    return min(smaller, photograph, key=len)


def as_seen(photograph: bytes) -> bytes:
    """What a camera that is held at a photograph sees, as the page's script sends it: a JPEG."""
    with Image.open(io.BytesIO(photograph)) as opened:
        return as_jpeg(opened.resize(_SEEN), _SEEN_QUALITY)


def as_jpeg(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()
