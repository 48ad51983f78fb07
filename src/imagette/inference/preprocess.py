"""From any picture a person may send to the uint8 pixels a network takes.

The order is fixed: open, check the size, decode the first frame, turn it upright (EXIF), bring it
to 8-bit RGB (16-bit scaled, transparency laid over white), resize. Training on a folder of
pictures and answering about one picture both come through here, so they see the same pixels.
"""

import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from imagette.errors import PictureError

Picture = str | Path | bytes | Image.Image | NDArray
"""What a picture may come as: a path, a file's bytes, a PIL image, or an array."""

Box = tuple[float, float, float, float]

MAX_PIXELS = 50_000_000
"""Pictures with more pixels than this are refused before they are decoded (decompression bombs)."""

BACKGROUND = (255, 255, 255)
"""What shows through transparent pixels."""

SUFFIXES = frozenset([
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".ico", ".j2k", ".jfif", ".jp2", ".jpe", ".jpeg",
    ".jpg", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi", ".tga", ".tif", ".tiff",
    ".webp",
])  # fmt: skip
"""Endings by which a file in a folder is taken for a picture; contents decide how it is read."""

_WHOLE = (0.0, 0.0, 1.0, 1.0)

# Not pictures but programs, which Pillow would run through Ghostscript.
_UNSAFE_FORMATS = {"EPS"}


def to_pixels(
    picture: Picture, height: int, width: int, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Turn a picture into what a network takes.

    Args:
        picture: a path, a file's bytes, a PIL image, or an array (see `from_array`).
        height: rows of the result.
        width: columns of the result.
        max_pixels: refuse pictures with more pixels than this.

    Returns:
        uint8 `(height, width, 3)`, RGB. A picture of just that size keeps its pixels as they are;
        any other is squashed to it with an antialiasing (bicubic) filter.

    Raises:
        PictureError: the picture cannot be read, or has too many pixels.
    """
    return _reduce(to_rgb(picture, max_pixels), _WHOLE, height, width)


@dataclass(frozen=True)
class View:
    """One look at a picture.

    Attributes:
        pixels: uint8 `(height, width, 3)`, RGB, as the network takes them.
        box: left, top, right and bottom of what it shows, as shares of the picture's width and
            height.
        aspect: the picture's width by its height.
    """

    pixels: NDArray[np.uint8]
    box: Box
    aspect: float


def to_views(picture: Picture, height: int, width: int, max_pixels: int = MAX_PIXELS) -> list[View]:
    """Several looks at a picture: people's photographs have more in them than one thing.

    A picture of just the network's size, or less than twice as large, is looked at once, as by
    `to_pixels`. Any other also without its longer ends, and closer: see `_boxes`.

    Returns:
        One view or more; the first is what `to_pixels` gives.

    Raises:
        PictureError: the picture cannot be read, or has too many pixels.
    """
    image = to_rgb(picture, max_pixels)
    aspect = image.width / image.height
    boxes = _boxes(image, height, width)
    return [View(_reduce(image, box, height, width), box, aspect) for box in boxes]


def to_rgb(picture: Picture, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Open a picture and bring it, upright, to 8-bit RGB in its own size.

    Raises:
        PictureError: the picture cannot be read, or has too many pixels.
    """
    with warnings.catch_warnings():
        # Our own limit on pixels takes the place of Pillow's warnings.
        warnings.simplefilter("ignore")
        image = _open(picture)
        _check_size(picture, image, max_pixels)
        try:
            image.load()
            # A 16-bit PPM file comes as mode I, which does not say its range.
            if image.format == "PPM" and image.mode == "I":
                image = image.convert("I;16")
            return _flatten(_upright(image))
        # Pillow's readers raise nearly any exception on damaged or hostile bytes.
        except Exception as error:
            raise _unreadable(picture) from error


def from_array(array: NDArray) -> Image.Image:
    """Make a picture of an array.

    Args:
        array: `(height, width)`, or `(height, width, channels)` with 1, 3 (RGB) or 4 (RGBA)
            channels; uint8 in 0–255, uint16 in 0–65535, boolean, or floating in 0–1.

    Raises:
        PictureError: the array has another shape, type or range.
    """
    what = f"The array of shape {array.shape} and type {array.dtype}"
    remedy = (
        "Give (height, width, 3) as uint8 in 0–255 or as floating numbers in 0–1;"
        " for several pictures, give a list of arrays."
    )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise PictureError(f"{what} is not one picture.", remedy)
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if np.issubdtype(array.dtype, np.uint16):  # in either byte order
        return Image.fromarray(np.rint(array / 257).astype(np.uint8))
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        # NaN fails both comparisons, so it is refused too.
        if values.min() >= 0 and values.max() <= 1:
            return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    raise PictureError(f"{what} holds values that are not pixels.", remedy)


def find_pictures(folder: Path) -> list[Path]:
    """Files in `folder`, however deep, that look like pictures by their ending; hidden ones not."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
    ]


def _open(picture: Picture) -> Image.Image:
    """The picture as a PIL image, its pixels not decoded yet where it comes from a file."""
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, np.ndarray):
        return from_array(picture)
    if not isinstance(picture, str | Path | bytes):
        raise PictureError(
            f"A {type(picture).__name__} is not a picture.",
            "Give a path, the bytes of a file, a PIL image or an array.",
        )
    if isinstance(picture, str | Path) and not _is_file(picture):
        raise PictureError(f"There is no file {picture}.", "Check its name and folder.")
    if picture == b"" or (isinstance(picture, str | Path) and Path(picture).stat().st_size == 0):
        raise PictureError(f"{_name(picture)} is empty.", "Choose another one.")
    try:
        Image.preinit()  # before the rare formats, so that the common ones are tried first
        Image.init()
        formats = [name for name in Image.ID if name not in _UNSAFE_FORMATS]
        file = io.BytesIO(picture) if isinstance(picture, bytes) else picture
        return Image.open(file, formats=formats)
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{_name(picture)} has far too many pixels.",
            "Make it smaller and send it again.",
            too_large=True,
        ) from error
    except PermissionError as error:
        raise PictureError(
            f"{_name(picture)} may not be read.",
            "Give yourself the right to read it, then try again.",
        ) from error
    except Exception as error:
        raise _unreadable(picture) from error


def _is_file(path: str | Path) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # a name that is too long, say
        return False


def _check_size(picture: Picture, image: Image.Image, max_pixels: int) -> None:
    width, height = image.size
    if width * height == 0:
        raise PictureError(f"{_name(picture)} has no pixels.", "Choose another one.")
    if width * height > max_pixels:
        raise PictureError(
            f"{_name(picture)} has {width}×{height} pixels, more than the"
            f" {max_pixels / 1e6:g} million allowed.",
            "Make it smaller and send it again.",
            too_large=True,
        )


def _upright(image: Image.Image) -> Image.Image:
    """Turn the picture the way its EXIF orientation says; a damaged EXIF block turns nothing."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:
        return image


def _flatten(image: Image.Image) -> Image.Image:
    """Bring any mode Pillow knows to RGB."""
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_to_8_bit(np.asarray(image), image.mode))
    elif image.mode in ("La", "RGBa"):  # alpha already multiplied in
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, BACKGROUND)
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _to_8_bit(values: NDArray, mode: str) -> NDArray[np.uint8]:
    """Scale deep greyscale (modes I;16, I, F) to 0–255.

    16-bit pictures are scaled by their full range, so that a dark one stays dark. Modes I and F
    do not say their range: it is taken for 0–1 (F alone), 0–255 or 0–65535, the first that holds
    every value, and stretched from lowest to highest where none does.
    """
    numbers = np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)
    lowest, highest = float(numbers.min()), float(numbers.max())
    if mode.startswith("I;16"):
        ranges = [65535]
    else:
        ranges = [1, 255, 65535] if mode == "F" else [255, 65535]
    fitting = [top for top in ranges if lowest >= 0 and highest <= top]
    if fitting:
        return np.rint(numbers / fitting[0] * 255).astype(np.uint8)
    return np.rint((numbers - lowest) / max(highest - lowest, 1e-9) * 255).astype(np.uint8)


