"""The page's style sheets."""

import re
from pathlib import Path

from imagette import webapp

FOLDER = Path(webapp.__path__[0])


def test_every_rule_is_for_something_that_the_page_has():
    styles = "".join(file.read_text(encoding="utf-8") for file in FOLDER.rglob("*.css"))
    selectors = "".join(re.findall(r"[^;{}]*(?={)", re.sub(r"/\*.*?\*/", "", styles, flags=re.S)))
    code = [*FOLDER.rglob("*.py"), *FOLDER.rglob("*.js")]
    page = "".join(file.read_text(encoding="utf-8") for file in code)
    for name in re.findall(r"st-key-([\w-]+)", selectors):
        assert f'"{name}' in page, name
    for name in re.findall(r"\.imagette-([\w-]+)", selectors):
        assert f"imagette-{name}" in page or f'"{name}"' in page, name
    for name in re.findall(r"\.(?!st-key|imagette-)([a-z][\w-]*)", selectors):
        assert re.search(rf'[" ]{name}"', page), name
