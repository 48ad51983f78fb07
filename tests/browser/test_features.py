"""What else the page offers, in front of a model that ships and its dataset."""

import csv
import re
from contextlib import suppress

import pytest
from support.acting import press, upload, upload_all
from support.images import noise
from support.running_server import picture_file, wait_until

from imagette import Classifier
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


NOISE = noise(0, 64, 96)


@pytest.mark.slow
def test_several_pictures_at_once_one_of_them_damaged(open_page, shipped, expect):
    page = open_page(shipped.ui_port)
    blue = picture_file((0, 0, 200))
    files = {"red.png": picture_file(), "bad.png": b"no picture", "blue.png": blue}
    upload_all(page, files)
    expect(page.locator(".imagette-tiles li")).to_have_count(3)
    expect(page.locator(".imagette-bars")).to_have_count(2)
    expect(page.get_by_role("alert")).to_contain_text(EN.problems["unreadable-picture"])
    for name in files:
        expect(page.get_by_text(name, exact=True)).to_be_visible()
    expect(page.locator(".imagette-tiles li").nth(1)).to_contain_text(EN.no_answer)


@pytest.mark.slow
@pytest.mark.parametrize("texts", [EN, FR])
def test_none_of_these_is_said_plainly(open_page, shipped, expect, texts):
    assert Classifier("cifar10-lite").predict(NOISE).known is False
    page = open_page(shipped.ui_port, texts.language)
    upload(page, "noise.png", NOISE)
    expect(page.locator("h2.imagette-answer")).to_have_text(texts.none_of_these)
    expect(page.locator(".imagette-closest")).to_contain_text(texts.closest.split("{")[0])
    expect(page.get_by_text(texts.how_probable_unknown)).to_be_visible()
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    expect(page.get_by_text(texts.familiarity_unknown)).to_be_visible()
    assert "50" in page.locator(".imagette-familiarity .gauge").get_attribute("aria-label")


def test_the_heat_map_lies_over_the_picture_and_its_slider_fades_it(open_page, shipped, expect):
    page = open_page(shipped.ui_port)
    upload(page, "noise.png", NOISE)
    heat = page.locator(".imagette-images .heat")
    expect(heat).to_be_visible()
    rectangle = "image => JSON.stringify(image.getBoundingClientRect())"
    both = page.locator(".imagette-images .stack img")
    places = both.evaluate_all(f"images => images.map({rectangle})")
    assert len(places) == 2
    assert places[0] == places[1]
    assert heat.get_attribute("src").startswith("data:image/png")
    slider = page.get_by_label(EN.opacity)

    def opacity():
        return float(heat.evaluate("image => getComputedStyle(image).opacity"))

    slider.fill("100")
    full = opacity()
    slider.fill("0")
    assert opacity() == 0
    assert full > 0.9
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert 0 < opacity() < 0.2


def test_the_history_comes_back_downloads_and_is_forgotten(open_page, shipped, expect):
    page = open_page(shipped.ui_port)
    expect(page.get_by_text(EN.history, exact=True)).to_have_count(0)
    files = {"red.png": picture_file(), "=noise.png": NOISE}
    for number, (name, content) in enumerate(files.items(), start=1):
        upload(page, name, content)
        expect(page.locator(".st-key-history button")).to_have_count(number)
    with page.expect_download() as download:
        press(page.get_by_role("button", name=EN.download))
    assert download.value.suggested_filename == "imagette.csv"
    text = download.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(text.splitlines()))
    # What a spreadsheet would run as a formula is quoted.
    assert [row["picture"] for row in rows] == ["red.png", "'=noise.png"]
    for row, content in zip(rows, files.values(), strict=True):
        expected = Classifier("cifar10-lite").predict(content)
        assert row["class"] == expected.label
        assert float(row["confidence"]) == pytest.approx(expected.confidence, abs=1e-4)
        assert row["known"] == str(expected.known)
        assert float(row["p_cat"]) == pytest.approx(expected.probabilities["cat"], abs=1e-4)

    expect(page.locator("h2.imagette-answer")).to_have_text(EN.none_of_these)
    press(page.locator(".st-key-history button").last)  # the first picture again
    shown = page.locator(".imagette-images img").first
    expect(shown).to_have_attribute("alt", re.compile("red.png"))
    press(page.get_by_role("button", name=EN.forget))
    expect(page.locator(".imagette-bars")).to_have_count(0)
    expect(page.get_by_text(EN.history, exact=True)).to_have_count(0)


