"""Words as words: what is not seen in a browser (see tests/browser/test_hostile_names.py)."""

import re
from html import unescape

import pytest

from imagette.webapp.literal import in_html, in_markdown, plain


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a\r\nb\x00c\u2028d", "a b c d"),
        (" around ", "around"),
        ("\u202eabc\u2066d", "abcd"),
        ("الحب 👩\u200d🚀 l’été\u00a0!", "الحب 👩\u200d🚀 l’été\u00a0!"),
    ],
    ids=["lines", "spaces", "turning", "what is meant"],
)
def test_words_are_on_one_line_and_turn_nothing_around(words, shown):
    assert plain(words) == shown
    assert in_html(words) == shown
    assert unescape(in_markdown(words)).replace("\u2060", "") == shown


def test_no_sign_of_markdowns_is_left():
    signs = "".join(chr(code) for code in range(32, 127))
    written = in_markdown(signs)
    assert not re.search(r"[^\w\s&#;\u2060]", written)
    assert re.fullmatch(r"(&#\d+;|[\w \u2060])*", written)
    assert unescape(written).replace("\u2060", "") == signs.strip()
