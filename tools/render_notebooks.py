"""Run the lessons and write what they show as pages of the site, with their figures.

    python tools/render_notebooks.py              # all of them, which takes some minutes
    python tools/render_notebooks.py 1 2          # those with these numbers

The pages are kept in the repository, as they take longer to make than the rest of the site. They
are made on the handwritten digits, which anyone has; a test tells when a notebook has changed.
"""

import os
import re
import sys
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import nbformat
from latex2mathml.converter import convert as to_mathml
from nbclient import NotebookClient
from nbconvert import MarkdownExporter
from PIL import Image

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "notebooks"
LESSONS = {"en": ROOT / "docs" / "lessons", "fr": ROOT / "docs" / "fr" / "lessons"}
_DIGITS = {"IMAGETTE_NOTEBOOK_DATASET": "digits"}
_LONGEST = 1800  # seconds a cell may take


def main(numbers: list[str]) -> None:
    os.environ |= _DIGITS
    for language, folder in LESSONS.items():
        for notebook in sorted((NOTEBOOKS / language).glob("*.ipynb")):
            number = notebook.name.partition("-")[0]
            if not numbers or number in numbers:
                print(notebook.relative_to(ROOT), flush=True)
                render(notebook, page_of(notebook, folder))


def page_of(notebook: Path, folder: Path) -> Path:
    """The page of a notebook: called like the English one, so that languages can be switched."""
    number = notebook.name.partition("-")[0]
    [english] = (NOTEBOOKS / "en").glob(f"{number}-*.ipynb")
    return folder / f"{english.stem}.md"


def mark(notebook: Path) -> str:
    """The first line of a page, which tells what it was made of."""
    return f"<!-- {notebook.name} {sha256(notebook.read_bytes()).hexdigest()[:16]} -->"


def render(notebook: Path, page: Path) -> None:
    """Run a notebook and write its page, and its figures beside it."""
    ran = nbformat.read(notebook, as_version=4)
    where = {"metadata": {"path": notebook.parent}}
    NotebookClient(ran, timeout=_LONGEST, resources=where).execute()
    for cell in ran.cells:
        if cell.cell_type == "code":  # no warnings, which name the folders of whoever ran it
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    text, resources = MarkdownExporter().from_notebook_node(ran)
    page.parent.mkdir(parents=True, exist_ok=True)
    for old in page.parent.glob(f"{page.stem}-*.webp"):
        old.unlink()
    for place, (name, data) in enumerate(sorted(resources["outputs"].items()), start=1):
        figure = f"{page.stem}-{place}.webp"
        Image.open(BytesIO(data)).save(page.parent / figure, quality=80, method=6)
        text = text.replace(f"({name})", f"({figure})")
    page.write_text(f"{mark(notebook)}\n\n{_as_a_page(text)}\n", encoding="utf-8")


def _as_a_page(text: str) -> str:
    """What notebooks say to a notebook's reader, as a page says it."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = bare_tables(text)
    parts = re.split(r"(^```.*?^```$|`[^`\n]+`|^    [^\n]*$)", text, flags=re.DOTALL | re.MULTILINE)
    text = "".join(part if place % 2 else _with_formulas(part) for place, part in enumerate(parts))
    text = re.sub(r"\]\(\.\./\.\./docs/(?:fr/)?", "](../", text)  # from one page to another
    text = re.sub(r"\n{3,}", "\n\n", text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def bare_tables(text: str) -> str:
    """Tables of pandas without a look of their own: they get the site's, and scroll on a phone."""
    return re.sub(r"<(table|tr) (?:border|style)=[^>]*>", r"<\1>", text)


def _with_formulas(prose: str) -> str:
    """Formulas as MathML, which browsers draw by themselves."""
    prose = re.sub(
        r"\$\$(.+?)\$\$", lambda tex: to_mathml(tex[1], display="block"), prose, flags=re.DOTALL
    )
    return re.sub(r"\$([^$\n]+)\$", lambda tex: to_mathml(tex[1]), prose)


if __name__ == "__main__":
    main(sys.argv[1:])
