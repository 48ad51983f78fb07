"""From an opened picture to upright 8-bit sRGB."""

from PIL import ExifTags, Image
from PIL.JpegImagePlugin import JpegImageFile

from imagette.images.colour import flatten, is_plain, to_plain
from imagette.images.greyscale import is_deep, to_8_bits
from imagette.images.jpeg import prepare_jpeg
from imagette.images.strips import reduce_in_strips

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # by EXIF orientation


def decode(image: Image.Image, is_users: bool, at_least: int | None) -> Image.Image:
    """Decode a picture and bring it, upright, to 8-bit sRGB.

    Args:
        image: it, opened.
        is_users: whether it was given as a PIL image, which is left as it is.
        at_least: as for `imagette.images.open_image.OpenedImage.to_rgb`.

    Raises:
        Exception: nearly any, as Pillow's readers do on damaged or hostile bytes.
    """
    if isinstance(image, JpegImageFile) and not is_users:
        image = prepare_jpeg(image, at_least)
    image.load()
    transposition, profile = _exif_transposition(image), image.info.get("icc_profile")
    small = _reduce(image, max(1, min(image.size) // at_least) if at_least else 1)
    if transposition is not None:
        small = small.transpose(transposition)
    rgb = flatten(small, profile)
    return rgb.copy() if is_users and rgb is image else rgb


def _exif_transposition(image: Image.Image) -> Image.Transpose | None:
    """What turns the picture upright, by EXIF; a damaged or unknown orientation turns nothing."""
    if image.format == "PNG" and not image.info:  # nothing is there but pixels
        return None
    try:
        return _TRANSPOSITIONS.get(image.getexif()[ExifTags.Base.Orientation])
    except Exception:
        return None


def _reduce(image: Image.Image, factor: int) -> Image.Image:
    """Bring any mode to a plain one, and every `factor` × `factor` pixels or so to their mean."""
    if factor == 1 and is_plain(image):
        return image
    return reduce_in_strips(image, factor, to_8_bits(image) if is_deep(image) else to_plain)
