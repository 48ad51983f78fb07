"""Every `imagette` command that the documentation shows is one that the command line takes."""

import json
import re
import shutil

import pytest
from support.shown import (
    COMMAND_LINE,
    NOTEBOOKS,
    ROOT,
    TEXTS,
    code_blocks,
    commands,
    find_command,
    mentions,
    parse,
    read,
)
from typer.testing import CliRunner

from imagette.cli.app import app
from imagette.serving.settings import Settings, variable
from imagette.training.recipe import Recipe, presets
from imagette.training.recipe_tables import parse_settings

SAMPLES = ROOT / "src" / "imagette" / "assets" / "samples"
TUTORIAL = ROOT / "docs" / "tutorial" / "your-own-classes.md"
SHOWN = {
    (file.relative_to(ROOT).as_posix(), *words) for file in TEXTS for words in commands(read(file))
}


def test_commands_are_found():
    """Or the tests below would hold for nothing."""
    for file in ("README.md", "README.fr.md", TUTORIAL.relative_to(ROOT).as_posix()):
        assert len([words for words in SHOWN if words[0] == file]) >= 4
    assert commands("    $ A=b imagette train x \\\n    --name y  # z\n") == [
        ["train", "x", "--name", "y"]
    ]
    assert commands("Text\n\n```sh\nimagette demo | head\n```\n") == [["demo"]]
    assert len([file for file in NOTEBOOKS if mentions(read(file))]) >= 6


def test_commands_are_found_in_cells(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["Like `imagette\n", "models`:"]},
        {"cell_type": "code", "source": ["x = 1\n", "!imagette train x \\\n", "    --name y"]},
        {"cell_type": "code", "source": ["imagette = 2"]},
    ]
    notebook = tmp_path / "some.ipynb"
    notebook.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    assert mentions(read(notebook)) == [["models"]]
    assert commands(read(notebook)) == [["train", "x", "--name", "y"]]


def test_shown_commands_are_understood(subtests):
    for file in TEXTS:
        with subtests.test(str(file)):
            for words in commands(read(file)):
                if {"-h", "--help", "--version"} & set(words):
                    continue
                name, parameters = parse(words)
                if name == "train":
                    recipe = parameters["recipe"] or "sprint-90"
                    recipe = "sprint-90" if recipe.endswith(".toml") else recipe  # the reader's own
                    Recipe.load(recipe).change(**parse_settings(parameters["settings"] or []))
                if name == "time-to-accuracy" and parameters["recipes"]:
                    assert set(parameters["recipes"].split(",")) <= set(presets())


def test_mentioned_commands_and_options_exist(subtests):
    for file in TEXTS:
        with subtests.test(str(file)):
            for words in mentions(read(file)):
                command, rest = find_command(words)
                placeholder = words[0] == "COMMAND"
                assert placeholder or command is not COMMAND_LINE or words[0].startswith("-"), words
                options = {name for one in command.params for name in one.opts} | {"-h", "--help"}
                assert {word for word in rest if word.startswith("--")} <= options, words


def test_examples_of_the_help_are_understood():
    def check(command):
        for below in getattr(command, "commands", {}).values():
            check(below)
        if command.callback and not hasattr(command, "commands"):
            (words,) = commands(f"    {command.epilog.removeprefix('Example: ')}\n")
            assert parse(words)[0] == command.name

    check(COMMAND_LINE)


@pytest.mark.parametrize("wrong", [["trian"], ["train", "--nope"], ["serve", "--port", "x"]])
def test_a_wrong_command_would_be_noticed(wrong):
    with pytest.raises(Exception, match=r"No such|valid integer"):
        parse(wrong)


def test_variables_exist():
    known = {variable(name) for name in Settings.model_fields} | {
        "IMAGETTE_CIFAR10_DIR",
        "IMAGETTE_CACHE_DIR",
        "IMAGETTE_API_KEY",
        "IMAGETTE_API_URL",
        "IMAGETTE_PAGE_TOKEN",
        "IMAGETTE_NOTEBOOK_DATASET",  # of the notebooks alone
    }
    for file in TEXTS:
        text = read(file)
        assert set(re.findall(r"\bIMAGETTE_[A-Z0-9_]+\b", text)) <= known, file


@pytest.fixture
def shown_files(tmp_path, monkeypatch, bundle_path):
    """A folder that has the files which the quick commands name; commands run in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "holidays/cat.png", "my_pictures/three/0.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / "cat.png", path)
    run = tmp_path / "runs" / "first"
    run.mkdir(parents=True)
    shutil.copy(bundle_path, run / "model.onnx")
    return tmp_path


QUICK = {
    words[1:]
    for words in SHOWN
    if (words[1] == "predict" and "--ray" not in words) or {"--help", "--version"} & set(words)
} | {("predict", "cat.jpg", "holidays/")}


@pytest.mark.parametrize("words", sorted(QUICK), ids=" ".join)
def test_quick_commands_run(words, shown_files):
    answer = CliRunner().invoke(app, list(words))
    assert answer.exit_code == 0, answer.output
    assert answer.output.strip()


def test_the_tutorial_shows_what_the_reader_will_see(tmp_path, monkeypatch):
    """Its pictures are written by its own lines, and looked at as it says."""
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    blocks = code_blocks(TUTORIAL.read_text(encoding="utf-8"))
    (lines,) = (code for language, code in blocks if language == "python")
    exec(compile(lines, "make_pictures.py", "exec"), {})
    shown = blocks[blocks.index(("sh", "imagette explore my_pictures\n")) + 1][1]
    said = CliRunner().invoke(app, ["explore", "my_pictures"]).stdout
    assert [line.rstrip() for line in said.splitlines() if line.strip()] == [
        line for line in shown.splitlines() if line.strip()
    ]
