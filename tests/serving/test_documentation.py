"""The examples of how to call the API do what the page says, on a real server."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from support.running_server import picture_file

from imagette.cli.app import app
from imagette.serving import metrics
from imagette.serving.problems import KINDS
from imagette.serving.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "how-to" / "call-the-api.md"
REFERENCE = (DOCS / "reference" / "http.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
CURL = [code for language, code in EXAMPLES if language == "sh" and "curl " in code]
PYTHON = [code for language, code in EXAMPLES if language == "python"]


@pytest.fixture
def run(start_server, bundle_path, tmp_path):
    """A function that runs a command where the pictures of the examples lie."""
    server = start_server(f"cifar10={bundle_path}").wait_until_ready()
    for name in ("cat.png", "ship.png"):
        (tmp_path / name).write_bytes(picture_file(size=(80, 60)))
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")

    def run_it(command, code):
        code = code.replace("127.0.0.1:5000", f"127.0.0.1:{server.port}")
        done = subprocess.run(
            [*command, code], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run_it


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_examples(run):
    form, body, text, explained, several, model = (
        json.loads(run(["sh", "-c"], code)) for code in CURL
    )
    assert explained["explanation"]["heat_map"].startswith("data:image/png")
    assert form["class"] == body["class"] == text["class"]
    files = [answer["file"] for answer in several["predictions"]]
    assert files == ["cat.png", "ship.png", "notes.txt"]
    assert several["predictions"][2]["type"].endswith("unreadable-picture")
    assert "class_names" in model


def test_python_examples(run):
    pytest.importorskip("requests")
    pytest.importorskip("tritonclient.http")
    file, images, array, tensors, error = (run([sys.executable, "-c"], code) for code in PYTHON)
    assert re.fullmatch(r"\w+: \d+%\n", file)
    assert re.fullmatch(r"cat.png \w+\nship.png \w+\n", images)
    assert array.strip().isdigit()
    assert re.fullmatch(r"\[b'\w+' b'\w+'\] \(2, 10\)\n", tensors)
    assert error.startswith("urn:imagette:problem:unreadable-picture\n")


def test_every_problem_is_in_the_table():
    table = re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", REFERENCE, re.M)
    assert sorted(table) == sorted((kind, str(status)) for kind, (status, _) in KINDS.items())


def test_every_metric_is_in_the_table():
    source = Path(metrics.__file__).read_text(encoding="utf-8")
    named = set(re.findall(r"imagette_[a-z_]+", source))
    assert named
    table = re.findall(r"^\| `(imagette_[a-z_]+)` \|", REFERENCE, re.M)
    assert named == {name.removesuffix("_total") for name in table}


def test_every_setting_has_a_flag():
    flags = {one.name for one in typer.main.get_command(app).commands["serve"].params}
    assert flags >= set(Settings.model_fields)
