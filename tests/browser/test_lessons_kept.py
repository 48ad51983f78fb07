"""Lessons on the page: what is taken away comes back, and a lesson is saved and opened again."""

import io
import zipfile
from urllib.parse import parse_qs, urlsplit

import pytest
from support.acting import press, wait_until_drawn
from support.images import stripes
from support.lessons import begin_over_http

from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


def pictures_of(page, place):
    return page.locator(f".st-key-teach-images-{place} li")


def heading(page, name):
    return page.get_by_role("heading", name=name, exact=True)


def open_lesson(open_page, taught, expect, **options):
    """A page with a lesson of two classes, of three pictures each."""
    lesson = begin_over_http(taught, "upright", "lying")
    for name in ("upright", "lying"):
        for seed in range(3):
            picture = stripes(seed + 3 * (name == "lying"), name == "upright")
            path = f"/lessons/{lesson}/pictures?class={name}"
            assert taught.ask("POST", path, picture, {"Content-Type": "image/png"})[0] == 200
    page = open_page(taught.ui_port, path=f"teach?lesson={lesson}", **options)
    expect(pictures_of(page, 1)).to_have_count(3)
    return page


def zipped(*names):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for seed, name in enumerate(names):
            archive.writestr(name, stripes(seed, True))
    return written.getvalue()


def press_undo(page, texts=EN):
    undo = page.locator(".st-key-teach-undo")
    press(undo.get_by_role("button", name=texts.teach_undo, exact=True))


@pytest.mark.slow
def test_pictures_enlarge_and_go_and_come_back(open_page, taught, expect):
    page = open_lesson(open_page, taught, expect, width=390)
    first = pictures_of(page, 0).first
    small = first.locator("img").get_attribute("src")
    press(first.get_by_role("button", name=EN.teach_enlarge.format(name="upright", number=1)))
    large = page.get_by_role("dialog")
    expect(large).to_have_attribute("aria-label", EN.teach_picture.format(name="upright", number=1))
    whole = large.locator("img[src^='data:image/png']")
    expect(whole).to_be_visible()
    assert whole.evaluate("image => image.naturalWidth") == 96
    page.keyboard.press("ArrowRight")
    expect(large).to_have_attribute("aria-label", EN.teach_picture.format(name="upright", number=2))
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(pictures_of(page, 0)).to_have_count(3)

    # By the keyboard alone: the focus stays among the pictures.
    first.get_by_role("button").first.focus()
    page.keyboard.press("Delete")
    expect(pictures_of(page, 0)).to_have_count(2)
    in_focus = "document.activeElement.closest('.st-key-teach-images-0') !== null"
    assert page.evaluate(in_focus)
    said = page.locator(".st-key-teach-undo").get_by_role("status")
    expect(said).to_have_text(EN.teach_undo_picture.format(name="upright"))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the × of the next one
    expect(pictures_of(page, 0)).to_have_count(1)
    for count in (2, 3):
        press_undo(page)
        expect(pictures_of(page, 0)).to_have_count(count)
    expect(page.locator(".st-key-teach-undo")).to_have_count(0)
    assert pictures_of(page, 0).first.locator("img").get_attribute("src") == small


@pytest.mark.slow
def test_classes_and_names_go_and_come_back_and_so_does_the_lesson(open_page, taught, expect):
    page = open_lesson(open_page, taught, expect, language="fr")
    press(page.locator(".st-key-teach-edit-0 button"))
    field = page.get_by_label(FR.teach_class_name)
    field.fill("LYING")
    page.keyboard.press("Enter")
    expect(page.get_by_text(FR.teach_same_name)).to_be_visible()
    field.fill("debout")
    page.keyboard.press("Enter")
    expect(heading(page, "debout")).to_be_visible()
    page.keyboard.press("Escape")
    press_undo(page, FR)
    expect(heading(page, "upright")).to_be_visible()

    press(page.locator(".st-key-teach-edit-0 button"))
    press(page.get_by_role("button", name=FR.teach_delete_class))
    expect(heading(page, "upright")).to_have_count(0)
    press_undo(page, FR)
    expect(heading(page, "upright")).to_be_visible()
    expect(pictures_of(page, 0)).to_have_count(3)
    press(page.locator(".st-key-teach-more button"))
    page.get_by_label(FR.teach_new_class).fill("autre")
    page.keyboard.press("Enter")
    expect(heading(page, "autre")).to_be_visible()

    lesson = parse_qs(urlsplit(page.url).query)["lesson"]
    for press_next in ("teach-bring-back", "teach-forget-now"):
        page.keyboard.press("Escape")
        forget = page.locator(".st-key-teach-forget button")
        expect(forget).to_be_visible()
        forget.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name=FR.teach_forget)).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator(".st-key-teach-forget-yes button")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text(FR.teach_forgotten.format(minutes=10))).to_be_visible()
        assert "lesson" not in urlsplit(page.url).query
        press(page.locator(f".st-key-{press_next} button"))
        if press_next == "teach-bring-back":
            expect(pictures_of(page, 1)).to_have_count(3)
            assert parse_qs(urlsplit(page.url).query)["lesson"] == lesson
    expect(page.locator(".st-key-teach-forgotten")).to_have_count(0)
    assert taught.ask("GET", f"/lessons/{lesson[0]}")[0] == 404
    page.go_back()
    expect(page.get_by_text(FR.problems["no-lesson"])).to_be_visible()
    press(page.get_by_role("button", name=FR.teach_anew))
    expect(page.get_by_text(FR.teach_introduction)).to_be_visible()


@pytest.mark.slow
def test_a_lesson_is_saved_and_opened_again(open_page, taught, expect, tmp_path):
    page = open_lesson(open_page, taught, expect)
    with page.expect_download() as download:
        press(page.locator(".st-key-teach-save button"))
    assert download.value.suggested_filename == "imagette-lesson.zip"
    download.value.save_as(tmp_path / "lesson.zip")
    names = [image.get_attribute("src") for image in page.locator(".imagette-pictures img").all()]

    page = open_page(taught.ui_port, path="teach")
    box = page.locator(".st-key-teach-open input[type=file]")
    for content, kind in (
        (zipped("../a/a.png"), "zip-unsafe"),
        (zipped("Cat/a.png", "cat/b.png"), "same-names"),  # what only the API says is said, too
        (b"no zip", "zip-unreadable"),
    ):
        wait_until_drawn(page)
        box.set_input_files({"name": "a.zip", "mimeType": "", "buffer": content})
        expect(page.get_by_role("alert")).to_contain_text(EN.problems[kind])
    wait_until_drawn(page)
    box.set_input_files(tmp_path / "lesson.zip")
    expect(pictures_of(page, 1)).to_have_count(3)
    assert "lesson" in urlsplit(page.url).query
    for name in ("upright", "lying"):
        expect(heading(page, name)).to_be_visible()
    found = [image.get_attribute("src") for image in page.locator(".imagette-pictures img").all()]
    assert found == names
