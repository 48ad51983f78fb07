"""More pictures than are answered in full: small ones, of which a click opens the answer."""

import pytest
from support.acting import press, upload_all
from support.images import noise
from support.running_server import picture_file

from imagette import Classifier
from imagette.webapp.sentences import answer_sentence
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]
HEIGHT = "document.querySelector('[data-testid=stMainBlockContainer]').offsetHeight"


def colours(count):
    """Pictures that are all different, by name."""
    return {
        f"{n:02}.png": picture_file((3 * n % 256, 90, 255 - 3 * n), (40, 30)) for n in range(count)
    }


def said(bundle_path, picture, texts):
    prediction = Classifier(bundle_path).predict(picture)
    names = Classifier(bundle_path).class_names_fr if texts is FR else None
    values = prediction.probabilities.values()
    pairs = zip(names or prediction.probabilities, values, strict=True)
    return answer_sentence(sorted(pairs, key=lambda pair: -pair[1]), None, texts)


@pytest.mark.parametrize(
    ("texts", "width", "count"), [(EN, 1280, 80), (FR, 390, 12)], ids=["eighty", "on a phone"]
)
def test_many_pictures_make_a_short_page(
    open_page, server, bundle_path, expect, texts, width, count
):
    page = open_page(server.ui_port, texts.language, width=width)
    files = colours(count - 1) | {"*bad*.png": b"no picture"}
    upload_all(page, files)
    tiles = page.locator(".st-key-tiles button")
    tiles.first.wait_for(timeout=120_000)
    expect(tiles).to_have_count(count)
    expect(page.get_by_role("heading", name=texts.many.format(count=count))).to_be_visible()
    expect(page.locator(".imagette-bars")).to_have_count(0)
    expect(page.get_by_role("alert")).to_contain_text("*bad*.png")
    expect(page.get_by_role("alert")).to_contain_text(texts.problems["unreadable-picture"])
    assert page.evaluate(HEIGHT) < 3_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    name = f"{count - 10:02}.png"
    press(tiles.nth(count - 10))
    answer = page.locator("h2.imagette-answer")
    expect(answer).to_have_text(said(bundle_path, files[name], texts))
    expect(page.locator(".imagette-name")).to_have_text(name)
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    expect(page.locator(".imagette-images .heat")).to_be_visible()
    expect(answer).to_be_in_viewport()
    assert page.evaluate(HEIGHT) < 4_300
    press(tiles.first)
    expect(page.locator(".imagette-name")).to_have_text("00.png")
    expect(answer).to_have_text(said(bundle_path, files["00.png"], texts))
    expect(page.locator("[class*=st-key-answer-]")).to_have_count(1)
    press(tiles.last)
    expect(page.locator("h2.imagette-name")).to_have_text("*bad*.png")


def test_the_keyboard_opens_an_answer_and_comes_back(open_page, server, expect):
    page = open_page(server.ui_port)
    upload_all(page, colours(6))
    tile = page.locator(".st-key-tiles button").nth(4)
    expect(tile).to_have_accessible_name("04.png: " + tile.inner_text())
    expect(tile).to_have_attribute("aria-expanded", "false")
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h2.imagette-answer")).to_be_focused()
    expect(tile).to_have_attribute("aria-expanded", "true")
    press(page.get_by_role("button", name=EN.close_answer))
    expect(page.locator(".imagette-bars")).to_have_count(0)
    expect(tile).to_be_focused()


def test_up_to_four_are_answered_in_full(open_page, server, expect):
    page = open_page(server.ui_port)
    upload_all(page, {f"{n}.png": noise(n) for n in range(4)})
    expect(page.locator(".imagette-bars")).to_have_count(4)
    expect(page.locator(".imagette-images .heat")).to_have_count(4)
    # One that was answered among many says what decided when it is looked at again.
    upload_all(page, colours(5))
    expect(page.locator(".st-key-tiles button")).to_have_count(5)
    press(page.locator(".st-key-history button").first)
    expect(page.locator(".imagette-images .heat")).to_have_count(1)
