"""The page and the API's page for those who do not see well, or at all: light and dark, wide and
narrow, in both languages."""

import pytest
from support.accessibility import faults
from support.acting import press, upload_all, wait_until_drawn
from support.images import stripes
from support.running_server import picture_file

from imagette.webapp.texts import TEXTS

READERS = [("en", "light", 1280), ("fr", "dark", 390)]

SWAGGERS_OWN = ("nested-interactive", "select-name")
"""Swagger UI lays buttons that copy a path or link to it into the one that opens an operation, and
gives the choices of a parameter no label."""


@pytest.mark.slow
@pytest.mark.parametrize(("language", "scheme", "width"), READERS)
def test_every_tab(open_page, taught, expect, language, scheme, width):
    texts = TEXTS[language]
    page = open_page(taught.ui_port, language, width, color_scheme=scheme)
    expect(page.locator(".st-key-samples button").first).to_be_visible()
    assert faults(page) == []

    press(page.locator(".st-key-samples button").first)
    expect(page.locator(".imagette-images .heat")).to_be_visible()
    upload_all(page, {"a.png": picture_file(), "b.png": picture_file((0, 0, 9)), "c.png": b"no"})
    expect(page.locator(".imagette-tiles")).to_be_visible()
    assert faults(page) == []

    press(page.get_by_role("link", name=texts.page_teach))
    expect(page.get_by_role("button", name=texts.teach_begin)).to_be_visible()
    assert faults(page) == []
    for place in (0, 1):
        page.locator(f".st-key-teach-name-{place} input").fill("ab"[place])
    press(page.get_by_role("button", name=texts.teach_begin))
    for place in (0, 1):
        expect(page.locator(f".st-key-teach-upload-{place}")).to_be_visible()
        picture = {"name": "a.png", "mimeType": "image/png", "buffer": stripes(9, place == 0)}
        page.locator(f".st-key-teach-upload-{place} input[type=file]").set_input_files([picture])
        expect(page.locator(f".st-key-teach-images-{place} button").first).to_be_visible()
    assert faults(page) == []

    for tab, shown in (
        (texts.page_model, ".imagette-confusion"),
        (texts.page_dataset, ".imagette-examples"),
    ):
        press(page.get_by_role("link", name=tab))
        expect(page.locator(shown).first).to_be_visible()
        wait_until_drawn(page)
        assert faults(page) == []


def test_page_of_the_api(browser, taught):
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{taught.port}/docs")
    page.locator("#operations-Pictures-predict_predict_post button").first.click()
    page.locator(".responses-wrapper").first.wait_for()
    assert faults(page, SWAGGERS_OWN) == []
