"""Images made small, as data URLs that every browser shows."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from imagette.assets import Sample
from imagette.images.open import open_image

_PREVIEW_SIZE = (640, 640)
_THUMBNAIL_SIZE = (160, 160)


@dataclass(frozen=True)
class Preview:
    """An image as every browser shows it.

    Attributes:
        url: the image as a data URL, at most 640 pixels wide and high.
        thumbnail: the same at most 160 pixels wide and high.
        width: in pixels, of the one at `url`.
        height: in pixels, of the one at `url`.
    """

    url: str
    thumbnail: str
    width: int
    height: int


def sample_thumbnail(sample: Sample) -> str:
    """A sample, small, as a data URL."""
    with Image.open(sample.path) as image:
        small = image.convert("RGB").resize((144, 144), Image.Resampling.LANCZOS)
    return _data_url(small, "WEBP")


def preview(picture: bytes) -> Preview | None:
    """A picture as every browser shows it; None if it cannot be made into that.

    Args:
        picture: the bytes of a file that the API has accepted, so it is not too large.
    """
    try:
        opened = open_image(io.BytesIO(picture))
        opened.thumbnail(_PREVIEW_SIZE)
        image = _flatten(ImageOps.exif_transpose(opened))
    # Pillow raises nearly any exception; the page then shows only what the network saw.
    except Exception:
        return None
    small = image.copy()
    small.thumbnail(_THUMBNAIL_SIZE)
    return Preview(_data_url(image, "WEBP"), _data_url(small, "WEBP"), *image.size)


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any mode to RGB, deep greyscale by its full range, transparency over white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        top = 65535 if values.max() > 255 else 255 if values.max() > 1 else 1
        image = Image.fromarray((values / top * 255).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _data_url(image: Image.Image, kind: str) -> str:
    file = io.BytesIO()
    image.save(file, format=kind)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"
