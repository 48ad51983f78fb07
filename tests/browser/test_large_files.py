"""Large files: made smaller in the browser, or refused before they are sent, in its words."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support.acting import drop, upload
from support.images import BLUE, RED, large_jpeg, noise, written

from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


def sideways(width, height):
    """A photograph, red to the left and blue to the right, as a camera held upright stores it."""
    left, right = Image.new("RGB", (width, height), RED), Image.new("RGB", (width, height), BLUE)
    left.paste(right, (width // 2, 0))
    grain = np.random.default_rng(0).integers(0, 24, (height, width, 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    picture = Image.fromarray(np.asarray(left) + grain).transpose(Image.Transpose.ROTATE_270)
    return written(picture, "JPEG", quality=95, exif=exif)


def sizes_of_requests(page):
    sizes = []
    page.on(
        "requestfinished",
        lambda request: (
            sizes.append(len(request.post_data_buffer or b"")) if request.method == "PUT" else None
        ),
    )
    return sizes


def shown_colours(page):
    """Of the picture as it is shown, left and right."""
    content = page.locator(".imagette-images img").first.evaluate("image => image.src")
    image = Image.open(io.BytesIO(base64.b64decode(content.partition(",")[2]))).convert("RGB")
    return image.size, [image.getpixel((x * image.width // 4, image.height // 2)) for x in (1, 3)]


@pytest.mark.parametrize("way", [upload, drop])
def test_a_large_photograph_is_made_smaller_and_stays_upright(open_page, shipped, expect, way):
    page = open_page(shipped.ui_port)
    photo = sideways(2400, 1600)
    assert len(photo) > 1_500_000
    way(page, "photo.jpg", photo, "image/jpeg")
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    size, found = shown_colours(page)
    assert size == (640, 427)
    for colour, right in zip(found, (RED, BLUE), strict=True):
        assert max(abs(a - b - 12) for a, b in zip(colour, right, strict=True)) < 20


def test_fifty_megapixels_are_answered(open_page, server, expect):
    """As an API that takes a hundredth of it says, too."""
    page = open_page(server.ui_port, "fr")
    expect(page.get_by_text("0,3\u00a0Mo par image, et 200\u00a0mégapixels")).to_be_visible()
    photo = large_jpeg(8192, 6144)
    assert len(photo) > 700_000
    upload(page, "photo.jpg", photo, "image/jpeg")
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    assert shown_colours(page)[0] == (640, 480)


def test_what_did_not_get_through_is_told_in_french(open_page, server, expect):
    page = open_page(server.ui_port, "fr")
    page.route("**/_stcore/upload_file/**", lambda route: route.abort())
    upload(page, "a.png", noise(1))
    expect(page.get_by_role("status")).to_have_text(FR.not_sent)
    zone = page.get_by_test_id("stFileUploaderDropzone")
    assert FR.not_sent in zone.evaluate("zone => getComputedStyle(zone, '::after').content")
    assert page.get_by_text("Error").filter(visible=True).count() == 0
    page.unroute_all()
    page.get_by_test_id("stFileChipDeleteBtn").locator("svg").click()
    upload(page, "a.png", noise(1))
    expect(page.locator(".imagette-bars li")).to_have_count(10)


def test_what_is_too_large_is_not_sent_and_told_in_french(open_page, server, expect):
    page = open_page(server.ui_port, "fr")
    sizes = sizes_of_requests(page)
    drop(page, "film.mov", bytes(2_000_000), "video/quicktime")
    expect(page.get_by_role("alert")).to_have_text(
        "broken_image" + FR.problems["request-too-large"]
    )
    expect(page.get_by_role("heading", name="film.mov")).to_be_visible()
    assert max(sizes, default=0) < 2_000
    for english in ("File must", "Limit", "per file", "too large"):
        assert page.get_by_text(english).filter(visible=True).count() == 0
