"""Which pictures are accepted, and opening one without harm, whatever it holds."""

import io
import math
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO

from numpy import ndarray
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imagette.errors import ImageError
from imagette.images.array import from_array
from imagette.images.icons import MAX_PIXELS_IN_ICON, check_icon
from imagette.images.jpeg import jpeg_scale
from imagette.images.jpeg_head import check_jpeg
from imagette.images.signatures import first_bytes, what_else
from imagette.images.tiff import check_tiff, decoded_size

with suppress(ImportError):  # the extra `heif`
    import pillow_heif

    pillow_heif.register_heif_opener(thumbnails=False)

ImageInput = str | Path | bytes | Image.Image | NDArray
"""What a picture may come as: a path, a file's bytes, a PIL image, or an array."""

MAX_PIXELS = 50_000_000
"""Pictures with more pixels than this are refused before they are decoded (decompression bombs)."""

JPEG_FACTOR = 4
"""So many times as many a JPEG may have, as those of phones do: its decoder gives a half of its
sides or less, and never holds the whole picture."""

MAX_PIXELS_IN_PYTHON = 1_000_000
"""The same for the few formats (QOI, plain PPM, some DDS…) whose decoder in Pillow is Python code:
up to 5 seconds a million pixels."""

SUFFIXES = frozenset([
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2k", ".jfif",
    ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi",
    ".tga", ".tif", ".tiff", ".webp",
])  # fmt: skip
"""Endings by which a file in a folder is taken for a picture before it is opened; contents decide
about files with others, and how any is read."""

# Not here: PostScript, a program that Pillow would have Ghostscript run; what needs another program
# to be read; what holds a whole file of any kind (IPTC), or a JPEG that no limit sees (BLP); and
# what nobody sends.
_FORMATS = frozenset([
    "AVIF", "BMP", "CUR", "DCX", "DDS", "DIB", "FLI", "GIF", "HEIF", "ICNS", "ICO", "IM",
    "JPEG", "JPEG2000", "MSP", "PCX", "PNG", "PPM", "PSD", "QOI", "SGI", "SPIDER", "SUN", "TGA",
    "TIFF", "WEBP", "XBM", "XPM",
])  # fmt: skip

_PNG_ALONE, _JPEG_ALONE = ("PNG",), ("JPEG",)
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
"""How the files of the two formats begin that nearly all pictures have, and no others do: Pillow
need not try its other readers."""

# Of damaged pictures, whose errors are told, and of large ones, which have limits here. Not by
# `warnings.catch_warnings`, which threads must not use at the same time.
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_file(file: str | Path | BinaryIO) -> Image.Image:
    """Open a picture by its contents; its pixels are not decoded yet.

    Args:
        file: a path, or an open file at its beginning.

    Raises:
        Exception: nearly any, as Pillow's readers do on what they cannot read.
    """
    if isinstance(file, str | Path):
        with Path(file).open("rb") as opened:
            formats = _possible_formats(opened)
    else:
        formats = _possible_formats(file)
    if formats == _PNG_ALONE:  # what `Image.open` comes to in the end
        return PngImageFile(file)
    if formats == _JPEG_ALONE:  # likewise, but for a limit that is not ours
        return JpegImageFile(file)
    return Image.open(file, formats=formats)


def _possible_formats(file: BinaryIO) -> tuple[str, ...]:
    """Check the head of a file; which of Pillow's readers to try. The file is left at its
    beginning."""
    head = file.read(len(_PNG))
    file.seek(0)
    if head == _PNG:
        return _PNG_ALONE
    if head.startswith(_JPEG):
        check_jpeg(file)
        return _JPEG_ALONE
    check_tiff(file)
    check_icon(file)
    return _all_formats()


@cache
def _all_formats() -> tuple[str, ...]:
    Image.preinit()  # before the rare formats, so that the common ones are tried first
    Image.init()
    return tuple(name for name in Image.ID if name in _FORMATS)


