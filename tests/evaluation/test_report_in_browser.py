"""The report, and the pages beside it, as a reader meets them in a real Chromium."""

import io

import pytest
from PIL import Image, ImageStat
from support.accessibility import faults

from imagette.data.explore import explore
from imagette.data.explore_page import write_page
from imagette.evaluation.label_issues import find_label_issues
from imagette.evaluation.label_issues_page import write_label_issues


@pytest.fixture(scope="module")
def report(evaluation):
    return evaluation.report.as_uri()


@pytest.fixture(scope="module")
def pages(evaluation, colours, tmp_path_factory):
    """The report, an exploration and an audit, as addresses."""
    folder = tmp_path_factory.mktemp("pages")
    audit = write_label_issues(find_label_issues(evaluation.folder, colours), folder)
    explored = write_page(colours, explore(colours), folder / "explore")
    return [path.as_uri() for path in (evaluation.report, explored, audit)]


@pytest.mark.parametrize(
    ("language", "scheme", "width"), [("en-GB", "light", 1280), ("fr-FR", "dark", 360)]
)
def test_can_be_read_by_those_who_do_not_see_well(browser, pages, language, scheme, width):
    viewport = {"width": width, "height": 800}
    context = browser.new_context(locale=language, color_scheme=scheme, viewport=viewport)
    page = context.new_page()
    for url in pages:
        page.goto(url)
        assert faults(page) == []
    context.close()


def test_plots_are_dark_in_the_dark(browser, report):
    page = browser.new_context(color_scheme="dark").new_page()
    page.goto(report)
    plot = page.locator("#reliability img:visible")
    pixels = Image.open(io.BytesIO(plot.screenshot())).convert("L")
    assert ImageStat.Stat(pixels).median[0] < 60


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
