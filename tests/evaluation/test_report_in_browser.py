"""The report as a reader meets it, in a real Chromium."""

import pytest


@pytest.fixture(scope="module")
def report(evaluation):
    return evaluation.report.as_uri()


def test_speaks_the_reader_s_language_and_switches(browser, report):
    page = browser.new_context(locale="fr-FR").new_page()
    page.goto(report)

    first = page.locator(".mistakes img").first
    assert page.get_by_text("Comment il a appris").is_visible()
    assert not page.get_by_text("How it learned").is_visible()
    assert page.evaluate("document.documentElement.lang") == "fr"
    assert "prise pour" in first.get_attribute("alt")

    page.get_by_label("English").check()

    assert page.get_by_text("How it learned").is_visible()
    assert not page.get_by_text("Comment il a appris").is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert "taken for" in first.get_attribute("alt")


def test_is_readable_without_scripts(browser, report):
    page = browser.new_context(locale="fr-FR", java_script_enabled=False).new_page()
    page.goto(report)
    assert page.get_by_text("How it learned").is_visible()
    page.get_by_label("Français").check()
    assert page.get_by_text("Comment il a appris").is_visible()
    assert not page.get_by_text("How it learned").is_visible()


def test_loads_nothing_and_shows_every_picture(browser, report):
    page = browser.new_context(locale="en-GB").new_page()
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(report)
    assert [url for url in asked if not url.startswith("data:")] == [report]
    assert complaints == []
    assert page.evaluate("[...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.parametrize("width", [360, 1280])
def test_fits_the_width_of_the_screen(browser, report, width):
    page = browser.new_context(viewport={"width": width, "height": 800}).new_page()
    page.goto(report)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
