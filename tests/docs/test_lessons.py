"""The lessons on the site are those of the notebooks."""

import re

import pytest
from support.shown import NOTEBOOKS, ROOT, load_tool


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_page_was_made_of_this_notebook(notebook):
    pytest.importorskip("nbconvert")
    tool = load_tool("render_notebooks")
    page = tool.page_of(notebook, tool.LESSONS[notebook.parent.name])
    text = page.read_text(encoding="utf-8")

    assert text.startswith(tool.mark(notebook)), (
        f"{notebook.relative_to(ROOT)} has changed: run python tools/render_notebooks.py"
    )
    figures = re.findall(r"\]\(([^)]+\.webp)\)", text)
    assert len(figures) >= 2
    assert all((page.parent / name).is_file() for name in figures)
    assert "<table border" not in text  # or it would not scroll on a phone
    assert "Warning:" not in text  # which names a folder of whoever ran it
    links = re.findall(r"\]\((\.\./[^)\s#]+)", text)
    assert [link for link in links if not (page.parent / link).is_file()] == []
