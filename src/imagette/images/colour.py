"""Any mode and colour profile to sRGB, and what shows through transparent pixels."""

import io

import numpy as np
from PIL import Image, ImageCms

BACKGROUND = (128, 128, 128)
"""What shows through transparent pixels: grey, so that a dark drawing and a white logo both stay
visible, and the background speaks for no class. (The mean of natural photographs is near it too.)
"""

_PLAIN_MODES = {"L", "LA", "RGB", "RGBA", "CMYK", "LAB"}
_MODE_OF_SPACE = {"GRAY": "L", "RGB ": "RGB", "CMYK": "CMYK", "Lab ": "LAB"}

# All colours of five levels a channel: what a profile does to these, it does to any.
_PROBE = np.stack(np.meshgrid(*[np.arange(0, 256, 51, dtype=np.uint8)] * 3), axis=-1).reshape(
    1, -1, 3
)


def is_plain(image: Image.Image) -> bool:
    """Whether its channels can be averaged as they are."""
    in_a_channel = image.mode in ("LA", "RGBA")
    return image.mode in _PLAIN_MODES and (in_a_channel or not image.has_transparency_data)


def to_plain(image: Image.Image) -> Image.Image:
    """Bring a mode of 8 bits or fewer to one whose channels can be averaged."""
    if is_plain(image):
        return image
    if image.mode in ("La", "RGBa"):  # alpha already multiplied in
        return image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
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
