"""A picture made small, to be shown."""

import io

from PIL import Image

_TINY = 64
"""Of so few pixels a side each is seen, so all are kept nearly as they are."""


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