def open_input(image: ImageInput) -> Image.Image:
    """The picture as a PIL image, its pixels not decoded yet where it comes from a file.

    Raises:
        ImageError: there is no such file, or it cannot be read as a picture.
    """
    if isinstance(image, Image.Image):
        return image
    if isinstance(image, ndarray):
        return from_array(image)
    if not isinstance(image, str | Path | bytes):
        raise ImageError(
            f"A {type(image).__name__} is not a picture.",
            "Give a path, the bytes of a file, a PIL image or an array.",
        )
    if isinstance(image, str | Path) and not _is_file(image):
        raise ImageError(f"There is no file {image}.", "Check its name and folder.")
    if image == b"" or (isinstance(image, str | Path) and Path(image).stat().st_size == 0):
        raise ImageError(f"{_name(image)} is empty.", "Choose another one.")
    try:
        return open_file(io.BytesIO(image) if isinstance(image, bytes) else image)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{_name(image)} has far too many pixels.",
            "Make it smaller and send it again.",
            too_large=True,
        ) from error
    except PermissionError as error:
        raise ImageError(
            f"{_name(image)} cannot be read: permission denied.",
            "Change its permissions, then try again.",
        ) from error
    except Exception as error:
        raise unreadable(image) from error


def check_size(source: ImageInput, image: Image.Image, max_pixels: int, at_least: int) -> int:
    """Refuse what has too many pixels, or none.

    Args:
        source: what the picture came as; a message names it if it is a path.
        image: the same, opened.
        max_pixels: how many it may have; a JPEG `JPEG_FACTOR` times as many, if no more than this
            come out of its decoder.
        at_least: as for `imagette.images.open_image.OpenedImage.to_rgb`.

    Returns:
        How many are decoded at once.

    Raises:
        ImageError: it has too many, or none.
    """
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{_name(source)} has no pixels.", "Choose another one.")
    whole = kind = ""
    remedy = "Make it smaller and send it again."
    if isinstance(image, JpegImageFile):
        max_pixels *= min(jpeg_scale(min(image.size), at_least) ** 2, JPEG_FACTOR)
    elif width * height <= JPEG_FACTOR * max_pixels:
        remedy = "Make it smaller, or save it as JPEG, and send it again."
    if any(tile[0] in Image.DECODERS for tile in getattr(image, "tile", [])):
        max_pixels, kind = min(max_pixels, MAX_PIXELS_IN_PYTHON), f" in a {image.format} file"
    if isinstance(image, TiffImageFile) and (decoded := decoded_size(image)) != image.size:
        (width, height), whole = decoded, " with its tiles whole"
    if width * height > max_pixels:
        raise ImageError(
            f"{_name(source)} has {width}×{height} pixels{whole}, more than the"
            f" {max_pixels / 1e6:g} million allowed{kind}.",
            remedy,
            too_large=True,
        )
    # These may hold a picture that is larger than they say.
    return MAX_PIXELS_IN_ICON if image.format in ("ICO", "CUR", "ICNS") else width * height


def too_costly(source: ImageInput, image: Image.Image, pixels: int, most: int) -> ImageError:
    """What is wrong with a picture that takes too much memory to decode.

    Args:
        source: what the picture came as.
        image: the same, opened.
        pixels: how many are decoded at once.
        most: how many it might have.
    """
    kind = f"{image.mode} {image.format}" if image.format else image.mode
    instead = "save it as JPEG"
    if image.format == "JPEG":  # a baseline one takes next to nothing
        kind, instead = f"progressive {kind}", "save it as a JPEG that is not progressive"
    allowed = math.floor(most / 1e5) / 10
    return ImageError(
        f"{_name(source)} has {pixels / 1e6:.1f} million pixels, more than the {allowed:g} million"
        f" that there is memory for in such a file ({kind}).",
        f"Make it smaller, or {instead}, and send it again.",
        too_large=True,
    )


def unreadable(source: ImageInput) -> ImageError:
    """What is wrong with a picture that no reader can make sense of."""
    head = source if isinstance(source, bytes) else b""
    if isinstance(source, str | Path):
        head = first_bytes(Path(source))
    if told := what_else(head):
        what, do = told
        name = source if isinstance(source, str | Path) else "The file"
        return ImageError(f"{name} is {what}, not a picture: {do}.", "Then try again.")
    return ImageError(
        f"{_name(source)} cannot be read as a picture: it is damaged, cut short, or of a kind"
        " that is not known.",
        "Save it again as PNG or JPEG.",
    )


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name that is too long, say
        return False


def _name(source: ImageInput) -> str:
    return str(source) if isinstance(source, str | Path) else "The picture"
