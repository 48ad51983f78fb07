"""Images made small, as data URLs that every browser shows."""

import base64
import io
from dataclasses import dataclass
from threading import Lock

from PIL import Image

from imagette.assets import Sample
from imagette.errors import ImageError
from imagette.images.open_image import open_image

_PREVIEW_SIZE = (640, 640)
_THUMBNAIL_SIZE = (160, 160)
_LOSSLESS = 64  # pixels of the longer side
_RIGHT, _WRONG = (84, 130, 190), (224, 123, 36)

# A large picture takes hundreds of megabytes while it is decoded, so one is at a time.
_decoding = Lock()


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

    @property
    def content(self) -> bytes:
        """The file at `url`."""
        return base64.b64decode(self.url.partition(",")[2])


def sample_thumbnail(sample: Sample) -> str:
    """A sample, small, as a data URL."""
    with Image.open(sample.path) as image:
        small = image.convert("RGB").resize((144, 144), Image.Resampling.LANCZOS)
    return _data_url(small)


def confusion_url(counts: list[list[int]]) -> str:
    """A confusion matrix as a small image, a pixel for each cell, as a data URL.

    What is right is blue and what is wrong orange, the more opaque the larger its share of the row.
    """
    image = Image.new("RGBA", (len(counts), len(counts)))
    for row, cells in enumerate(counts):
        total = max(sum(cells), 1)
        for column, count in enumerate(cells):
            if count:
                colour = _RIGHT if row == column else _WRONG
                # The square root lets mistakes, which are few, be seen.
                image.putpixel((column, row), (*colour, round(255 * (count / total) ** 0.5)))
    file = io.BytesIO()
    image.save(file, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def preview(content: bytes) -> Preview | None:
    """A picture as every browser shows it; None if it cannot be made into that.

    Args:
        content: the bytes of a file that the API has accepted, so it is not too large.
    """
    try:
        with _decoding:
            image = open_image(content).to_rgb(at_least=max(_PREVIEW_SIZE))
            image.thumbnail(_PREVIEW_SIZE)
    except ImageError:  # the page then shows only what the network saw
        return None
    small = image.copy()
    small.thumbnail(_THUMBNAIL_SIZE)
    return Preview(_data_url(image), _data_url(small), *image.size)


def _data_url(image: Image.Image) -> str:
    file = io.BytesIO()
    # What is small is shown as it is: every one of its pixels counts.
    image.save(file, format="WEBP", lossless=max(image.size) <= _LOSSLESS)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
