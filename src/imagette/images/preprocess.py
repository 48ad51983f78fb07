"""From any picture a person may send to the uint8 pixels a network takes.

What happens to a picture, in this order and nowhere else, so that training on a folder of
pictures, evaluating and answering about one picture all see the same pixels:

1. **open**: the contents decide the format, whatever the name says (`imagette.images.open`).
2. **check**: too many pixels (decompression bombs), or none, are refused before any is decoded.
3. **decode** the first frame. Where the result may be much smaller than the picture, a JPEG is
   decoded at a half, a quarter or an eighth of its size, which is several times as fast.
4. **to 8 bits a channel**: 16-bit, 32-bit and floating greys are scaled, palettes looked up.
5. **reduce** by the mean over whole blocks of pixels, transparent ones counting for nothing.
6. **turn upright**, as EXIF says.
7. **colour to sRGB** by the ICC profile in the file. A damaged profile, or one for other kinds
   of colour than the picture's, is ignored. CMYK without a profile is converted plainly.
8. **transparency** over a neutral grey.
9. **resize** with an antialiasing (bicubic) filter.

What comes after step 5 works on a smaller picture, and steps 4 and 5 go through one that is to
become smaller in strips, so that no second copy of it is made.
"""

import io
import math
import re
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms, ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.TiffImagePlugin import TiffImageFile

from imagette.errors import ImageError
from imagette.images.open import open_image
from imagette.images.tiff import TILE_LENGTH, TILE_WIDTH

Picture = str | Path | bytes | Image.Image | NDArray
"""What a picture may come as: a path, a file's bytes, a PIL image, or an array."""

Box = tuple[float, float, float, float]

PREPROCESS_VERSION = 2
"""Raised when the same picture would become other pixels; part of the key of all that is kept."""

ViewName = Literal["whole", "centre"]
"""What of a picture a network is given: all of it, squashed to a square, or the largest square in
its middle."""

MAX_PIXELS = 50_000_000
"""Pictures with more pixels than this are refused before they are decoded (decompression bombs)."""

MAX_PIXELS_IN_PYTHON = 1_000_000
"""The same for the few formats (QOI, plain PPM, some DDS…) whose decoder in Pillow is Python code:
up to 5 seconds a million pixels."""

BACKGROUND = (128, 128, 128)
"""What shows through transparent pixels: grey, so that a dark drawing and a white logo both stay
visible, and the background speaks for no class. (The mean of natural photographs is near it too.)
"""

SUFFIXES = frozenset([
    ".apng", ".avif", ".bmp", ".dib", ".gif", ".heic", ".heif", ".hif", ".ico", ".j2k", ".jfif",
    ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pcx", ".pgm", ".png", ".pnm", ".ppm", ".qoi",
    ".tga", ".tif", ".tiff", ".webp",
])  # fmt: skip
"""Endings by which a file in a folder is taken for a picture; contents decide how it is read."""

_WHOLE = (0.0, 0.0, 1.0, 1.0)

# A picture is decoded and averaged to no less than this many times the network's size; the
# antialiasing filter does the rest, of the closest view from 4 times. The result is within about
# a level of 255 of the filter's alone.
_REDUCING_GAP = 5

# Each scan of a progressive JPEG costs a pass over all its pixels, and need not be longer than 70
# bytes: a few megabytes of them would take hours. Real files have about ten; libtiff's limit.
_MAX_JPEG_SCANS = 100
_SCAN = b"\xff\xda"
# With the length that its number of components asks for, or no decoder takes it: two bytes alone
# stand by chance in the film that a phone puts behind a picture.
_SCAN_HEADER = re.compile(_SCAN + rb"\x00[\x06\x08\x0a\x0c\x0e][\x00-\x04]")

# A scan of a progressive JPEG that holds no means of blocks (DC), only what is within them (AC):
# its header names one component and a first coefficient above 0 (ITU-T T.81, B.2.3 and G.1.1.1).
_AC_SCAN = re.compile(
    _SCAN + rb"\x00\x08\x01..[\x01-\x3f][\x01-\x3f]."
    rb"[^\xff]*+(?:\xff[\x00\xd0-\xd7][^\xff]*+)*+",
    re.DOTALL,
)

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation

