"""The documentation site for those who do not see well, or at all, in a real Chromium.

    pytest tests/outside/site_is_accessible.py

Run by `make docs`, which builds the site right before.
"""

import pytest
from support.accessibility import faults
from support.shown import ROOT

# One page of each kind: what differs between two of a kind is words.
PAGES = (
    "index",
    "how-to/install",  # tabs
    "how-to/call-the-api",
    "how-to/teach-it",  # pictures
    "explanation/design",  # wide tables
    "reference/figures",
    "reference/python",  # made from the code
    "lessons/4-api-and-shipping",
    "glossary",
    "fr/index",
    "fr/how-to/install",
)


@pytest.fixture(scope="module", params=[("light", 1280), ("dark", 390)], ids=lambda one: one[0])
def reader(browser, request):
    scheme, width = request.param
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("page", PAGES)
def test_page(reader, page):
    reader.goto((ROOT / "site" / f"{page}.html").as_uri())
    assert faults(reader) == []
    width = reader.viewport_size["width"]
    assert reader.evaluate("document.documentElement.scrollWidth") <= width
