"""Teaching on the page: what is shown is learned at once, and so is what is taken away."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from support.acting import press, wait_until_drawn
from support.images import stripes
from support.lessons import begin_over_http

from imagette import Classifier
from imagette.webapp.sentences import answer_sentence, confidence_percent
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


def choose(page, box, pictures):
    wait_until_drawn(page)
    page.locator(f".st-key-{box} input[type=file]").set_input_files(
        [{"name": "a.png", "mimeType": "image/png", "buffer": picture} for picture in pictures]
    )


def count_of(page, place):
    return page.locator(f".st-key-teach-class-{place} .imagette-class .count")


def pictures_of(page, place):
    return page.locator(f".st-key-teach-images-{place} li")


def accuracy_of(page):
    return page.locator(".st-key-teach-accuracy")


def test_it_is_not_offered_where_nothing_may_be_taught(open_page, server, expect):
    page = open_page(server.ui_port)
    expect(page.get_by_role("link", name=EN.page_model)).to_be_visible()
    assert page.get_by_role("link", name=EN.page_teach).count() == 0


@pytest.mark.slow
def test_from_two_names_to_live_answers(open_page, taught, expect, tmp_path):
    page = open_page(taught.ui_port, width=390)
    press(page.get_by_role("link", name=EN.page_teach))
    press(page.get_by_role("button", name=EN.teach_begin))
    # What is missing is told, and nothing that is not about it.
    expect(page.get_by_role("alert")).to_have_text(EN.teach_names_missing)
    fill_names(page, "debout", "DEBOUT ")
    press(page.get_by_role("button", name=EN.teach_begin))
    expect(page.get_by_role("alert")).to_have_text(EN.teach_same_name)
    # Names that could mean something elsewhere: these are told what to do, and nothing is lost.
    fill_names(page, "debout", "couché/debout")
    press(page.get_by_role("button", name=EN.teach_begin))
    expect(page.get_by_text(EN.problems["wrong-classes"])).to_be_visible()
    second = '<b>"couché" {x} *a* 🎈'
    fill_names(page, "debout", second)
    press(page.get_by_role("button", name=EN.teach_begin))
    expect(page.get_by_role("heading", name=second)).to_be_visible()
    expect(page.get_by_text(EN.teach_no_model)).to_be_visible()
    (lesson,) = parse_qs(urlsplit(page.url).query)["lesson"]

    choose(page, "teach-upload-0", [stripes(0, True)])
    expect(count_of(page, 0)).to_have_text(EN.teach_count.format(count=1))
    choose(page, "teach-upload-1", [stripes(1, False)])
    expect(page.get_by_text(EN.teach_single)).to_be_visible()
    picture = stripes(50, False)
    choose(page, "upload-to-try", [picture])
    shows_answer_of(page, expect, taught, lesson, picture)

    choose(page, "teach-upload-1", [stripes(3, False), b"no picture"])
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=2))
    expect(page.get_by_role("alert")).to_contain_text(EN.problems["unreadable-picture"])
    choose(page, "teach-upload-0", [stripes(2, True), stripes(4, True)])
    # What was tried is answered by what is known now.
    expect(accuracy_of(page)).to_contain_text(EN.teach_right.format(right=5, count=5))
    expect(accuracy_of(page)).to_contain_text("That is a small test")
    expect(accuracy_of(page)).to_contain_text(EN.teach_few.format(count=10))
    shows_answer_of(page, expect, taught, lesson, picture)
    press(pictures_of(page, 0).last.locator(".remove"))
    expect(count_of(page, 0)).to_have_text(EN.teach_count.format(count=2))
    shows_answer_of(page, expect, taught, lesson, picture)
    assert page.locator("img.heat").count() == 0
    page.locator(".st-key-teach-why label").click()
    expect(page.locator("img.heat")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    with page.expect_download() as download:
        press(page.locator(".st-key-teach-download button"))
    assert download.value.suggested_filename == "imagette-lesson.onnx"
    download.value.save_as(tmp_path / "lesson.onnx")
    assert Classifier(tmp_path / "lesson.onnx").predict(picture).label == second


@pytest.mark.slow
def test_an_address_leads_back_from_another_device_in_another_language(open_page, taught, expect):
    page = open_page(taught.ui_port, path="teach")
    fill_names(page, "upright", "lying")
    press(page.get_by_role("button", name=EN.teach_begin))
    choose(page, "teach-upload-0", [stripes(seed, True) for seed in range(2)])
    expect(count_of(page, 0)).to_have_text(EN.teach_count.format(count=2))
    choose(page, "teach-upload-1", [stripes(seed, False) for seed in range(2)])
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=2))
    press(page.get_by_label(EN.teach_lesson_name))
    page.get_by_label(EN.teach_lesson_name).fill("Mes rayures, été !")
    page.keyboard.press("Enter")
    link = page.locator(".imagette-link a")
    expect(link).to_have_attribute(
        "href", re.compile(r"/teach\?lesson=mes-rayures-.*t.*\.[2-9a-z-]{24}$")
    )
    expect(page.locator(".imagette-lesson")).to_have_text("Mes rayures, été !")
    assert page.url == link.evaluate("link => link.href")
    press(page.locator(".imagette-link button"))

    elsewhere = open_page(
        taught.ui_port, "fr-FR", path=urlsplit(page.url)._replace(scheme="", netloc="").geturl()[1:]
    )
    expect(elsewhere.locator(".imagette-lesson")).to_have_text("Mes rayures, été !")
    expect(accuracy_of(elsewhere)).to_contain_text(FR.teach_right.format(right=4, count=4))
    choose(elsewhere, "teach-upload-0", [stripes(seed, True) for seed in range(10, 33)])
    expect(count_of(elsewhere, 0)).to_have_text(FR.teach_count.format(count=25))
    expect(pictures_of(elsewhere, 0)).to_have_count(24)
    elsewhere.get_by_text(FR.teach_show_all.format(count=25)).click()
    expect(pictures_of(elsewhere, 0)).to_have_count(25)
    page.reload()
    expect(count_of(page, 0)).to_have_text(EN.teach_count.format(count=25))
    # To other pages and back, and through the browser's history.
    press(page.get_by_role("link", name=EN.page_model))
    expect(page.get_by_role("heading", name=EN.model_title)).to_be_visible()
    press(page.get_by_role("link", name=EN.page_teach))
    expect(count_of(page, 0)).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name=EN.model_title)).to_be_visible()
    page.go_back()
    expect(count_of(page, 0)).to_be_visible()
    assert "lesson=mes-rayures" in page.url


@pytest.mark.slow
def test_the_camera_is_answered_as_it_looks_on(open_page, taught, expect):
    page = open_page(
        taught.ui_port,
        path=f"teach?lesson={begin_over_http(taught, 'upright', 'camera')}",
        permissions=["camera"],
    )
    choose(page, "teach-upload-0", [stripes(seed, True) for seed in range(3)])
    expect(count_of(page, 0)).to_have_text(EN.teach_count.format(count=3))
    press(page.locator(".st-key-teach-camera button"))
    record = page.get_by_role("button", name=EN.teach_record.format(name="camera"))
    expect(record).to_be_enabled()
    said = page.locator(".st-key-teach-live-answer")
    expect(said).to_contain_text(EN.teach_no_model)
    record.click()
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=1))
    expect(said).to_contain_text("“camera”")
    page.evaluate("window.video = document.querySelector('video')")
    # A short press is one picture, by the keyboard too; held, the button records, and counts.
    record.press("Enter")
    expect(count_of(page, 1)).to_have_text(EN.teach_count.format(count=2))
    record.hover()
    page.mouse.down()
    expect(page.locator(".imagette-live .count")).to_have_text(re.compile(r"^\d\d$"))
    page.mouse.up()
    pictures_of(page, 1).nth(9).wait_for()
    expect(said).to_contain_text("“camera”")
    # The bars keep the order of the classes, and go on without a hand on anything.
    expect(said.locator(".imagette-bars .name")).to_have_text(["upright", "camera"])
    said.locator("li").first.evaluate("bar => (bar.dataset.old = 1)")
    expect(said.locator("li[data-old]")).to_have_count(0)
    # It was open all the time.
    assert page.evaluate("window.video.isConnected && !window.video.paused")
    # A click elsewhere is not lost among the pictures that the camera sends.
    page.get_by_role("button", name=EN.camera_close).click()
    expect(page.locator("video")).to_have_count(0)
    expect(page.locator(".imagette-live")).to_have_count(0)


def test_a_camera_that_may_not_be_used(open_page, taught, expect):
    page = open_page(
        taught.ui_port, path=f"teach?lesson={begin_over_http(taught, 'upright', 'camera')}"
    )
    page.add_init_script("navigator.mediaDevices.getUserMedia = () => Promise.reject();")
    page.reload()
    press(page.locator(".st-key-teach-camera button"))
    expect(page.get_by_text(EN.camera_refused)).to_be_visible()
    expect(page.get_by_role("button", name=EN.teach_record.format(name="camera"))).to_be_disabled()


def fill_names(page, *names):
    wait_until_drawn(page)
    for place, name in enumerate(names):
        page.locator(f".st-key-teach-name-{place} input").fill(name)
    page.keyboard.press("Tab")
    wait_until_drawn(page)


def begin(taught):
    """The path of a new lesson."""
    return f"teach?lesson={begin_over_http(taught, 'upright', 'camera')}"


def shows_answer_of(page, expect, taught, lesson, picture):
    """Hold the answer that is shown to what the API says now."""
    kind = {"Content-Type": "image/png"}
    said = json.loads(taught.ask("POST", f"/lessons/{lesson}/predict", picture, kind)[2])
    ranking = sorted(said["probabilities"].items(), key=lambda one: -one[1])
    bars = page.locator(".st-key-answers .imagette-bars li")
    expect(bars).to_have_text([name + confidence_percent(value, EN) for name, value in ranking])
    heading = page.locator("h2.imagette-answer")
    expect(heading).to_have_text(answer_sentence(ranking, said["known"], EN))
