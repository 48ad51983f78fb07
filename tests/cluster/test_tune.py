"""A search for a better recipe: real trials on Ray, interrupted, killed, and resumed."""

import csv
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import ray
from optuna.trial import TrialState
from PIL import Image
from ray.exceptions import OutOfMemoryError
from support.command_line import PROGRAM

from imagette import ImagetteError, Recipe
from imagette.cli.app import main
from imagette.cluster import run_trials
from imagette.cluster.connection import cluster
from imagette.cluster.search_space import SearchSpace
from imagette.cluster.study import METRIC, Search, importances, make_scheduler, open_study, rows
from imagette.cluster.tune import tune
from imagette.cluster.tune_folder import TuneInfo
from imagette.runs import read_metrics, read_run

SPACE = """
label_smoothing = {choose = [0.0, 0.2]}
[optimizer]
learning_rate = {log = [0.001, 0.1]}
"""
TRIALS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recipe of a tiny network, and a search space."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "space.toml").write_text(SPACE, encoding="utf-8")
    recipe = Recipe.load("sprint-80").change(
        name="tiny", model_options={"widths": [4]}, batch_size=200, epochs=2,
        progressive_share=0.0, label_smoothing=0.2,
        optimizer={"name": "adam", "learning_rate": 0.01},
    )  # fmt: skip
    recipe.save(folder / "tiny.toml")
    return folder


def ended(folder: Path) -> list[dict[str, str]]:
    file = folder / "tune/first/trials.csv"
    return list(csv.DictReader(file.open(encoding="utf-8"))) if file.is_file() else []


