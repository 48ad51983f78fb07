"""A search for a better recipe: real trials on Ray, stopped, killed, and gone on with."""

import csv
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from PIL import Image
from support.command_line import PROGRAM

from imagette import ImagetteError, Recipe
from imagette.cluster.search_space import SearchSpace
from imagette.cluster.study import METRIC, Search, importances, make_scheduler, open_study, rows
from imagette.cluster.tune import tune
from imagette.runs import read_metrics, read_run

SPACE = """
label_smoothing = {choose = [0.0, 0.2]}
[optimizer]
learning_rate = {log = [0.001, 0.1]}
"""
TRIALS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recipe of a tiny network, what to try, and one search that is stopped."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    recipe = Recipe.load("sprint-80").change(
        name="tiny", model_options={"widths": [4]}, batch_size=200, epochs=3,
        progressive_share=0.0, label_smoothing=0.2,
        optimizer={"name": "adam", "learning_rate": 0.01},
    )  # fmt: skip
    recipe.save(folder / "tiny.toml")
    return folder


def ended(folder: Path) -> list[dict[str, str]]:
    file = folder / "tune/first/trials.csv"
    return list(csv.DictReader(file.open(encoding="utf-8"))) if file.is_file() else []


def started(folder: Path, *arguments: str) -> subprocess.Popen:
    """A search under way."""
    return subprocess.Popen(
        [*PROGRAM, "tune", *arguments, "--name", "first"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until(there: Callable[[], Any], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def of_trials(process: subprocess.Popen) -> list[psutil.Process]:
    """The processes of Ray's that train trials."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if one.cmdline()[:1] == ["ray::ImplicitFunc.train"]:
                found.append(one)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_that_is_interrupted_or_loses_a_worker_goes_on(folder):
    whole = ["digits", "--recipe", "tiny.toml", "--space", "space.toml", "--trials", str(TRIALS)]
    process = started(folder, *whole)
    wait_until(lambda: ended(folder), process)
    begun = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert not printed
    assert f"Making {TRIALS} trials" in said
    assert "imagette tune --name first --runs-dir tune --resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert begun
    assert not psutil.wait_procs(begun, timeout=30)[1]
    first = ended(folder)

    process = started(folder, "--resume")
    wait_until(lambda: of_trials(process), process)
    of_trials(process)[0].kill()  # its trial begins anew
    printed, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert f"Going on after {len(first)} of {TRIALS} trials" in said
    assert "Traceback" not in said
    assert "Accuracy" in printed
    assert "Ray" not in printed + said
    last = ended(folder)
    assert first == last[: len(first)]
    assert len(last) == TRIALS
    # What was under way came again, and the recipe's own values were the first of all.
    values = [(row["label_smoothing"], row["optimizer.learning_rate"]) for row in last]
    assert values.count(("0.2", "0.01")) == 1
    check_what_is_left(folder / "tune/first", last)
    check_it_goes_on_with_nothing_else(folder)


def check_what_is_left(found: Path, last: list[dict[str, str]]) -> None:
    """The best recipe, its run, and the plot."""
    best = max(
        (row for row in last if row["ended"] == "finished"), key=lambda row: row["val_accuracy"]
    )
    recipe = Recipe.load(found / "best.toml")
    assert recipe.name == "tiny-tuned"
    assert recipe.label_smoothing == float(best["label_smoothing"])
    assert recipe.optimizer.learning_rate == float(best["optimizer.learning_rate"])
    run = read_run(found / f"trial-{best['trial']}")
    assert Recipe.load(run.path / "recipe.toml") == recipe
    metrics = read_metrics(run)
    assert metrics is not None
    assert metrics["split"] == "test"
    with Image.open(found / "trials.png") as plot:
        assert plot.width > 1000


def check_it_goes_on_with_nothing_else(folder: Path) -> None:
    """Other values or another recipe are refused, and nothing is changed."""
    before = sorted((folder / "tune/first").iterdir())
    other = folder / "other.toml"
    other.write_text("batch_size = {choose = [100, 200]}", encoding="utf-8")
    whole = {"name": "first", "runs_dir": folder / "tune"}
    for asked, said in (
        ({}, "exists already"),
        ({"resume": True, "space": other}, "began with other values to try"),
        ({"resume": True, "recipe": "sprint-80"}, "began with other settings"),
    ):
        with pytest.raises(ImagetteError, match=said):
            tune("digits", **whole | asked)
    assert sorted((folder / "tune/first").iterdir()) == before


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"recipe": "photos"}, "leaves nothing to tune"),
        ({"recipe": "nothing"}, "There is no recipe nothing"),
        ({}, "There is nothing to try"),
    ],
)
def test_what_cannot_be_searched_is_told_at_once(tmp_path, asked, said):
    with pytest.raises(ImagetteError, match=said):
        tune("digits", runs_dir=tmp_path / "tune", **asked)
    assert not (tmp_path / "tune").exists()


@pytest.fixture
def search(folder, tmp_path):
    """A study with a search, as Ray Tune has it, and what was told of the ends of trials."""
    recipe = Recipe.load(folder / "tiny.toml")
    space = SearchSpace.load(folder / "space.toml", recipe)
    study = open_study(tmp_path)
    return recipe, space, study, Search(study, recipe, space, lambda: None)


def told(search, name, accuracies, **more):
    result = {"epochs": len(accuracies), "seconds": 1.0, "problem": "", "finished": False} | more
    for epoch, accuracy in enumerate(accuracies, start=1):
        result |= {METRIC: accuracy, "training_iteration": epoch}
        search.on_trial_result(name, result)
    search.on_trial_complete(name, result)


def test_trials_that_end_in_any_way_are_kept(search, tmp_path):
    recipe, space, study, asked = search
    chosen = {name: asked.suggest(name) for name in "abcde"}
    assert Recipe(**chosen["a"]["recipe"]) == recipe  # its own values first
    told(asked, "a", [0.2, 0.3, 0.5], finished=True)
    told(asked, "b", [0.1])
    told(asked, "c", [0.0], finished=True, problem="The loss became nan in epoch 1.")
    asked.on_trial_complete("d", None, error=True)
    assert [row["ended"] for row in rows(study, space)] == [
        "finished", "stopped early", "failed", "failed",
    ]  # fmt: skip
    assert [row["val_accuracy"] for row in rows(study, space)] == [0.5, 0.1, None, None]
    assert set(importances(study)) == set(space.names)

    # As after a kill: `e` was under way, and its values come again.
    again = open_study(tmp_path)
    assert rows(again, space) == rows(study, space)
    assert Search(again, recipe, space, lambda: None).suggest("f") == chosen["e"]


def test_early_stopping_knows_earlier_trials(search):
    recipe, space, study, asked = search
    for name, accuracies in {"a": [0.5, 0.6], "b": [0.4], "c": [0.6, 0.7, 0.8]}.items():
        asked.suggest(name)
        told(asked, name, accuracies)
    scheduler = make_scheduler(study, recipe, space)
    trial = SimpleNamespace(trial_id="now")
    scheduler.on_trial_add(None, trial)
    result = {"training_iteration": 1, METRIC: 0.45}
    assert scheduler.on_trial_result(None, trial, result) == scheduler.STOP