def test_the_gallery_shows_the_datasets_own_pictures(open_page, shipped, expect):
    page = open_page(shipped.ui_port, "fr")
    expect(page.locator(".st-key-samples button")).to_have_count(8)
    press(page.get_by_text(FR.gallery))
    ship = page.get_by_role("button", name="bateau", exact=True)
    press(ship.or_(page.get_by_role("radio", name="bateau", exact=True)).first)
    press(page.get_by_role("button", name=FR.example.format(name="bateau", number=3)))
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    seen = page.locator(".imagette-images img.seen")
    assert seen.evaluate("image => image.naturalWidth") == 32


def test_the_camera_takes_a_picture(open_page, shipped, expect):
    page = open_page(shipped.ui_port, permissions=["camera"])
    press(page.get_by_role("button", name=EN.camera))
    take = page.get_by_test_id("stCameraInputButton")
    expect(take).to_be_enabled()
    # Not wait_for_function: it evaluates a text, which the page does not allow.
    wait_until(lambda: page.evaluate("document.querySelector('video')?.readyState === 4"))
    bars = page.locator(".imagette-bars li")
    for _ in range(3):  # a busy machine's camera may not have a picture yet
        take.click()
        with suppress(AssertionError):
            expect(bars).to_have_count(10, timeout=8_000)
            break
    expect(bars).to_have_count(10)
    press(page.get_by_role("button", name=EN.camera_close))
    expect(take).to_have_count(0)


def test_the_page_on_the_model(open_page, shipped, expect):
    page = open_page(shipped.ui_port)
    expect(page.locator("[aria-current]")).to_have_text(EN.page_predict)
    press(page.get_by_role("link", name=EN.page_model))
    expect(page.locator("[aria-current]")).to_have_text(EN.page_model)
    accuracy = Classifier("cifar10-lite").metadata.accuracy
    expect(page.locator(".imagette-figure")).to_have_text(f"{accuracy:.1%}")
    cells = page.locator(".imagette-confusion td")
    expect(cells.first).to_be_visible()
    counts = [int(text.replace(",", "")) for text in cells.all_inner_texts() if text[:1].isdigit()]
    assert sum(counts) == 10_000
    assert len(counts) > 10  # an empty cell says none
    for title in (EN.confusion, EN.reliability, EN.per_class, EN.curves, EN.limits):
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_visible()
    # Reliability, and the curves of accuracy and of loss.
    charts = page.locator("[data-testid=stVegaLiteChart]")
    expect(charts).to_have_count(3)
    for chart in charts.all():
        expect(chart.locator("canvas, svg").first).to_be_visible()
    expect(page.get_by_text(EN.limit_wrong)).to_be_visible()


def test_the_page_on_the_data(open_page, shipped, expect):
    page = open_page(shipped.ui_port, "fr", path="data")
    expect(page.get_by_role("heading", name=FR.dataset_title)).to_be_visible()
    expect(page.locator(".imagette-examples img")).to_have_count(100)
    expect(page.locator(".imagette-table")).to_contain_text(
        "avion4\u202f5005001\u202f0006\u202f000"
    )
    press(page.get_by_role("link", name=FR.ask_about))
    expect(page.get_by_text(FR.introduction)).to_be_visible()


def test_without_its_dataset_the_page_says_what_the_model_says(open_page, server, expect):
    page = open_page(server.ui_port, path="data")
    expect(page.get_by_text(EN.no_dataset)).to_be_visible()
    expect(page.get_by_text(EN.unnamed_dataset)).to_be_visible()


def test_the_keyboard_alone_will_do(open_page, shipped, expect):
    page = open_page(shipped.ui_port)
    sample = page.locator(".st-key-samples button").first
    expect(sample).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if sample.evaluate("one => one === document.activeElement"):
            break
    outline = sample.evaluate(
        "one => getComputedStyle(one).outlineStyle + getComputedStyle(one).boxShadow"
    )
    assert outline != "nonenone"
    page.keyboard.press("Enter")
    expect(page.locator(".imagette-bars li")).to_have_count(10)
