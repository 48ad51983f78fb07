"""The same picture becomes the same pixels, or `PREPROCESS_VERSION` is another one.

Whatever was decoded before stays in people's caches under its version. So where pixels are to
change, raise the version and store the new ones:

    PYTHONPATH=src:tests python tests/images/test_version.py
"""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import quarters, swapped, written

from imagette.images.open_image import PREPROCESS_VERSION, open_image

STORED = Path(__file__).with_name("pixels.json")
"""The version, and by the name of a picture the pixels of each of its views, as hexadecimal."""

SIDE = 6


def pattern(height: int, width: int) -> np.ndarray:
    """Colours that differ everywhere: slow waves across, and a chessboard."""
    y, x = np.indices((height, width))
    waves = [x * 255 // width, y * 255 // height, (x + 2 * y) * 255 // (width + 2 * height)]
    return (np.stack(waves, axis=2) * 3 // 4 + (x + y)[..., None] % 2 * 40).astype(np.uint8)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def rounded(image: Image.Image) -> Image.Image:
    """The same, ever more transparent to the right."""
    image.putalpha(Image.linear_gradient("L").rotate(90).resize(image.size))
    return image


LARGE, SMALL = Image.fromarray(pattern(300, 400)), Image.fromarray(pattern(12, 9))
PALETTE = quarters().convert("P", palette=Image.Palette.ADAPTIVE)
DEEP = pattern(9, 9)[..., 1].astype(np.uint16) * 257 + 128  # a little more would round up
FLOATING = Image.fromarray(pattern(9, 9)[..., 0].astype(np.float32) * 3 - 100)

# By name: the picture, and what only rounds in another way from one build of Pillow to another.
PICTURES = {
    "large png, several views": (written(LARGE, "PNG"), 0),
    "small png": (written(SMALL, "PNG"), 0),
    "grey array of floating numbers": (pattern(20, 30)[..., 1] / 255, 0),
    "16-bit png": (written(Image.fromarray(DEEP), "PNG"), 0),
    "floating tiff": (written(FLOATING, "TIFF"), 0),
    "black and white png": (written(LARGE.convert("1"), "PNG"), 0),
    "cmyk tiff": (written(SMALL.convert("CMYK"), "TIFF"), 0),
    "palette with transparent entry": (written(PALETTE, "GIF", transparency=1), 0),
    "transparent png": (written(rounded(LARGE.convert("RGBA")), "PNG"), 0),
    "transparent grey png": (written(rounded(SMALL.convert("LA")), "PNG"), 0),
    "webp on its side": (written(SMALL, "WEBP", lossless=True, exif=turned(6)), 0),
    "mirrored tiff": (written(SMALL, "TIFF", exif=turned(5)), 0),
    "colour profile": (written(LARGE, "PNG", icc_profile=swapped()), 2),
    "jpeg": (written(SMALL, "JPEG", quality=90), 4),
    "large jpeg": (written(LARGE, "JPEG", quality=90), 4),
    "large progressive jpeg": (written(LARGE, "JPEG", quality=90, progressive=True), 4),
}


def pixels_of(picture) -> list[np.ndarray]:
    opened = open_image(picture)
    return [view.pixels for name in (None, "centre") for view in opened.views(SIDE, SIDE, name)]


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_change_with_the_version_alone(name):
    picture, tolerance = PICTURES[name]
    stored = json.loads(STORED.read_text("utf-8"))
    assert stored["version"] == PREPROCESS_VERSION, "Store the new pixels: see above."
    expected = [np.frombuffer(bytes.fromhex(view), np.uint8) for view in stored["pixels"][name]]
    found = [pixels.ravel() for pixels in pixels_of(picture)]
    np.testing.assert_allclose(
        np.array(found, np.int16),
        np.array(expected, np.int16),
        atol=tolerance,
        rtol=0,
        err_msg="Other pixels than before: raise PREPROCESS_VERSION, so that none are reused.",
    )


if __name__ == "__main__":
    if STORED.is_file() and json.loads(STORED.read_text("utf-8"))["version"] == PREPROCESS_VERSION:
        raise SystemExit(f"The pixels of version {PREPROCESS_VERSION} are stored: raise it first.")
    new = {name: [one.tobytes().hex() for one in pixels_of(PICTURES[name][0])] for name in PICTURES}
    STORED.write_text(json.dumps({"version": PREPROCESS_VERSION, "pixels": new}) + "\n", "utf-8")
