"""Teaching on the page, from two names to the answers of what was learned."""

import io
import re
from contextlib import suppress
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from acting import press, wait_until_drawn
from PIL import Image
from running_server import RunningServer, free_port

from imagette import Classifier
from imagette.webapp.texts import TEXTS, answer, percent

EN, FR = TEXTS["en"], TEXTS["fr"]


@pytest.fixture(scope="module")
def taught():
    """API and page that may be taught."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    pytest.importorskip("torch", reason="teaching needs imagette[train]")
    running = RunningServer("lite", ui_port=free_port(), IMAGETTE_TEACH="1")
    try:
        yield running.wait_until_ready()
    finally:
        running.process.terminate()
        running.finish()


def stripes(seed, upright):
    """A picture of stripes, one way or the other, each in colours of its own."""
    random = np.random.default_rng(seed)
    pixels = np.empty((48, 48, 3), np.uint8)
    pixels[:] = random.integers(150, 256, 3)
    pixels[:, np.arange(48) // 6 % 2 == seed % 2] = random.integers(0, 100, 3)
    file = io.BytesIO()
    Image.fromarray(pixels if upright else pixels.swapaxes(0, 1)).save(file, format="PNG")
    return file.getvalue()


def choose(page, box, pictures, name="picture.png"):
    wait_until_drawn(page)
    page.locator(f".st-key-{box} input[type=file]").set_input_files(
        [{"name": name, "mimeType": "image/png", "buffer": picture} for picture in pictures]
    )


def count_of(page, place):
    return page.locator(f".st-key-teach-class-{place} .imagette-collected .told")


def test_it_is_not_offered_where_nothing_may_be_taught(open_page, server, expect):
    page = open_page(server.ui_port)
    expect(page.get_by_role("link", name=EN.page_model)).to_be_visible()
    assert page.get_by_role("link", name=EN.page_teach).count() == 0


def test_from_two_names_to_what_was_learned(open_page, taught, expect, tmp_path):
    page = open_page(taught.ui_port, width=390, permissions=["camera"])
    press(page.get_by_role("link", name=EN.page_teach))
    press(page.get_by_role("button", name=EN.teach_begin))
    expect(page.get_by_text(EN.teach_names_missing)).to_be_visible()
    wait_until_drawn(page)
    page.locator(".st-key-teach-name-0 input").fill("debout")
    page.locator(".st-key-teach-name-1 input").fill("couché/debout")
    press(page.get_by_role("button", name=EN.teach_begin))
    # Names that could mean something elsewhere: these are told what to do, and nothing is lost.
    expect(page.get_by_text(EN.problems["wrong-classes"])).to_be_visible()
    second = '<b>"couché" {x} *a* 🎈'
    page.locator(".st-key-teach-name-1 input").fill(second)
    press(page.get_by_role("button", name=EN.teach_begin))
    expect(page.get_by_role("heading", name=second)).to_be_visible()
    (lesson,) = parse_qs(urlsplit(page.url).query)["lesson"]
    train = page.locator(".st-key-teach-train button")
    expect(train).to_be_disabled()

    choose(page, "teach-upload-0", [stripes(seed, True) for seed in range(10)])
    expect(count_of(page, 0)).to_have_text(EN.teach_enough.format(count=10))
    choose(page, "teach-upload-1", [*[stripes(seed, False) for seed in range(9)], b"no picture"])
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=9, needed=10))
    expect(page.get_by_role("alert")).to_contain_text(EN.problems["unreadable-picture"])
    expect(page.get_by_text(f"1 × {second}")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    press(page.locator(".st-key-teach-camera-1 button"))
    take = page.get_by_test_id("stCameraInputButton")
    expect(take).to_be_enabled()
    page.wait_for_function("document.querySelector('video')?.readyState === 4")
    for _ in range(3):  # a busy machine's camera may not have a picture yet
        take.click()
        with suppress(AssertionError):
            expect(count_of(page, 1)).to_have_text(EN.teach_enough.format(count=10), timeout=8_000)
            break
    expect(count_of(page, 1)).to_have_text(EN.teach_enough.format(count=10))
    # The photo does not show what it should: a click takes it away.
    press(page.locator(".st-key-teach-pictures-1 button").last)
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=9, needed=10))
    choose(page, "teach-upload-1", [stripes(9, False)])
    expect(count_of(page, 1)).to_have_text(EN.teach_enough.format(count=10))

    press(train)
    expect(page.locator(".st-key-teach-cancel button")).to_be_visible()
    # From another device, in another language, while it learns.
    elsewhere = open_page(taught.ui_port, "fr-FR", path=f"teach?lesson={lesson}")
    expect(elsewhere.locator(".st-key-teach-cancel button")).to_have_text(
        re.compile(FR.teach_cancel)
    )
    page.reload()
    page.get_by_text(EN.teach_done).wait_for(timeout=200_000)
    elsewhere.get_by_text(FR.teach_done).wait_for()

    choose(page, "upload-to-try", [stripes(50, False)])
    bars = page.locator(".imagette-bars li")
    expect(bars).to_have_count(2)
    with page.expect_download() as download:
        press(page.locator(".st-key-teach-download button"))
    assert download.value.suggested_filename == "imagette-lesson.onnx"
    bundle = tmp_path / "lesson.onnx"
    download.value.save_as(bundle)
    said = Classifier(bundle).predict(stripes(50, False))
    ranking = sorted(said.probabilities.items(), key=lambda one: -one[1])
    expect(bars).to_have_text([name + percent(value, "en") for name, value in ranking])
    expect(page.locator("h2.imagette-answer")).to_have_text(answer(ranking, said.known, "en"))

    # More pictures can be added, and it stops when it is told to.
    press(elsewhere.locator(".st-key-teach-again summary"))
    choose(elsewhere, "teach-upload-0", [stripes(seed, True) for seed in range(11, 26)])
    expect(count_of(elsewhere, 0)).to_have_text(FR.teach_enough.format(count=25))
    shown = elsewhere.locator(".st-key-teach-pictures-0 button")
    expect(shown).to_have_count(24)
    elsewhere.get_by_text(FR.teach_show_all.format(count=25)).click()
    expect(shown).to_have_count(25)
    press(elsewhere.locator(".st-key-teach-train button"))
    press(elsewhere.locator(".st-key-teach-cancel button"))
    expect(elsewhere.get_by_text(FR.teach_cancelled)).to_be_visible()
    expect(elsewhere.locator(".st-key-teach-download button")).to_be_visible()

    press(elsewhere.locator(".st-key-teach-forget button"))
    press(elsewhere.locator(".st-key-teach-forget-yes button"))
    expect(elsewhere.get_by_text(FR.teach_introduction)).to_be_visible()
    assert "lesson" not in urlsplit(elsewhere.url).query
    page.reload()
    expect(page.get_by_text(EN.problems["no-lesson"])).to_be_visible()
    press(page.get_by_role("button", name=EN.teach_anew))
    expect(page.get_by_text(EN.teach_introduction)).to_be_visible()
