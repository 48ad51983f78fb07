"""The page and the API's page for those who do not see well, or at all: light and dark, wide and
narrow, in both languages."""

import re

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


TOO_SMALL = """() => [...document.querySelectorAll("button, [role=radio]")]
    .filter(one => one.offsetParent && one.getBoundingClientRect().height < 24)
    .map(one => one.outerHTML)"""


def hold_to_it(page, language):
    """What is shown can be read, has names for screen readers, fits and can be touched."""
    assert faults(page) == []
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not page.evaluate(TOO_SMALL)
    assert page.evaluate("document.documentElement.lang") == language


def is_dark(page) -> bool:
    colour = page.get_by_test_id("stApp").evaluate("one => getComputedStyle(one).backgroundColor")
    return max(map(int, re.findall(r"\d+", colour)[:3])) < 100


@pytest.mark.slow
@pytest.mark.parametrize(("language", "scheme", "width"), READERS)
def test_every_tab(open_page, taught, expect, language, scheme, width):
    texts = TEXTS[language]
    page = open_page(taught.ui_port, language, width, color_scheme=scheme, has_touch=width < 400)
    expect(page.locator(".st-key-samples button").first).to_be_visible()
    hold_to_it(page, language)
    assert is_dark(page) == (scheme == "dark")

    press(page.locator(".st-key-samples button").first)
    expect(page.locator(".imagette-images .heat")).to_be_visible()
    upload_all(page, {"a.png": picture_file(), "b.png": picture_file((0, 0, 9)), "c.png": b"no"})
    expect(page.locator(".imagette-tiles")).to_be_visible()
    hold_to_it(page, language)

    press(page.get_by_role("link", name=texts.page_teach))
    expect(page.get_by_role("button", name=texts.teach_begin)).to_be_visible()
    hold_to_it(page, language)
    for place in (0, 1):
        page.locator(f".st-key-teach-name-{place} input").fill("ab"[place])
    press(page.get_by_role("button", name=texts.teach_begin))
    for place in (0, 1):
        expect(page.locator(f".st-key-teach-upload-{place}")).to_be_visible()
        picture = {"name": "a.png", "mimeType": "image/png", "buffer": stripes(9, place == 0)}
        page.locator(f".st-key-teach-upload-{place} input[type=file]").set_input_files([picture])
        expect(page.locator(f".st-key-teach-images-{place} button").first).to_be_visible()
    hold_to_it(page, language)

    for tab, shown in (
        (texts.page_model, ".imagette-confusion"),
        (texts.page_dataset, ".imagette-examples"),
    ):
        press(page.get_by_role("link", name=tab))
        expect(page.locator(shown).first).to_be_visible()
        wait_until_drawn(page)
        hold_to_it(page, language)


def test_page_of_the_api(browser, taught):
    page = browser.new_context().new_page()
    page.goto(f"http://127.0.0.1:{taught.port}/docs")
    page.locator("#operations-Pictures-predict_predict_post button").first.click()
    page.locator(".responses-wrapper").first.wait_for()
    assert faults(page, SWAGGERS_OWN) == []
