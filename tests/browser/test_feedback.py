"""Where an answer was wrong: the form beside it, and what is kept."""

import pytest
from support.acting import press, upload, wait_until_drawn
from support.images import noise
from support.running_server import RunningServer, free_port

import imagette
from imagette import Classifier
from imagette.webapp.texts import TEXTS

EN, FR = TEXTS["en"], TEXTS["fr"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("feedback")


@pytest.fixture(scope="module")
def keeping(bundle_path, folder):
    """API and page that keep what was answered wrongly."""
    pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")
    with RunningServer(bundle_path, ui_port=free_port(), IMAGETTE_FEEDBACK=str(folder)) as running:
        yield running.wait_until_ready()
        running.process.terminate()
        running.finish()


def say(page, words):
    """Open the form, and choose one of its names."""
    press(page.locator("[class*=st-key-wrong-] button").first)
    page.locator("[class*=st-key-wrong-class-] input").click()
    page.get_by_role("option", name=words, exact=True).click()
    wait_until_drawn(page)


def test_it_is_offered_only_where_the_operator_keeps_pictures(open_page, server, expect):
    page = open_page(server.ui_port)
    upload(page, "a.png", noise(1))
    expect(page.locator(".imagette-bars li")).to_have_count(10)
    assert page.get_by_text(EN.wrong).count() == 0
    assert page.get_by_text(EN.privacy_kept).count() == 0


def test_what_was_wrong_is_kept_and_can_be_learned_from(
    open_page, keeping, bundle_path, folder, expect
):
    page = open_page(keeping.ui_port, "fr", width=390)
    expect(page.get_by_text(FR.privacy_kept)).to_be_visible()
    said = Classifier(bundle_path).predict(noise(1))
    assert said.label != "cat"
    upload(page, "a.png", noise(1))
    say(page, "chat")
    expect(page.get_by_text(FR.wrong_help)).to_be_visible()
    page.locator("[class*=st-key-wrong-keep-] button").click()
    expect(page.get_by_text(FR.wrong_kept.format(name="chat"))).to_be_visible()

    upload(page, "b.png", noise(2))
    expect(page.locator("[class*=st-key-wrong-] button")).to_have_count(1)
    say(page, FR.wrong_other)
    page.locator("[class*=st-key-wrong-name-] input").fill("../chat")
    page.locator("[class*=st-key-wrong-keep-] button").click()
    expect(page.get_by_text(FR.problems["wrong-class"])).to_be_visible()
    page.locator("[class*=st-key-wrong-name-] input").fill("*Épagneul* breton")
    page.locator("[class*=st-key-wrong-keep-] button").click()
    expect(page.get_by_text(FR.wrong_kept.format(name="*Épagneul* breton"))).to_be_visible()

    dataset = imagette.load_dataset(str(folder))
    assert sorted(dataset.class_names) == ["*Épagneul* breton", "cat"]
    assert len(dataset.train) == 2


def test_the_form_is_filled_in_by_keyboard(open_page, keeping, expect):
    """Streamlit draws it at the end of the page, where Tab would not lead."""
    page = open_page(keeping.ui_port)
    upload(page, "a.png", noise(3))
    button = page.locator("[class*=st-key-wrong-] button")
    form, field = page.get_by_role("dialog", name=EN.wrong), page.get_by_label(EN.wrong_what)
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(form).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(form).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(form).to_have_count(0)
    expect(button).to_be_focused()

    page.keyboard.press("Enter")
    expect(form).to_be_focused()
    page.keyboard.press("Tab")
    expect(field).to_be_focused()
    page.keyboard.press("Tab")  # the button to keep it cannot be pressed yet: out of the form
    expect(form).to_have_count(0)
    expect(page.locator(".st-key-history button").first).to_be_focused()

    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(form).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type(EN.wrong_none[:6])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    keep = page.get_by_role("button", name=EN.wrong_keep)
    expect(keep).to_be_enabled()
    page.keyboard.press("Tab")  # to what takes the choice back
    page.keyboard.press("Tab")
    expect(keep).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text(EN.wrong_kept.format(name=EN.wrong_none))).to_be_visible()
    expect(page.locator(".st-key-answer-1")).to_be_focused()
