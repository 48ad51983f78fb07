"""The pages: the reference is complete, links lead somewhere, both languages say the same."""

import ast
import re

import pytest
from support.shown import DOCS, PAGES, ROOT, TEXTS, code_blocks, load_tool, prose, read

import imagette
from imagette.serving.settings import Settings
from imagette.training.recipe import Recipe
from imagette.training.recipe_tables import TABLES

FRENCH = DOCS / "fr"
IN_ENGLISH_ONLY = [
    DOCS / "reference" / f"{name}.md"
    for name in ("cli", "http", "metrics", "python", "recipes", "settings")
]
ENGLISH = [
    page.relative_to(DOCS)
    for page in PAGES
    if not page.is_relative_to(FRENCH) and page not in IN_ENGLISH_ONLY
]


@pytest.fixture(scope="module")
def reference():
    """tools/reference.py, which writes the generated parts."""
    return load_tool("reference")


def test_generated_parts_are_those_of_the_code(reference):
    texts = [page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")]
    assert set(re.findall(r"<!-- generated: (\w+) -->", "".join(texts))) == set(reference.PARTS)
    for text in texts:
        assert reference.refresh(text) == text, "run: python tools/reference.py"


def test_every_command_option_and_argument_says_what_it_is(reference):
    import typer

    for path, command in reference.walk(typer.main.get_command(imagette.cli.app.app), "imagette"):
        assert command.help, path
        assert all(one.help for one in command.params), path


def test_every_setting_and_field_says_what_it_is(reference):
    assert all(field.description for field in Settings.model_fields.values())
    for table in (Recipe, *TABLES.values()):
        assert list(reference.docstring_attributes(table)) == list(table.model_fields)


def test_every_public_name_is_in_the_reference():
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"^::: imagette\.(\w+)$", text, re.M))
    assert set(imagette.__all__) <= shown


def test_links_lead_to_files(subtests):
    """Zensical's strict build holds links between pages; not those to pictures and other files."""
    for page in TEXTS:
        with subtests.test(str(page)):
            text = prose(read(page))
            for target in re.findall(r"\]\((?![a-z]+:|#)([^)\s#]+)", text):
                path = (page.parent / target).resolve()
                assert path.exists(), target
                if page.is_relative_to(DOCS):
                    assert path.is_relative_to(DOCS), f"{target} is not on the site"


def test_the_french_page_says_the_same(subtests):
    french = {page.relative_to(FRENCH) for page in PAGES if page.is_relative_to(FRENCH)}
    assert french == set(ENGLISH)
    for page in ENGLISH:
        with subtests.test(str(page)):
            english, french = (
                (folder / page).read_text(encoding="utf-8") for folder in (DOCS, FRENCH)
            )
            assert _outline(french) == _outline(english)
            assert _code(french) == _code(english)
            assert len(re.findall(r"^\|", french, re.M)) == len(re.findall(r"^\|", english, re.M))


def test_python_code_can_be_read(subtests):
    for page in TEXTS:
        with subtests.test(str(page)):
            for language, code in code_blocks(read(page)):
                if language == "python":
                    ast.parse(code)


def test_french_is_set_as_french_is(subtests):
    pages = [page for page in PAGES if page.is_relative_to(FRENCH)]
    for page in [*pages, ROOT / "README.fr.md"]:
        with subtests.test(str(page)):
            text = prose(page.read_text(encoding="utf-8"))
            # Neither code, addresses, the rules of tables, nor titles of papers in English.
            other = r"<!--.*?-->|`[^`]*`|\]\([^)]*\)|https?://\S+|^\|[ :|-]+$|\*\*|\*[^*]+\*"
            text = re.sub(other, "", text, flags=re.M)
            assert not re.findall(r".{0,30}[^\u00a0\s|][:;?!](?=\s).{0,9}", text)
            assert not re.findall(r".{0,30}[ \n][:;?!](?=\s).{0,9}", text)
            assert not re.findall(r".{0,30}(?:«[^\u00a0]|[^\u00a0]»).{0,9}", text)
            assert not re.findall(r".{0,30}\w'\w.{0,9}", text)
            assert not re.findall(r".{0,30}\d[ \u00a0]?%.{0,9}", text)
            assert not re.findall(r".{0,30}\d[ \u00a0]\d{3}\b.{0,9}", text)


def _outline(text: str) -> list[int]:
    """The levels of the headings, in order."""
    return [len(level) for level in re.findall(r"^(#+) ", prose(text), re.M)]


def _code(text: str) -> list[str]:
    """The code blocks without their comments and trees of files, which are translated."""
    blocks = [code for language, code in code_blocks(text) if language != "text"]
    return [re.sub(r"\s*(?:#|//) .*$", "", code, flags=re.M).strip() for code in blocks]
