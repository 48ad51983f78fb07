"""What keeps the code easy to find one's way in: short files, short functions, true pages."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.shown import DOCS, ROOT

SOURCE = ROOT / "src" / "imagette"
WHY = "Longer than most because"
"""How a comment begins that says why a file or a function may be longer."""


def functions(file: Path) -> Iterator[tuple[str, int, str]]:
    """Name, lines without the docstring, and text of each function."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = node.end_lineno - node.lineno + 1
            if ast.get_docstring(node) is not None:
                lines -= node.body[0].end_lineno - node.body[0].lineno + 1
            yield node.name, lines, ast.get_source_segment(text, node)


def test_files_and_functions_are_short_or_say_why_not():
    kinds = (".py", ".css", ".js", ".j2", ".toml")
    files = [path for path in SOURCE.rglob("*") if path.suffix in kinds]
    assert len(files) > 150
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.count("\n") <= 300 or WHY in text, f"{file} has over 300 lines"
        for name, lines, code in functions(file) if file.suffix == ".py" else ():
            assert lines <= 50 or WHY in code, f"{file}: {name} has {lines} lines"


@pytest.mark.parametrize("language", ["", "fr"])
def test_the_design_page_names_every_module(language):
    text = (DOCS / language / "explanation" / "design.md").read_text(encoding="utf-8")
    house = text.partition("```\nsrc/imagette/\n")[2].partition("```")[0]
    named, room, folder = set(), "", ""
    for line in house.splitlines():
        if begins := re.match(r"  (\S+/) ", line):
            room = folder = begins[1]
        elif begins := re.match(r"    (\S+/) ", line):
            folder = room + begins[1]
        elif re.match(r"  \S", line):
            folder = ""
        named |= {folder + name for name in re.findall(r"[\w/]+\.py", line)}
    modules = {path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py")}
    assert named == {name for name in modules if not name.endswith("__.py")}


def test_the_table_of_what_to_open_names_files_that_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.partition("| I want to")[2].partition("\n\n")[0]
    rows = table.splitlines()[2:]
    assert len(rows) >= 10
    for row in rows:
        paths = re.findall(r"`((?:src|tests|docs|experiments)/[^`]+)`", row)
        assert paths, row
        assert all((ROOT / path).exists() for path in paths), row