_STRIP_PIXELS = 1 << 20
_PLAIN_MODES = {"L", "LA", "RGB", "RGBA", "CMYK", "LAB"}
_MODE_OF_SPACE = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}

# All colours of five levels a channel: what a profile does to these, it does to any.
_PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1).reshape(
    1, -1, 3
)


Turn = Callable[[int], AbstractContextManager[None]]
"""From a number of pixels to what is entered while they are decoded: a large picture takes hundreds
of megabytes then, and a server may want one at a time."""


def at_once(_: int) -> AbstractContextManager[None]:
    """Every picture is decoded without waiting."""
    return nullcontext()


def to_pixels(
    picture: Picture,
    height: int,
    width: int,
    max_pixels: int = MAX_PIXELS,
    turn: Turn = at_once,
    view: ViewName = "whole",
) -> NDArray[np.uint8]:
    """Turn a picture into what a network takes.

    Args:
        picture: a path, a file's bytes, a PIL image, or an array (see `from_array`).
        height: rows of the result.
        width: columns of the result.
        max_pixels: refuse pictures with more pixels than this.
        turn: as for `to_rgb`.
        view: what of the picture.

    Returns:
        uint8 `(height, width, 3)`, RGB. A picture of just that size keeps its pixels as they are;
        any other is brought to it with an antialiasing (bicubic) filter.

    Raises:
        ImageError: the picture cannot be read, or has too many pixels.
    """
    image = to_rgb(picture, max_pixels, _enough(height, width), turn)
    box = _WHOLE if view == "whole" else _central_box(image, height, width)
    return _reduce(image, box, height, width)


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


def to_views(
    picture: Picture,
    height: int,
    width: int,
    max_pixels: int = MAX_PIXELS,
    turn: Turn = at_once,
    view: ViewName | None = None,
) -> list[View]:
    """Several looks at a picture: people's photographs have more in them than one thing.

    Where a network has learned from one `view`, that is the only one. Otherwise a picture of just
    the network's size, or less than twice as large, is looked at once, as by
    `to_pixels`. Any other also without its longer ends, and closer: see `_boxes`.

    Returns:
        One view or more; without `view` the first is what `to_pixels` gives.

    Raises:
        ImageError: the picture cannot be read, or has too many pixels.
    """
    image = to_rgb(picture, max_pixels, _enough(height, width), turn)
    aspect = image.width / image.height
    if view is None:
        boxes = _boxes(image, height, width)
    else:
        boxes = [_WHOLE if view == "whole" else _central_box(image, height, width)]
    return [View(_reduce(image, box, height, width), box, aspect) for box in boxes]


def to_rgb(
    picture: Picture,
    max_pixels: int = MAX_PIXELS,
    at_least: int | None = None,
    turn: Turn = at_once,
) -> Image.Image:
    """Open a picture and bring it, upright, to 8-bit sRGB.

    Args:
        picture: a path, a file's bytes, a PIL image (left as it is), or an array.
        max_pixels: refuse pictures with more pixels than this.
        at_least: how many pixels of the shorter side are enough. A picture with at least twice
            as many may come back smaller, of nearly the same proportions, its shorter side no
            less than this; a JPEG is then decoded several times as fast. Anything else, and
            every picture if `at_least` is not given, keeps its size and its pixels.
        turn: gives for a number of pixels what is to be entered while so many are decoded.

    Raises:
        ImageError: the picture cannot be read, or has too many pixels.
    """
    with warnings.catch_warnings():
        # Our own limit on pixels takes the place of Pillow's warnings.
        warnings.simplefilter("ignore")
        image = _open(picture)
        with turn(_check_size(picture, image, max_pixels)):
            try:
                return _decode(image, image is picture, at_least)
            # Pillow's readers raise nearly any exception on damaged or hostile bytes.
            except Exception as error:
                raise _unreadable(picture) from error


