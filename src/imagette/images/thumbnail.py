"""A picture made small, to be shown or kept, with nothing of its file but the pixels."""

import io

from PIL import Image

from imagette.images.open_image import OpenedImage

_TINY = 64
"""Of so few pixels a side each is seen, so all are kept nearly as they are."""


def plain_pixels(opened: OpenedImage, side: int) -> Image.Image:
    """A picture upright, in RGB and reduced, with nothing else of what its file says.

    Args:
        opened: the picture.
        side: most pixels of its width and of its height.

    Raises:
        ImageError: the picture cannot be read.
    """
    image = opened.to_rgb(side)
    image.thumbnail((side, side))
    pixels = Image.new("RGB", image.size)  # a copy would take along what else is in the file
    pixels.paste(image)
    return pixels


def make_thumbnail(image: Image.Image, side: int) -> bytes:
    """A picture, small, as a JPEG file that holds pixels and nothing else: neither where nor when
    it was taken, nor by whom.

    Args:
        image: RGB; it is left as it is.
        side: most pixels of its width and of its height.
    """
    small = image.copy()
    small.info.clear()  # Pillow would write what the picture's own file said besides its pixels
    small.thumbnail((side, side))
    file = io.BytesIO()
    if max(small.size) > _TINY:
        small.save(file, format="JPEG", quality=85)
    else:
        small.save(file, format="JPEG", quality=95, subsampling=0)
    return file.getvalue()
