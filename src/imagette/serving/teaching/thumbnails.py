"""The small pictures that a lesson is shown by: made once, and kept beside its pictures."""

import base64
from contextlib import suppress
from pathlib import Path

from PIL import Image

from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.images.thumbnail import make_thumbnail

SIDE = 96
"""Most pixels of a side."""


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
                content = make_thumbnail(image, SIDE)
            with suppress(ImagetteError):  # of a full disk: it is made again the next time
                write_bytes(kept, content)
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}" if content else ""
