"""Previews of any image that Pillow reads."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support.images import noise, written

from imagette.images.colour import BACKGROUND
from imagette.webapp.previews import preview


def opened(url):
    assert url.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


MODES = {
    "PNG": ("1", "L", "LA", "RGBA", "I;16"),
    "GIF": ("P",),
    "BMP": ("RGB",),
    "JPEG": ("CMYK", "YCbCr"),
    "TIFF": ("I", "F"),
}


@pytest.mark.parametrize(("kind", "mode"), [(kind, mode) for kind in MODES for mode in MODES[kind]])
def test_every_mode(kind, mode):
    made = preview(written(Image.new(mode, (1000, 500)), kind))
    assert (made.width, made.height) == (640, 320)
    shown = opened(made.url)
    assert (shown.mode, shown.size) == ("RGB", (640, 320))
    assert opened(made.thumbnail).size == (160, 80)


def test_deep_grey_is_scaled_and_not_cut_off():
    grey = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    middle = np.asarray(opened(preview(written(grey, "PNG")).url)).mean()
    assert 120 < middle < 135


def test_transparency_is_laid_over_what_the_network_sees_it_over():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    shown = np.asarray(opened(preview(written(clear, "PNG")).url))
    np.testing.assert_allclose(shown, np.broadcast_to(BACKGROUND, shown.shape), atol=2)


def test_every_pixel_of_a_tiny_image_is_shown_as_it_is():
    content = noise(1, 32, 32)
    made = preview(content)
    assert made.content == base64.b64decode(made.url.partition(",")[2])
    pixels = [
        np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in (content, made.content)
    ]
    np.testing.assert_array_equal(*pixels)


def test_an_image_lying_on_its_side_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by a quarter turn
    lying = written(Image.new("RGB", (60, 20)), "JPEG", exif=exif)
    assert opened(preview(lying).url).size == (20, 60)


@pytest.mark.parametrize("content", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage"])
def test_what_cannot_be_shown_is_left_out(content):
    assert preview(content) is None
