"""The command line in a shell whose system speaks French: no English is left in what it says."""

import os
import re
import subprocess

import pytest
from PIL import Image
from support.command_line import imagette, imagette_here

ENGLISH = re.compile(
    r"\b(the|of|and|or|to|is|are|with|for|from|by|it|this|pictures?|default|file|about|left|none"
    r"|accuracy|epochs?|loss|report|stopped|cannot)\b",
    re.IGNORECASE,
)
# What is the same in every language: commands, options, paths, names and choices.
NAMES = re.compile(r"DOSSIER/none of these|`[^`]*`|imagette .*|\S*[/\\]\S*|--?[\w-]+|<[^>]*>")


FRENCH = {"LANG": "fr_FR.UTF-8", "LANGUAGE": "", "LC_ALL": "", "COLUMNS": "200"}


def in_french(done) -> str:
    """What a command said, all of it French."""
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    for line in said.splitlines():
        assert not ENGLISH.search(NAMES.sub("", line)), line
    return said


@pytest.fixture
def say_in_french(tmp_path):
    def run(*arguments) -> str:
        options = {"cwd": tmp_path, "stdin": subprocess.DEVNULL, "encoding": "utf-8"}
        return in_french(imagette(*arguments, env=os.environ | FRENCH, **options))

    return run


@pytest.mark.parametrize("command", ["", "train", "predict", "evaluate", "serve"])
def test_help(say_in_french, command):
    assert "Affiche cette aide." in say_in_french(*command.split(), "--help")


def test_answers_and_mistakes(say_in_french, bundle_path, tmp_path):
    pictures = [tmp_path / f"{number}.png" for number in range(2)]
    for number, picture in enumerate(pictures):
        Image.new("RGB", (40, 40), (90 * number, 80, 70)).save(picture)
    (tmp_path / "text.png").write_text("no picture")

    said = say_in_french("predict", *pictures, "text.png", "--model", bundle_path)

    assert re.search(r"\d\u202f%", said)
    assert "n'est pas une image lisible" in said
    assert "Aucun fichier ni dossier ne s'appelle rien.png." in say_in_french("predict", "rien.png")
    assert "L'option --rien n'existe pas." in say_in_french("train", "--rien")


@pytest.mark.slow
def test_a_training_and_its_evaluation(monkeypatch, tmp_path, plain_plots):
    """Within this process, which would keep Typer's own words in French: those are shown above."""
    monkeypatch.setattr("imagette.cli.app.speak_french", lambda: None)
    for name, value in FRENCH.items():
        monkeypatch.setenv(name, value)
    settings = ["--set", "epochs=1", "--set", "patience=0"]

    said = in_french(
        imagette_here("train", "digits", "--recipe", "classic", *settings, cwd=tmp_path)
    )

    assert re.search(r"époque +1/1 +perte \d,\d{4} +exactitude \d+,\d\d\u202f%", said)
    measured = re.compile(r"Exactitude \d+,\d\d\u202f% sur la partie de test de digits\u00a0:")
    assert measured.search(said)
    again = imagette_here("evaluate", "runs/digits-classic", cwd=tmp_path)
    assert measured.search(in_french(again))