def _decode(image: Image.Image, is_users: bool, at_least: int | None) -> Image.Image:
    """`to_rgb` of an image that is open; the user's own is left as it is."""
    if isinstance(image, JpegImageFile) and not is_users:
        image = _prepare_jpeg(image, at_least)
    image.load()
    transposition, profile = _turn(image), image.info.get("icc_profile")
    small = _reduced(image, max(1, min(image.size) // at_least) if at_least else 1)
    if transposition is not None:
        small = small.transpose(transposition)
    rgb = _flatten(small, profile)
    return rgb.copy() if is_users and rgb is image else rgb


def read_size(picture: Picture) -> tuple[int, int]:
    """Width and height in pixels, as the file says, before it is decoded.

    Raises:
        ImageError: the picture cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _open(picture).size


def from_array(array: NDArray) -> Image.Image:
    """Make a picture of an array.

    Args:
        array: `(height, width)`, or `(height, width, channels)` with 1, 3 (RGB) or 4 (RGBA)
            channels; uint8 in 0–255, uint16 in 0–65535, boolean, or floating in 0–1.

    Raises:
        ImageError: the array has another shape, type or range.
    """
    what = f"The array of shape {array.shape} and type {array.dtype}"
    remedy = (
        "Give (height, width, 3) as uint8 in 0–255 or as floating numbers in 0–1;"
        " for several pictures, give a list of arrays."
    )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or array.size == 0:
        raise ImageError(f"{what} is not one picture.", remedy)
    if array.dtype == np.uint8:
        return Image.fromarray(np.ascontiguousarray(array))
    if np.issubdtype(array.dtype, np.uint16):  # in either byte order
        return Image.fromarray(np.rint(array / 257).astype(np.uint8))
    if array.dtype == np.bool_ or np.issubdtype(array.dtype, np.floating):
        values = array.astype(np.float64)
        # NaN fails both comparisons, so it is refused too.
        if values.min() >= 0 and values.max() <= 1:
            return Image.fromarray(np.rint(values * 255).astype(np.uint8))
    raise ImageError(f"{what} holds values that are not pixels.", remedy)


def find_pictures(folder: Path) -> list[Path]:
    """Files in `folder`, however deep, that look like pictures by their ending; hidden ones not."""
    return [path for path in sorted(folder.rglob("*")) if is_picture(path)]


def is_picture(path: Path) -> bool:
    """Whether a path is a file that looks like a picture by its ending, and is not hidden."""
    return path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()


def _open(picture: Picture) -> Image.Image:
    """The picture as a PIL image, its pixels not decoded yet where it comes from a file."""
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, np.ndarray):
        return from_array(picture)
    if not isinstance(picture, str | Path | bytes):
        raise ImageError(
            f"A {type(picture).__name__} is not a picture.",
            "Give a path, the bytes of a file, a PIL image or an array.",
        )
    if isinstance(picture, str | Path) and not _is_file(picture):
        raise ImageError(f"There is no file {picture}.", "Check its name and folder.")
    if picture == b"" or (isinstance(picture, str | Path) and Path(picture).stat().st_size == 0):
        raise ImageError(f"{_name(picture)} is empty.", "Choose another one.")
    try:
        return open_image(io.BytesIO(picture) if isinstance(picture, bytes) else picture)
    except Image.DecompressionBombError as error:
        raise ImageError(
            f"{_name(picture)} has far too many pixels.",
            "Make it smaller and send it again.",
            too_large=True,
        ) from error
    except PermissionError as error:
        raise ImageError(
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


def _check_size(picture: Picture, image: Image.Image, max_pixels: int) -> int:
    """Refuse what has too many pixels; say how many are decoded at once."""
    width, height = image.size
    if width * height == 0:
        raise ImageError(f"{_name(picture)} has no pixels.", "Choose another one.")
    whole = kind = ""
    if any(tile[0] in Image.DECODERS for tile in getattr(image, "tile", [])):
        max_pixels, kind = min(max_pixels, MAX_PIXELS_IN_PYTHON), f" in a {image.format} file"
    if isinstance(image, TiffImageFile) and (decoded := _with_whole_tiles(image)) != image.size:
        (width, height), whole = decoded, " with its tiles whole"
    if width * height > max_pixels:
        raise ImageError(
            f"{_name(picture)} has {width}×{height} pixels{whole}, more than the"
            f" {max_pixels / 1e6:g} million allowed{kind}.",
            "Make it smaller and send it again.",
            too_large=True,
        )
    # These may hold a picture that is larger than they say.
    return max_pixels if image.format in ("ICO", "CUR", "ICNS", "AVIF") else width * height


def _with_whole_tiles(image: TiffImageFile) -> tuple[int, int]:
    """The width and height that are decoded: tiles are, however little of them a picture shows."""
    tags = getattr(image, "tag_v2", {})  # a copy of an image has none
    sizes = (tags.get(tag) for tag in (TILE_WIDTH, TILE_LENGTH))
    tile_width, tile_height = (size if isinstance(size, int) and size else 1 for size in sizes)
    columns, rows = -(-image.width // tile_width), -(-image.height // tile_height)
    return columns * tile_width, rows * tile_height


def _prepare_jpeg(image: ImageFile.ImageFile, at_least: int | None) -> Image.Image:
    """Have the decoder do no more work than a picture of that size needs.

    It gives a half, a quarter or an eighth of the size straight from the coefficients. An eighth
    is the mean of each block of 8×8: of a progressive file, the scans of all other coefficients,
    where most of its bytes and of the decoder's time are, can then be left out.
    """
    assert image.fp is not None
    first_scan = image.fp.tell()
    image.fp.seek(0)
    content = image.fp.read()
    if sum(1 for _ in _SCAN_HEADER.finditer(content)) > _MAX_JPEG_SCANS:
        raise ValueError("more scans than any camera or program writes")
    if at_least is None:
        return image
    if image.info.get("progressive") and min(image.size) // at_least >= 8:
        start = content.rfind(_SCAN, 0, first_scan)
        means = content[:start] + _AC_SCAN.sub(b"", content[start:])
        image = Image.open(io.BytesIO(means), formats=["JPEG"])
    image.draft(None, (at_least, at_least))
    return image


def _turn(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright, by EXIF; a damaged or unknown orientation turns nothing."""
    try:
        return _TURNS.get(image.getexif()[ExifTags.Base.Orientation])
    except Exception:
        return None


def _reduced(image: Image.Image, factor: int) -> Image.Image:
    """Bring any mode to a plain one, and every `factor` × `factor` pixels or so to their mean."""
    if factor == 1 and _is_plain(image):
        return image
    deep = image.mode.startswith("I") or image.mode == "F"
    black, white = _black_and_white(image) if deep else (0, 0)
    width, height = image.width // factor, image.height // factor
    step = image.height / height
    pieces = []
    for top, bottom in _strips(width, height, factor * factor):
        first, end = math.floor(top * step), math.ceil(bottom * step)
        strip = image.crop((0, first, image.width, end))
        plain = _to_8_bit(strip, black, white) if deep else _to_plain(strip)
        box = (0, top * step - first, image.width, bottom * step - first)
        pieces.append(plain.resize((width, bottom - top), Image.Resampling.BOX, box))
    small = Image.new(pieces[0].mode, (width, height))
    for (top, _), piece in zip(_strips(width, height, factor * factor), pieces, strict=True):
        small.paste(piece, (0, top))
    return small


def _strips(width: int, height: int, weight: int = 1) -> list[tuple[int, int]]:
    """First and last row (exclusive) of strips of about a million pixels, or fewer, if a pixel
    stands for `weight` of them."""
    rows = max(1, _STRIP_PIXELS // (width * weight))
    return [(top, min(top + rows, height)) for top in range(0, height, rows)]


def _is_plain(image: Image.Image) -> bool:
    in_a_channel = image.mode in ("LA", "RGBA")
    return image.mode in _PLAIN_MODES and (in_a_channel or not image.has_transparency_data)


def _to_plain(image: Image.Image) -> Image.Image:
    """Bring a mode of 8 bits or fewer to one whose channels can be averaged."""
    if _is_plain(image):
        return image
    if image.mode in ("La", "RGBa"):  # alpha already multiplied in
        return image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _black_and_white(image: Image.Image) -> tuple[float, float]:
    """The values of deep greyscale (modes I;16, I, F) that are black and white.

    16-bit pictures are scaled by their full range, so that a dark one stays dark. Modes I and F
    do not say their range: it is taken for 0–1 (F alone), 0–255 or 0–65535, the first that holds
    every value, and stretched from lowest to highest where none does.
    """
    # A 16-bit PPM file comes as mode I.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        return 0, 65535
    extremes = []
    for top, bottom in _strips(*image.size):
        numbers = _numbers(image.crop((0, top, image.width, bottom)))
        extremes += [float(numbers.min()), float(numbers.max())]
    lowest, highest = min(extremes), max(extremes)
    for top in (1, 255, 65535) if image.mode == "F" else (255, 65535):
        if lowest >= 0 and highest <= top:
            return 0, top
    return lowest, max(highest, lowest + 1e-9)


def _to_8_bit(image: Image.Image, black: float, white: float) -> Image.Image:
    scaled = (_numbers(image) - black) / (white - black) * 255
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _numbers(image: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Bring a plain mode to sRGB, by its profile if it has one, transparency over grey."""
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    rgb = _to_srgb(image, profile) if profile else image
    if rgb.mode != "RGB":
        rgb = rgb.convert("RGB")
    if alpha is None:
        return rgb
    background = Image.new("RGB", image.size, BACKGROUND)
    background.paste(rgb, mask=alpha)
    return background


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Convert by an ICC profile; the picture as it is, if the profile does not fit or is sRGB's."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODE_OF_SPACE[source.profile.xcolor_space]
        if image.mode == "L" and mode == "RGB":  # grey kept with the profile it had in colour
            image = image.convert("RGB")
        if image.mode != mode:
            return image
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        if mode == "RGB" and _changes_nothing(transform):
            return image
        return transform.apply(image)
    # A profile is bytes from anywhere, too; the colours without it are nearly always good enough.
    except Exception:
        return image


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether it is sRGB to sRGB but for rounding, so that exact pixels stay as they are."""
    after = np.asarray(transform.apply(Image.fromarray(_PROBE)), dtype=np.int16)
    return bool(np.abs(after - _PROBE).max() <= 2)


def _enough(height: int, width: int) -> int:
    """How long the shorter side of a picture must be for a network of that size."""
    return _REDUCING_GAP * max(height, width)


def _boxes(image: Image.Image, height: int, width: int) -> list[Box]:
    """What parts of a picture to look at, as shares of its size: all of it first.

    Then the largest part in the middle that has the network's proportions, and four fifths of
    that. Compared with other choices on photographs in docs/explanation/trust.md.
    """
    if min(image.width / width, image.height / height) < 2:
        return [_WHOLE]
    left, top, right, bottom = _central_box(image, height, width)
    return [_WHOLE, *(_in_the_middle((right - left) * z, (bottom - top) * z) for z in (1.0, 0.8))]


def _central_box(image: Image.Image, height: int, width: int) -> Box:
    """The largest part in the middle of the network's proportions, as shares of the size."""
    across = min(1.0, image.height * width / (image.width * height))
    down = min(1.0, image.width * height / (image.height * width))
    return _in_the_middle(across, down)


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


def _unreadable(picture: Picture) -> ImageError:
    return ImageError(
        f"{_name(picture)} cannot be read as a picture: it is damaged, cut short, or of a kind"
        " that is not known.",
        "Save it again as PNG or JPEG.",
    )
