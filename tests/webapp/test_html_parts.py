"""HTML that holds words as words."""

import pytest

from imagette.webapp import html_parts
from imagette.webapp.previews import Preview
from imagette.webapp.texts import TEXTS

ENGLISH = TEXTS["en"]
SHOWN, SIZE = Preview("data:,", "data:,", 2, 1), {"height": 32, "width": 32}
NASTY = '<img src=x onerror="alert(1)">'


@pytest.mark.parametrize(
    "html",
    [
        html_parts.text("h2", "answer", NASTY),
        html_parts.bars([(NASTY, 0.5), ("b", 0.5)], None, ENGLISH),
        html_parts.images(SHOWN, "data:,", "data:,", NASTY, NASTY, SIZE, ENGLISH),
        html_parts.tiles([("a", "data:,", NASTY)]),
        html_parts.table([NASTY], [[NASTY, NASTY]], NASTY),
        html_parts.confusion([[1, 0], [0, 1]], [NASTY, "b"], ENGLISH),
        html_parts.examples(NASTY, ["data:,"], False, ENGLISH),
        html_parts.bullets([NASTY]),
    ],
)
def test_names_of_classes_and_files_are_text_and_never_markup(html):
    assert "&lt;img" in html
    assert NASTY not in html


def test_many_classes_are_folded_away():
    ranking = [(f"class {place}", 0.02) for place in range(50)]
    html = html_parts.bars(ranking, None, ENGLISH)
    assert html.count("<li>") == 50
    assert html.index("class 9<") < html.index("40 other classes") < html.index("class 10<")
