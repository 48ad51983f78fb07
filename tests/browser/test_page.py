"""The page as people see it: upload, answer, samples, languages, mistakes, API down and back."""

import base64
import io

import numpy as np
import pytest
from PIL import Image
from support.acting import press, upload, upload_all
from support.running_server import RunningServer, free_port, is_listening, picture_file, wait_until

from imagette import Classifier
from imagette.assets import list_samples
from imagette.serving.webapp_process import WebappProcess
from imagette.webapp.sentences import answer_sentence, confidence_percent
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


def ranking(bundle_path, picture, language):
    """The classes' names and probabilities as the classifier itself gives them."""
    classifier = Classifier(bundle_path)
    names = classifier.class_names_fr if language == "fr" else classifier.class_names
    values = classifier.predict(picture).probabilities.values()
    return sorted(zip(names, values, strict=True), key=lambda pair: -pair[1])


def shows_answer(page, expect, bundle_path, picture, texts):
    """Hold the answer that is shown to what the classifier says."""
    said = answer_sentence(ranking(bundle_path, picture, texts.language), None, texts)
    expect(page.locator("h2.imagette-answer")).to_have_text(said)


def test_upload_and_answer(open_page, server, bundle_path, expect):
    texts = FR  # `test_the_language_can_be_switched` shows English too
    picture = picture_file((180, 60, 20), (90, 60))
    page = open_page(server.ui_port, texts.language)
    upload(page, "mine.png", picture)

    shows_answer(page, expect, bundle_path, picture, texts)
    expected = ranking(bundle_path, picture, texts.language)
    bars = page.locator(".imagette-bars li")
    expect(bars).to_have_text([name + confidence_percent(value, texts) for name, value in expected])
    expect(page.locator("figcaption").first).to_contain_text(texts.what_decided)

    seen = page.locator(".imagette-images img").last
    assert seen.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    data = base64.b64decode(seen.get_attribute("src").partition(",")[2])
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(pixels, Classifier(bundle_path).views(picture)[0].pixels)
    # The picture before it is decoded and shown.
    assert page.locator(".imagette-images img").first.evaluate("image => image.naturalWidth") == 90


def test_the_language_can_be_switched(open_page, server, bundle_path, expect):
    picture = picture_file()
    page = open_page(server.ui_port, "fr-FR")
    expect(page.get_by_text(FR.introduction)).to_be_visible()
    upload(page, "a.png", picture)
    shows_answer(page, expect, bundle_path, picture, FR)

    press(page.get_by_role("button", name="English"))
    expect(page.get_by_text(EN.introduction)).to_be_visible()
    shows_answer(page, expect, bundle_path, picture, EN)

    press(page.get_by_role("button", name="Français"))
    expect(page.get_by_text(FR.introduction)).to_be_visible()


@pytest.mark.skipif(not list_samples(), reason="no sample pictures ship")
def test_one_click_on_a_sample(open_page, server, bundle_path, expect):
    sample = list_samples()[0]
    page = open_page(server.ui_port, "fr", width=390)
    # This model cannot tell what is none of its classes.
    expect(page.locator(".st-key-samples button")).to_have_count(7)
    press(page.get_by_role("button", name=sample.name["fr"]))
    shows_answer(page, expect, bundle_path, sample.path, FR)
    expect(page.get_by_alt_text(sample.description["fr"])).to_be_visible()
    # Nothing sticks out of a phone's screen.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    # A picture of one's own takes the sample's place.
    picture = picture_file((0, 0, 255))
    upload(page, "blue.png", picture)
    shows_answer(page, expect, bundle_path, picture, FR)


@pytest.mark.slow
def test_a_wrong_file_is_told_kindly(open_page, server, expect):
    page = open_page(server.ui_port)
    for content, kind in ((b"I am no picture.", "unreadable-picture"), (b"", "empty-picture")):
        upload(page, f"{kind}.png", content)
        expect(page.get_by_text(EN.problems[kind])).to_be_visible()
        expect(page.locator(".imagette-bars")).to_have_count(0)


def test_formats_that_no_browser_shows_are_shown(open_page, server, expect):
    page = open_page(server.ui_port)
    tiff = picture_file((0, 90, 90, 0), (70, 50), "CMYK", "TIFF")
    ppm = picture_file((9, 99, 9), (60, 50), "RGB", "PPM")
    upload_all(page, {"odd.tiff": tiff, "odd.ppm": ppm}, "image/tiff")
    shown = page.locator(".imagette-images .stack img")
    expect(shown).to_have_count(4)  # each itself, and what decided
    width = "image => image.decode().then(() => image.naturalWidth)"
    assert [shown.nth(place).evaluate(width) for place in (0, 2)] == [70, 60]


def test_page_has_a_title_says_what_it_knows_and_has_no_menu(open_page, server, expect):
    page = open_page(server.ui_port)
    expect(page.locator(".imagette-knows")).to_contain_text("10 things: airplane, automobile")
    expect(page).to_have_title("Imagette")
    expect(page.get_by_role("heading", level=1)).to_have_text("Imagette")
    assert "Deploy" not in page.inner_text("body")
    assert page.locator("[data-testid=stMainMenu]:visible").count() == 0


@pytest.mark.slow
def test_api_down_and_back(open_page, bundle_path, expect, request):
    api_port = free_port()
    process = WebappProcess("127.0.0.1", free_port(), f"http://127.0.0.1:{api_port}", 10_000_000)
    process.start()
    request.addfinalizer(process.stop)
    wait_until(lambda: is_listening(process.port))
    page = open_page(process.port, "fr")
    expect(page.get_by_text(FR.problems["api-down"])).to_be_visible()
    expect(page.get_by_text("imagette serve")).to_be_visible()

    api = RunningServer(bundle_path, port=api_port)
    try:
        api.wait_until_ready()
        press(page.get_by_role("button", name=FR.retry))
        expect(page.get_by_text(FR.problems["api-down"])).to_have_count(0)
        upload(page, "a.png", picture_file())
        expect(page.locator(".imagette-bars li")).to_have_count(10)

        api.process.terminate()
        api.finish()
        press(page.get_by_role("button", name="English"))
        expect(page.get_by_text(EN.problems["api-down"])).to_be_visible()
    finally:
        api.kill()
