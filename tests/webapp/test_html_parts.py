"""Previews of any picture that Pillow reads, and HTML that holds words as words."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from imagette.images.colour import BACKGROUND
from imagette.webapp import html_parts
from imagette.webapp.html_parts import Preview, preview
from imagette.webapp.texts import ENGLISH


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, format=kind, **options)
    return file.getvalue()


def opened(url):
    assert url.startswith("data:image/webp;base64,")
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("1", "PNG"),
        ("L", "PNG"),
        ("LA", "PNG"),
        ("P", "GIF"),
        ("RGB", "BMP"),
        ("RGBA", "PNG"),
        ("CMYK", "JPEG"),
        ("YCbCr", "JPEG"),
        ("I;16", "PNG"),
        ("I", "TIFF"),
        ("F", "TIFF"),
    ],
)
def test_every_mode(mode, kind):
    picture = saved(Image.new(mode, (1000, 500)), kind)
    made = preview(picture)
    assert (made.width, made.height) == (640, 320)
    shown = opened(made.url)
    assert (shown.mode, shown.size) == ("RGB", (640, 320))
    assert opened(made.thumbnail).size == (160, 80)


def test_deep_grey_is_scaled_and_not_cut_off():
    grey = Image.fromarray(np.full((20, 20), 32768, np.uint16))
    middle = np.asarray(opened(preview(saved(grey, "PNG")).url)).mean()
    assert 120 < middle < 135


def test_transparency_is_laid_over_what_the_network_sees_it_over():
    clear = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    shown = np.asarray(opened(preview(saved(clear, "PNG")).url))
    np.testing.assert_allclose(shown, np.broadcast_to(BACKGROUND, shown.shape), atol=2)


def test_a_picture_lying_on_its_side_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by a quarter turn
    assert opened(preview(saved(Image.new("RGB", (60, 20)), "JPEG", exif=exif)).url).size == (
        20,
        60,
    )


@pytest.mark.parametrize("content", [b"", b"text", b"%!PS-Adobe-3.0 EPSF-3.0\nshowpage"])
def test_what_cannot_be_shown_is_left_out(content):
    assert preview(content) is None


NASTY = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "html",
    [
        html_parts.text("h2", "answer", NASTY),
        html_parts.bars([(NASTY, 0.5), ("b", 0.5)], "en", ENGLISH),
        html_parts.pictures(
            Preview("data:,", "data:,", 2, 1),
            "data:,",
            "data:,",
            NASTY,
            NASTY,
            {"height": 32, "width": 32},
            ENGLISH,
        ),
        html_parts.tiles([html_parts.Tile("a", "data:,", NASTY)]),
        html_parts.table([NASTY], [[NASTY, NASTY]], NASTY),
        html_parts.confusion([[1, 0], [0, 1]], [NASTY, "b"], "en", ENGLISH),
        html_parts.examples(NASTY, ["data:,"], ENGLISH),
        html_parts.bullets([NASTY]),
    ],
)
def test_names_of_classes_and_files_are_text_and_never_markup(html):
    assert "&lt;img" in html
    assert NASTY not in html


def test_many_classes_are_folded_away():
    ranking = [(f"class {place}", 0.02) for place in range(50)]
    html = html_parts.bars(ranking, "en", ENGLISH)
    assert html.count("<li>") == 50
    assert html.index("class 9<") < html.index("40 other classes") < html.index("class 10<")
