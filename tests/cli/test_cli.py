"""The command line: as a process of its own, and within this one where that would take long."""

import json
import os
import re
from itertools import product
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import typer
from PIL import Image
from support.command_line import imagette, imagette_here
from support.images import noise

from imagette import Recipe, __version__, load_dataset, train
from imagette.cli.app import app
from imagette.training.recipe import DEFAULT, presets
from imagette.training.reporter import Reporter

COMMANDS = [name for name in typer.main.get_command(app).commands if name != "benchmark"]


def test_the_commands_are_the_promised_ones_and_help_names_them():
    assert sorted(COMMANDS) == [
        "compare", "demo", "evaluate", "explore", "export", "models", "page", "predict", "serve",
        "train", "tune",
    ]  # fmt: skip
    assert [group.name for group in app.registered_groups] == ["benchmark"]
    text = imagette("--help").stdout
    assert all(command in text for command in COMMANDS)
    assert "time-to-accuracy" in done("benchmark", "--help").stdout


def done(*arguments, cwd="."):
    """What a command that goes well says."""
    answer = imagette_here(*arguments, cwd=cwd)
    assert answer.returncode == 0, answer.stderr
    return answer


@pytest.mark.parametrize("command", [*COMMANDS, "benchmark time-to-accuracy"])
def test_every_command_explains_itself_with_an_example(command):
    assert f"Example: imagette {command}" in done(*command.split(), "--help").stdout


def test_help_names_every_recipe():
    text = " ".join(done("train", "--help").stdout.replace("│", " ").split())
    assert all(recipe in text for recipe in presets())
    assert f"default: {DEFAULT}" in text


def test_networks_are_listed(monkeypatch):
    rows = [
        {"name": "classic-cnn", "parameters": 167_562, "flops": 7, "options": {}},
        {"name": "sprint", "parameters": 5, "flops": 7, "options": {"widths": (64, 128, 256)}},
    ]
    monkeypatch.setattr("imagette.models.list_models", lambda: rows)
    table = done("models").stdout
    assert {"classic-cnn", "sprint"} <= set(table.split())
    assert "167,562" in table
    assert "widths = (64, 128, 256)" in " ".join(table.split())
    assert json.loads(done("models", "--json").stdout) == json.loads(json.dumps(rows))


def test_version():
    assert imagette("--version").stdout.strip() == __version__


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    Image.new("RGB", (50, 40), "red").save(folder / "a.png")
    (folder / "b.jpg").write_bytes(b"not a picture")
    Image.new("RGB", (50, 40), "blue").save(folder / "c.webp")
    return folder


