"""What browsers are told of the page."""

import re

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp import html_parts
from imagette.webapp.headers import security_headers
from imagette.webapp.texts import TEXTS


def test_only_the_pages_own_scripts_run_and_nothing_is_loaded_from_elsewhere():
    policy = security_headers()["Content-Security-Policy"]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    sources = " ".join(rules.values()).split()
    assert not [one for one in sources if "*" in one or one in ("http:", "https:", "'unsafe-eval'")]
    assert "'unsafe-inline'" not in rules["script-src"]
    assert rules["frame-ancestors"] == "'self'"
    # Three scripts are written into the page: Streamlit's own, and the two of html_parts.py.
    assert rules["script-src"].count("'sha256-") == 3


@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_scripts_that_are_written_into_the_page_are_those_that_are_announced(texts):
    for html in (html_parts.script(texts, {}), html_parts.bring_into_view(7, "answers")):
        (script,) = re.findall("<script>(.*)</script>", html, re.DOTALL)
        assert script in html_parts.SCRIPTS