def started(folder: Path, *arguments: str) -> subprocess.Popen:
    """A search, as a process."""
    return subprocess.Popen(
        [*PROGRAM, "tune", *arguments, "--name", "first"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_until(there: Callable[[], Any], process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 300
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.5)  # to look through all processes costs Ray's start much of a core


def of_trials(process: subprocess.Popen) -> list[psutil.Process]:
    """Ray's processes that run trials."""
    found = []
    for one in psutil.Process(process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if one.cmdline()[:1] == ["ray::ImplicitFunc.train"]:
                found.append(one)
    return found


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_search_goes_on_after_ctrl_c_a_kill_and_a_lost_worker(folder):
    whole = ["digits", "--recipe", "tiny.toml", "--space", "space.toml", "--trials", str(TRIALS)]
    process = started(folder, *whole)
    wait_until(lambda: ended(folder), process)
    begun = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert not printed
    assert f"Running {TRIALS} trials" in said
    assert "imagette tune --name first --runs-dir tune --resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert begun
    assert not psutil.wait_procs(begun, timeout=30)[1]
    first = ended(folder)

    process = started(folder, "--resume")
    wait_until(lambda: of_trials(process), process)
    begun = of_trials(process)
    process.kill()
    process.communicate(timeout=60)
    assert not psutil.wait_procs(begun, timeout=60)[1]
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
    # The recipe's own values once, though their trial may have been interrupted; and no other
    # values twice.
    values = [(row["label_smoothing"], row["optimizer.learning_rate"]) for row in last]
    assert ("0.2", "0.01") in values
    assert len(set(values)) == TRIALS
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
    # Trained with as many threads as the trial, it is the same network.
    assert str(max(epoch.val_accuracy for epoch in run.history)) == best["val_accuracy"]
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


@pytest.mark.parametrize(
    "options",
    [
        *(
            ["--ray-address", one]
            for one in ("192.168.1.10", "local", "", "ray://head:10001", "::1")
        ),
        ["--ray", "--ray-address", "auto"],
        ["--ray-address", "auto", "--ray"],
    ],
)
@pytest.mark.parametrize("command", ["predict", "train", "tune", "benchmark time-to-accuracy"])
def test_every_command_refuses_what_is_no_address_of_a_cluster(
    monkeypatch, capsys, command, options
):
    monkeypatch.setattr("sys.argv", ["imagette", *command.split(), *options])
    with pytest.raises(SystemExit):
        main()
    both = len(options) == 3
    said = "names another one" if both else "is not the address of a Ray cluster"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("address", ["[::1]:{port}", "localhost:{port}", "localhost:99999"])
def test_a_cluster_that_does_not_answer_is_told_with_its_address(address):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = address.format(port=free.getsockname()[1])
    with pytest.raises(ImagetteError) as error, cluster(address):
        pass
    assert f"The Ray cluster {address} does not answer" in error.value.problem
    assert "such as --ray-address 192.168.1.10:6379" in error.value.remedy


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
    assert "lost 11 times" in rows(study, space)[-1]["problem"]
    assert set(importances(study)) == set(space.names)

    # As after a kill: `e` was running, and its values come again; those that failed do not.
    again = open_study(tmp_path)
    assert rows(again, space) == rows(study, space)
    assert Search(again, recipe, space, lambda: None).suggest("f") == chosen["e"]


def test_an_interrupted_trial_is_enqueued_once_whenever_the_kill_came(search, tmp_path):
    recipe, space, study, asked = search
    own = asked.suggest("a")

    def waiting(study):
        return [one.number for one in study.get_trials(states=[TrialState.WAITING])]

    # Killed while a resumed search had enqueued it and not yet closed it.
    study.enqueue_trial(study.trials[0].params, user_attrs={"instead of": 0})
    assert waiting(open_study(tmp_path)) == [1]
    # Killed when it was taken from the queue and had no values yet.
    study.ask()
    again = open_study(tmp_path)
    assert waiting(again) == [2]
    assert waiting(open_study(tmp_path)) == [2]
    assert Search(again, recipe, space, lambda: None).suggest("b") == own
    assert rows(again, space) == []


def test_a_trial_that_was_killed_as_it_ended_has_ended(search, tmp_path, monkeypatch):
    _, space, study, asked = search
    asked.suggest("a")
    monkeypatch.setattr(study, "tell", None)  # killed here
    monkeypatch.setattr(asked._ot_study, "tell", None)
    told(asked, "a", [0.2, 0.4], finished=True)
    assert rows(study, space) == []
    [row] = rows(open_study(tmp_path), space)
    assert (row["val_accuracy"], row["epochs"], row["ended"]) == (0.4, 2, "finished")


def test_workers_killed_for_lack_of_memory_begin_their_trials_anew(search, tmp_path, monkeypatch):
    recipe, space, study, _ = search
    short = RuntimeError("Caught unexpected exception")
    short.__cause__ = OutOfMemoryError("1 worker was killed")
    begun = []

    def run(study, info, *_):
        begun.append(Search(study, recipe, space, lambda: None).suggest(str(len(begun))))
        if len(begun) < 3:
            raise short
        return "done"

    monkeypatch.setattr(run_trials, "_run", run)
    monkeypatch.setattr(ray, "put", lambda value: value)
    info = TuneInfo("digits", recipe, space, tmp_path / "space.toml", TRIALS, None)
    share = run_trials.Share(1, 0)
    assert run_trials.run_trials(study, info, {}, share, lambda: None) == "done"
    assert begun[0] == begun[1] == begun[2]
    monkeypatch.setattr(run_trials, "MAX_FAILURES", -1)
    with pytest.raises(ImagetteError, match="because memory was short"):
        run_trials.run_trials(study, info, {}, share, lambda: None)


def test_importances_compare_trials_after_as_many_epochs(search):
    """And leave out those that failed."""
    *_, study, asked = search
    for number in range(12):
        config = asked.suggest(str(number))["recipe"]
        early = 0.5 + config["label_smoothing"]  # decides alone
        told(asked, str(number), [early] if number % 2 else [early, 0.99 - early / 9])
    asked.suggest("failed")
    told(asked, "failed", [0.0], finished=True, problem="The loss became nan in epoch 1.")
    found = importances(study)
    assert max(found, key=found.get) == "label_smoothing"
    assert found["label_smoothing"] > 0.95


def test_trials_find_paths_from_whatever_folder_they_run_in(search, tmp_path, monkeypatch):
    recipe, space, study, _ = search
    monkeypatch.chdir(tmp_path)
    relative = recipe.change(init_from="runs/start", distillation={"teacher": "runs/teacher"})
    config = Search(study, relative, space, lambda: None).suggest("a")["recipe"]
    assert config["init_from"] == str(tmp_path / "runs/start")
    assert config["distillation"]["teacher"] == str(tmp_path / "runs/teacher")
    weights = Search(study, recipe.change(init_from="imagenet"), space, lambda: None).suggest("b")
    assert weights["recipe"]["init_from"] == "imagenet"


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
