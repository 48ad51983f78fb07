"""The small pictures that a lesson is shown by: made once, and kept beside its pictures."""

import base64
import io
from contextlib import suppress
from pathlib import Path

from PIL import Image

from imagette.errors import ImagetteError
from imagette.files import write_bytes

_SIDE = 96


def make_thumbnail(image: Image.Image) -> bytes:
    """A picture, small, as a JPEG file of some 3 kB.

    Args:
        image: RGB; it is left as it is.
    """
    small = image.copy()
    small.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    small.save(file, format="JPEG", quality=85)
    return file.getvalue()


def read_thumbnail(kept: Path, picture: Path) -> str:
    """A small picture, as a data URL; it is made where an earlier version kept none.

    Args:
        kept: where it is kept.
        picture: the PNG file that it is made from.

    Returns:
        The URL; empty if the picture was taken away meanwhile.
    """
    content = b""
    with suppress(OSError):
        try:
            content = kept.read_bytes()
        except FileNotFoundError:
            with Image.open(picture, formats=["PNG"]) as image:
                content = make_thumbnail(image)
            with suppress(ImagetteError):  # of a full disk: it is made again the next time
                write_bytes(kept, content)
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}" if content else ""