def test_predict_reports_an_unreadable_file_in_its_place(pictures, bundle_path):
    answer = imagette("predict", pictures, "--model", bundle_path, "--json")
    assert answer.returncode == 1
    answers = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [Path(one["file"]).name for one in answers] == ["a.png", "b.jpg", "c.webp"]
    assert ["label" in one for one in answers] == [True, False, True]
    assert "cannot be read" in answers[1]["error"]
    assert answers[0]["known"] is None
    assert sum(answers[0]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def predicted(*arguments, cwd="."):
    """What `predict` says of one picture, for programs."""
    return json.loads(done("predict", *arguments, "--json", cwd=cwd).stdout)


def test_predict_shows_the_likeliest_classes(pictures, bundle_path):
    command = pictures / "a.png", "--model", bundle_path
    found = predicted(*command)
    said = done("predict", *command, "--top", 3).stdout
    best = sorted(found["probabilities"].values(), reverse=True)[:3]
    assert re.findall(r"\d+%", said) == [f"{one:.0%}" for one in best]
    assert said.startswith(found["label"])
    assert said.endswith(f"%  {pictures / 'a.png'}\n")
    few = predicted(*command, "--top", 2)
    assert list(few["probabilities"].values()) == best[:2]
    assert few | {"probabilities": found["probabilities"]} == found


def test_predict_with_the_lite_model(pictures):
    models = [], ["--model", "cifar10"], ["--model", "cifar10-lite"]
    default, cifar10, lite = (predicted(pictures / "a.png", *model) for model in models)
    assert default == cifar10 != lite


def test_predict_says_plainly_when_it_is_none_of_these(tmp_path):
    (tmp_path / "noise.png").write_bytes(noise(0, 64, 64))
    said = done("predict", "noise.png", cwd=tmp_path).stdout
    assert re.fullmatch(r"none of these +noise.png  \(closest: \w+ \d+%\)\n", said)
    found = predicted("noise.png", cwd=tmp_path)
    assert found["known"] is False
    assert found["familiarity"] < 0.5


def test_predict_draws_why_and_writes_over_nothing(pictures, bundle_path, tmp_path):
    command = ["predict", pictures / "a.png", "--model", bundle_path, "--explain"]
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    answer = imagette_here(*command, tmp_path / "taken")
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert "taken" in answer.stderr
    for name in ("a-why.png", "a-why-2.png"):
        assert f"why: {tmp_path / 'why' / name}" in done(*command, tmp_path / "why").stdout
        with Image.open(tmp_path / "why" / name) as drawn, Image.open(pictures / "a.png") as own:
            assert drawn.width / drawn.height == pytest.approx(own.width / own.height, rel=0.05)
            assert max(drawn.size) >= 128


def test_predict_looks_through_a_folder_as_training_does(tmp_path, bundle_path):
    for name in ("a.png", "deep/b.png", ".ipynb_checkpoints/a.png", "Thumbs.db/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (50, 40), "red").save(tmp_path / name)
    (tmp_path / "deep" / "b.png").rename(tmp_path / "deep" / "b")
    (tmp_path / "deep" / "gone.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "notes.txt").write_text("words", encoding="utf-8")
    command = ("predict", ".", "--model", bundle_path)
    for times in range(2):
        answer = done(*command, "--explain", ".", "--json", cwd=tmp_path)
        rows = [json.loads(line) for line in answer.stdout.splitlines()]
        assert [row["file"] for row in rows] == ["a.png", "deep/b"]
        told = f"In . {2 + 2 * times} files were left out, the first: "
        assert told + ("a-why.png was written" if times else "deep/gone.png is") in answer.stderr
    (tmp_path / "deep" / "b").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    answer = imagette_here("predict", "deep/b", "--model", bundle_path, cwd=tmp_path)
    assert "deep/b is a Git LFS pointer, not a picture: run `git lfs pull`." in answer.stderr


def test_predict_reads_stdin(pictures, bundle_path):
    with (pictures / "a.png").open("rb") as file:
        answer = imagette("predict", "-", "--model", bundle_path, "--json", stdin=file)
    assert json.loads(answer.stdout)["file"] == "stdin"
    assert answer.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "arguments", "message"),
    [
        (imagette, ["predict", ".", "--model", "absent.onnx"], "no model file absent.onnx"),
        (imagette_here, ["predict", "absent.png"], "no file or folder absent.png"),
        (imagette_here, ["train", "nowhere"], "no dataset or folder called nowhere"),
        (imagette_here, ["train", "digits", "--recipe", "nothing"], "no recipe nothing"),
        (imagette_here, ["train", "digits", "--set", "epoch=3"], "no field `epoch`"),
        (imagette_here, ["train", "digits", "--set", "model=alexnet"],
         "no network called 'alexnet'"),
        (imagette_here, ["evaluate", "nothing"], "no model file nothing"),
        (imagette_here, ["compare", "nothing"], "nothing does not exist"),
        (imagette_here, ["export", "nothing.h5", "--format", "onnx"], "no file nothing.h5"),
        (imagette_here, ["explore", "[red]nowhere[/]"], "called [red]nowhere[/]"),
        (imagette_here, ["predict", "."], "no pictures in ."),
    ],
)  # fmt: skip
def test_a_mistake_is_two_sentences_and_no_traceback(run, arguments, message, tmp_path):
    answer = run(*arguments, cwd=tmp_path)
    assert answer.returncode == 1
    assert message in answer.stderr
    assert answer.stderr.startswith("Error: ")
    assert len(answer.stderr.splitlines()) == 2
    assert answer.stdout == ""


@pytest.mark.slow
def test_evaluate_for_people_and_for_programs(digits_run, plain_plots):
    metrics = json.loads(done("evaluate", digits_run.folder, "--json").stdout)
    assert metrics == json.loads((digits_run.folder / "metrics.json").read_bytes())
    assert (metrics["split"], metrics["n"]) == ("test", 360)
    said = done("evaluate", digits_run.folder).stdout
    assert "on the test split of digits: 360 pictures" in said
    assert "seven" in said
    assert str(digits_run.folder / "report.html") in said


def test_explore_and_compare_print_tables(tmp_path, digits_run):
    assert "1,437" in done("explore", "digits", cwd=tmp_path).stdout
    assert (tmp_path / "explore-digits" / "index.html").is_file()
    assert "167,562" in done("compare", digits_run.folder, cwd=tmp_path).stdout
    assert (tmp_path / "compare.png").is_file()


def test_an_audit_says_where_its_page_is(tmp_path, digits_run):
    audited = done("explore", "--audit", digits_run.folder, "--out", "found", cwd=tmp_path)
    assert "of 360 labels are doubtful" in audited.stdout
    assert "near duplicates: " in audited.stdout
    assert sorted(file.name for file in (tmp_path / "found").iterdir()) == [
        ".imagette", "audit.csv", "audit.html", "duplicates.csv",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A new user's folder, with pictures: red things and blue things, one file of them broken."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(0)
    for name, colour in (("red [things]", (200, 30, 30)), ("blue", (30, 30, 200))):
        (home / "mine" / name).mkdir(parents=True)
        for number in range(20):
            pixels = (np.array(colour) + rng.integers(-25, 25, (24, 30, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(home / "mine" / name / f"{number}.png")
    (home / "mine" / "blue" / "broken.png").write_bytes(b"")
    return home


@pytest.fixture(scope="module")
def trained(home, plain_plots):
    """What training on those said."""
    settings = ["--recipe", "classic", "--set", "epochs=12", "--set", "batch_size=8"]
    return done("train", "mine", *settings, cwd=home)


@pytest.mark.slow
def test_a_folder_of_pictures_from_exploring_to_predicting(home, trained):
    assert "broken.png" in done("explore", "mine", cwd=home).stdout
    assert "broken.png" in trained.stderr
    assert "on the validation pictures of" in trained.stdout
    bundle = home / "runs" / "mine-classic" / "model.onnx"
    picture = home / "mine" / "red [things]" / "0.png"
    assert predicted(picture, "--model", bundle, cwd=home)["label"] == "red [things]"
    shown = done("predict", picture, "--model", bundle, cwd=home).stdout
    assert re.fullmatch(rf"red \[things\]\?? +\d+%  {re.escape(str(picture))}.*\n", shown)


@pytest.mark.slow
def test_what_is_written_among_the_pictures_is_never_learned(tmp_path, monkeypatch, plain_plots):
    """Every command in the folder of the pictures, a training that was stopped among them."""
    rng = np.random.default_rng(0)
    for name, number in product(("a", "b"), range(6)):
        (tmp_path / name).mkdir(exist_ok=True)
        pixels = rng.integers(0, 99, (24, 24, 3)).astype(np.uint8) + 150 * (name == "a")
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    stopping = mock.Mock(spec=Reporter)
    stopping.on_epoch.side_effect = KeyboardInterrupt
    recipe = Recipe.load("classic").change(epochs=2, patience=0)
    with pytest.raises(KeyboardInterrupt):
        train(".", recipe, name="x", reporter=stopping)
    bundle = "runs/x/model.onnx"
    for command in (
        "explore .", "train . --name x --resume", "evaluate runs/x", "explore --audit runs/x",
        f"evaluate {bundle} . --out measured", "explore . --out b", "compare runs/x",
        "export runs/x --format onnx --quantize weights --out small/x.onnx",
        f"predict . --explain . --model {bundle}",
    ):  # fmt: skip
        done(*command.split())
    data = load_dataset(tmp_path)
    assert (data.class_names, len(data.train)) == (("a", "b"), 12)
    written = [one for one in data.skipped if "was written by Imagette" in one[1]]
    assert len(written) == 1
    assert json.loads(Path("runs/x/run.json").read_text())["finished"]


@pytest.mark.slow
def test_corruptions_are_measured_once(home, trained):
    command = ("evaluate", home / "runs" / "mine-classic", "--corruptions", "--out", home / "again")
    first, second = done(*command, cwd=home), done(*command, cwd=home)
    assert "jpeg compression: " in first.stderr
    assert "Under corruption" in first.stdout
    assert "jpeg" not in second.stderr
    assert second.stdout == first.stdout


@pytest.mark.slow
def test_what_is_not_installed_is_named(tmp_path):
    """A plain installation, which lacks the training libraries: one says how to get them."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError(name='torch')", encoding="utf-8")
    answer = imagette("train", "digits", env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert answer.returncode == 1
    assert "pip install 'imagette[train]'" in answer.stderr
    assert len(answer.stderr.splitlines()) == 2
