"""Opening a file of a picture, whatever it holds, without harm."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from imagette.images.tiff import check_tiff

with suppress(ImportError):  # the extra `heif`
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)

# Not here: PostScript, a program that Pillow would have Ghostscript run; what needs another program
# to be read; what holds a whole file of any kind (IPTC), or a JPEG that no limit sees (BLP); and
# what nobody sends.
_FORMATS = frozenset([
    "AVIF", "BMP", "CUR", "DCX", "DDS", "DIB", "FLI", "GIF", "HEIF", "ICNS", "ICO", "IM",
    "JPEG", "JPEG2000", "MSP", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA",
    "TIFF", "WEBP", "XBM", "XPM",
])  # fmt: skip


def open_image(file: str | Path | BinaryIO) -> Image.Image:
    """Open a picture by its contents; its pixels are not decoded yet.

    Args:
        file: a path, or an open file at its beginning.

    Raises:
        Exception: nearly any, as Pillow's readers do on what they cannot read.
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            check_tiff(opened)
    else:
        check_tiff(file)
    Image.preinit()  # before the rare formats, so that the common ones are tried first
    Image.init()
    return Image.open(file, formats=[name for name in Image.ID if name in _FORMATS])
