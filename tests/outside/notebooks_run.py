"""The notebooks: they run offline, their solutions too, and the languages say the same.

    pytest tests/outside/notebooks_run.py

Run by `make docs`, whose site shows them.
"""

import re
from itertools import zip_longest
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")

FOLDER = Path(__file__).parents[2] / "notebooks"
NUMBERS = (1, 2, 3, 4)
EVERY = sorted(FOLDER.glob("*/*.ipynb"))
SMALLER = {
    2: {"MOST, PATIENCE = 10_000": "MOST, PATIENCE = 500", "else 4\n": "else 2\n"},  # epochs
    3: {
        "SEEDS = 3": "SEEDS = 2",
        '"epochs": 3.0': '"epochs": 1.0',
        "np.arange(0, len(held), 3)": "np.arange(0, len(held), 12)",
        "epochs=4.0": "epochs=1.0",
        "[16, 32, 64]": "[8, 16, 32]",
    },
    4: {"epochs=3.0": "epochs=1.0", "[16, 32, 64]": "[8, 16, 32]", "240 //": "80 //"},
}
"""What a run here does less of than a reader's: every line of code still runs."""


def find(language, number):
    [path] = (FOLDER / language).glob(f"{number}-*.ipynb")
    return path


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def solutions(notebook):
    """The code of each folded solution."""
    folded = re.findall(r"<details>(.*?)</details>", "\n".join(texts(notebook)), re.DOTALL)
    return ["\n".join(re.findall(r"```python\n(.*?)```", each, re.DOTALL)) for each in folded]


def prose(text):
    """A text without its code, formulas, addresses and tags."""
    other = r"```.*?```|`[^`\n]*`|\]\([^)]*\)|\$\$.*?\$\$|\$[^$\n]+\$|<[^>]+>"
    return re.sub(other, "", text, flags=re.DOTALL)


def make_smaller(notebook, number):
    """Let the code of a notebook learn and ask less; each number to change must be there."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for found, smaller in SMALLER.get(number, {}).items():
        [cell] = [cell for cell in cells if found in cell.source]
        cell.source = cell.source.replace(found, smaller)


def headings(notebook):
    """The level of each heading, in their order."""
    return [len(level) for level in re.findall(r"^(#+) ", "\n".join(texts(notebook)), re.M)]


def sections(notebook):
    """The kinds of output shown by each section, by its heading; what comes before is left out."""
    shown = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            shown |= {line: set() for line in cell.source.splitlines() if line.startswith("## ")}
        elif shown:
            last = list(shown)[-1]
            for output in cell.outputs:
                shown[last] |= set(output.get("data", {}))
    return shown


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_is_committed_without_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell in cells if cell.outputs or cell.execution_count] == []
    assert [dict(cell.metadata) for cell in notebook.cells if cell.metadata] == []
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.parametrize("number", NUMBERS)
def test_both_languages_have_the_same_code(number):
    french, english = read(find("fr", number)), read(find("en", number))
    assert code_cells(french) == code_cells(english)
    assert solutions(french) == solutions(english)
    kinds = zip_longest(french.cells, english.cells)
    assert all(ours.cell_type == theirs.cell_type for ours, theirs in kinds)
    assert headings(french) == headings(english)


@pytest.mark.parametrize("number", NUMBERS)
def test_has_exercises_with_solutions(number):
    notebook = read(find("fr", number))
    exercises = re.findall(r"^### Exercice \d", "\n".join(texts(notebook)), re.MULTILINE)
    assert len(exercises) == len(solutions(notebook)) >= 3
    assert all(solutions(notebook))


@pytest.mark.parametrize("number", NUMBERS)
def test_french_is_set_as_french(number):
    text = prose("\n\n".join(texts(read(find("fr", number)))))
    assert re.findall(r".{12}[ \w][:;?!](?= |$)", re.sub(r"https?:", "", text)) == []
    assert re.findall(r".{12}'.{3}", text) == []
    assert re.findall(r"«[^\u00a0]|[^\u00a0]»", text) == []


def test_every_notebook_has_its_twin_and_links_lead_to_the_next():
    assert len(EVERY) == 2 * len(NUMBERS)
    pattern = r"\]\(([^)]+\.ipynb)\)"
    links = [
        (path, name) for path in EVERY for name in re.findall(pattern, path.read_text("utf-8"))
    ]
    assert len(links) >= 2 * (len(NUMBERS) - 1)
    assert [name for path, name in links if not (path.parent / name).is_file()] == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("number", NUMBERS)
def test_runs_from_top_to_bottom_offline(number, tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGETTE_NOTEBOOK_DATASET", "digits")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    # Streamlit sets it where it is imported, and figures would not be shown.
    monkeypatch.delenv("MPLBACKEND", raising=False)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    # In a folder of the same name, because the notebooks take their language from it.
    folder = tmp_path / "fr"
    folder.mkdir()
    notebook = read(find("fr", number))
    told = sections(notebook)
    make_smaller(notebook, number)
    solved = [nbformat.v4.new_code_cell(code) for code in solutions(notebook)]
    # The last cell of the notebook with a server stops it, so solutions come before it.
    end = len(notebook.cells) - (1 if notebook.cells[-1].cell_type == "code" else 0)
    notebook.cells[end:end] = solved
    client = nbclient.NotebookClient(
        notebook, timeout=500, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    del notebook.cells[end : end + len(solved)]
    shown = sections(notebook)
    assert set(shown) == set(told)
    assert [name for name, kinds in shown.items() if not kinds & {"image/png", "text/html"}] == []
    left = {path.name for path in folder.iterdir()}
    assert {name for name in left if not name.startswith(".coverage")} == set()