def _boxes(image: Image.Image, height: int, width: int) -> list[Box]:
    """What parts of a picture to look at, as shares of its size: all of it first.

    Then the largest part in the middle that has the network's proportions, and four fifths of
    that. Compared with other choices on photographs in docs/evaluation.md.
    """
    if min(image.width / width, image.height / height) < 2:
        return [_WHOLE]
    # The part in the network's proportions, as shares of the picture's width and height.
    across = min(1.0, image.height * width / (image.width * height))
    down = min(1.0, image.width * height / (image.height * width))
    return [_WHOLE, *(_in_the_middle(across * zoom, down * zoom) for zoom in (1.0, 0.8))]


def _in_the_middle(across: float, down: float) -> Box:
    return (1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2


def _reduce(image: Image.Image, box: Box, height: int, width: int) -> NDArray[np.uint8]:
    """A part of a picture in the network's size, smoothed before it shrinks."""
    if box != _WHOLE or image.size != (width, height):
        left, top, right, bottom = box
        part = left * image.width, top * image.height, right * image.width, bottom * image.height
        image = image.resize((width, height), Image.Resampling.BICUBIC, part)
    return np.asarray(image, dtype=np.uint8)


def _name(picture: Picture) -> str:
    return str(picture) if isinstance(picture, str | Path) else "The picture"


def _unreadable(picture: Picture) -> PictureError:
    return PictureError(
        f"{_name(picture)} cannot be read as a picture: it is damaged, cut short, or of a kind"
        " that is not known.",
        "Save it again as PNG or JPEG.",
    )
