"""Runs: what they leave, how they stop, and how they go on.

Stops are real: `imagette train` as a process of its own, killed or interrupted by a signal. What
needs no process of its own runs within this one, where Keras is imported already.
"""

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from support.command_line import PROGRAM, imagette_here

import imagette
from imagette.data import Dataset, Split
from imagette.evaluation.label_issues import find_label_issues
from imagette.models.backend import load_keras
from imagette.training import trainer
from imagette.training.reporter import Reporter
from imagette.training.stopped_run import make_missing_bundle

pytestmark = pytest.mark.usefixtures("plain_plots")

EPOCHS = 5


def command(runs: Path, *arguments: str) -> list[str]:
    train = ["train", "digits", "--runs-dir", str(runs), "--recipe", "classic", "--name", "run"]
    return [*train, "--set", f"epochs={EPOCHS}", *arguments]


def train_here(runs: Path, *arguments: str) -> subprocess.CompletedProcess:
    return imagette_here(*command(runs, *arguments))


def start_and_wait_for_epochs(runs: Path, epochs: int) -> subprocess.Popen:
    """A training under way, with that many epochs done."""
    process = subprocess.Popen(
        [*PROGRAM, *command(runs)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    history = runs / "run" / "history.csv"
    deadline = time.monotonic() + 120
    while not history.is_file() or len(history.read_text(encoding="utf-8").splitlines()) <= epochs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


@pytest.fixture
def ready_bundle(uninterrupted, give_bundle):
    """Trainings need not make their bundle."""
    give_bundle(uninterrupted / "run" / "model.onnx")


def weights(runs: Path) -> list[np.ndarray]:
    return load_keras().saving.load_model(runs / "run" / "model.keras").get_weights()


def written(runs: Path) -> dict[Path, int]:
    """When each file of the run was written."""
    return {path: path.stat().st_mtime_ns for path in (runs / "run").iterdir()}


def losses(runs: Path) -> list[str]:
    with (runs / "run" / "history.csv").open() as file:
        return [row["loss"] + row["val_loss"] for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, digits_run) -> Path:
    """What `command` would leave: a folder of runs that has a finished one."""
    runs = tmp_path_factory.mktemp("uninterrupted")
    shutil.copytree(digits_run.folder, runs / "run")
    return runs


@pytest.fixture(scope="module")
def killed(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("killed")
    process = start_and_wait_for_epochs(runs, 2)
    process.kill()
    process.communicate()
    return runs


def test_a_run_leaves_everything(uninterrupted):
    left = {path.name for path in (uninterrupted / "run").iterdir()}
    assert left == {
        ".imagette",
        "recipe.toml", "environment.json", "run.json", "history.csv", "model.keras", "model.onnx",
        "metrics.json", "confusion.png", "curves.png", "reliability.png", "report.html",
        "README.md", "README.fr.md",
    }  # fmt: skip


def test_the_bundle_knows_where_it_came_from(uninterrupted):
    metadata = imagette.Classifier(uninterrupted / "run" / "model.onnx").metadata
    metrics = json.loads((uninterrupted / "run" / "metrics.json").read_bytes())
    assert metadata.accuracy == metrics["accuracy"] > 0.9
    assert metadata.accuracy_split == "test"
    assert metadata.dataset == "digits"
    assert metadata.class_names_fr[1] == "un"
    assert metadata.recipe is not None
    assert metadata.recipe["epochs"] == EPOCHS
    assert metadata.recipe["optimizer"]["learning_rate"] == 0.001
    assert metadata.parameters == 167_562
    report = (uninterrupted / "run" / "report.html").read_text(encoding="utf-8")
    assert "optimizer.learning_rate" in report


@pytest.mark.slow
def test_killed_and_resumed_ends_with_the_same_weights(uninterrupted, killed, tmp_path):
    shutil.copytree(killed / "run", tmp_path / "run")
    resumed = train_here(tmp_path, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "resuming after epoch" in resumed.stderr
    assert losses(tmp_path) == losses(uninterrupted)
    for ours, theirs in zip(weights(tmp_path), weights(uninterrupted), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.slow
def test_a_stop_keeps_the_best_model_and_can_go_on(uninterrupted, ready_bundle, tmp_path):
    """By a signal from the system; Ctrl-C has tests of its own."""
    process = start_and_wait_for_epochs(tmp_path, 1)
    process.send_signal(signal.SIGTERM)
    _, messages = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in messages
    assert f"The best network so far is saved in {tmp_path / 'run' / 'model.keras'}" in messages
    assert (tmp_path / "run" / "model.keras").is_file()
    assert train_here(tmp_path, "--resume").returncode == 0
    assert losses(tmp_path) == losses(uninterrupted)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 1, "exists already"),
        (["--resume"], 0, "finished already"),
        (["--resume", "--set", "seed=5"], 1, "seed = 0, not 5"),
    ],
)
def test_a_finished_run_is_left_alone(uninterrupted, arguments, status, said):
    before = written(uninterrupted)
    again = train_here(uninterrupted, *arguments)
    assert again.returncode == status
    assert said in (again.stderr if status else again.stdout)
    assert "Traceback" not in again.stderr
    assert written(uninterrupted) == before


def test_resume_refuses_other_data(uninterrupted):
    with pytest.raises(imagette.ImagetteError, match="began with the dataset digits"):
        imagette.train("cifar10", name="run", runs_dir=uninterrupted, resume=True)


def test_resume_begins_a_run_without_checkpoint(tmp_path, ready_bundle):
    (tmp_path / "run").mkdir()  # killed before anything was written
    begun = train_here(tmp_path, "--resume", "--set", "epochs=1")
    assert begun.returncode == 0, begun.stderr
    assert len(losses(tmp_path)) == 1


def test_a_run_that_lost_files_is_left_alone(uninterrupted, tmp_path):
    shutil.copytree(uninterrupted / "run", tmp_path / "run")
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(imagette.ImagetteError, match=r"no run\.json"):
        imagette.train("digits", name="run", runs_dir=tmp_path, resume=True)
    info = json.loads((uninterrupted / "run" / "run.json").read_bytes()) | {"finished": False}
    (tmp_path / "run" / "run.json").write_text(json.dumps(info), encoding="utf-8")
    before = written(tmp_path)
    with pytest.raises(imagette.ImagetteError, match=r"no checkpoint\.pt"):
        imagette.train("digits", name="run", runs_dir=tmp_path, resume=True)
    assert written(tmp_path) == before


@pytest.mark.slow
def test_pictures_that_changed_meanwhile_are_noticed(tmp_path, digits, ready_bundle):
    recipe = imagette.Recipe.load("classic").change(epochs=2)
    stopping = mock.Mock(spec=Reporter)
    stopping.on_epoch.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        imagette.train(digits, recipe, name="run", runs_dir=tmp_path, reporter=stopping)
    images = digits.train.images.copy()
    images[5, 5, 5] ^= 1
    changed = dataclasses.replace(digits, train=Split(images, digits.train.labels))
    with pytest.raises(imagette.ImagetteError, match="have changed since"):
        imagette.train(changed, recipe, name="run", runs_dir=tmp_path, resume=True)
    run = imagette.train(digits, recipe, name="run", runs_dir=tmp_path, resume=True)
    assert run.metrics is not None


@pytest.mark.slow
def test_validation_pictures_that_were_given_are_the_validation(tmp_path, digits):
    """All of train is learned, and the accuracy reported is that on the validation split."""
    few = np.arange(len(digits.test)) < 40
    given = Dataset(
        "given", digits.class_names, digits.train.take(np.arange(200)),
        validation=digits.test.take(np.flatnonzero(few)),
    )  # fmt: skip
    run = imagette.train(given, "classic", changes={"epochs": 1}, name="given", runs_dir=tmp_path)
    [epoch] = csv.DictReader((run.folder / "history.csv").open(encoding="utf-8"))
    assert (run.metrics["split"], run.metrics["n"]) == ("validation", 40)
    assert float(epoch["val_accuracy"]) == pytest.approx(run.metrics["accuracy"], abs=0.06)
    assert imagette.evaluate(run.folder, given).metrics["n"] == 40
    subsets = [subset for subset, _ in find_label_issues(run.folder, given).label_issues]
    assert [(one.split, len(one.examples)) for one in subsets] == [
        ("validation", 40),
        ("train", 200),
    ]


def test_two_trainings_never_share_a_folder_and_default_names_are_numbered(tmp_path, ready_bundle):
    recipe = imagette.Recipe.load("classic").change(epochs=1)

    class Second(Reporter):
        """Starts another training while the first is under way."""

        def on_start(self, folder, *_):
            with pytest.raises(imagette.ImagetteError, match="Another training is using"):
                imagette.train("digits", recipe, name=folder.name, runs_dir=tmp_path, resume=True)
            self.other = imagette.train("digits", recipe, runs_dir=tmp_path).folder

    second = Second()
    first = imagette.train("digits", recipe, runs_dir=tmp_path, reporter=second).folder
    assert [first.name, second.other.name] == ["digits-classic", "digits-classic-2"]
    again = imagette.train("digits", recipe, runs_dir=tmp_path, resume=True)
    assert (again.folder, again.metrics) == (second.other, None)


def test_a_loss_that_runs_away_late_keeps_the_best_network(tmp_path, digits, monkeypatch):
    measured = iter([1.0, 2.0, float("nan")])
    monkeypatch.setattr(trainer, "measure", lambda *_: (next(measured), 0.5))
    with pytest.raises(imagette.ImagetteError, match="best network before that is kept"):
        imagette.train(digits, imagette.Recipe.load("classic"), name="run", runs_dir=tmp_path)
    make_missing_bundle(tmp_path / "run")
    assert imagette.Classifier(tmp_path / "run").predict(digits.test.images[0]).label


def test_a_loss_that_runs_away_is_said(tmp_path):
    lost = train_here(tmp_path, "--set", "optimizer={name='sgd', learning_rate=1e20}")
    assert lost.returncode == 1
    assert "The loss became" in lost.stderr
    assert "lower learning rate" in lost.stderr
    assert "Traceback" not in lost.stderr


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="limits the size of files, which Windows cannot")
def test_a_full_disk_is_said_and_earlier_files_stay(tmp_path, ready_bundle):
    import resource

    short, limit = ("--set", "epochs=1"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        full = train_here(tmp_path, *short)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert full.returncode == 1
    assert "checkpoint.pt could not be written" in full.stderr
    assert "Traceback" not in full.stderr
    assert (tmp_path / "run" / "recipe.toml").is_file()
    assert not [path for path in (tmp_path / "run").iterdir() if "writing" in path.name]
    assert train_here(tmp_path, *short, "--resume").returncode == 0


def test_a_damaged_checkpoint_is_named(killed, tmp_path):
    shutil.copytree(killed / "run", tmp_path / "run")
    (tmp_path / "run" / "checkpoint.pt").write_bytes(b"nonsense")
    resumed = train_here(tmp_path, "--resume")
    assert resumed.returncode == 1
    assert "checkpoint.pt is damaged" in resumed.stderr


def test_early_stopping_keeps_the_best_epoch(tmp_path, digits, ready_bundle, monkeypatch):
    measured = iter([3.0, 2.0, 1.0, 1.5, 1.25])
    monkeypatch.setattr(trainer, "measure", lambda *_: (next(measured), 0.5))
    few = dataclasses.replace(digits, train=digits.train.take(np.arange(100)))
    recipe, watch = imagette.Recipe.load("classic"), mock.Mock(spec=Reporter)
    recipe = recipe.change(epochs=30, patience=2)
    run = imagette.train(few, recipe, name="early", runs_dir=tmp_path, reporter=watch)
    info = json.loads((run.folder / "run.json").read_bytes())
    assert (info["epochs"], info["best_epoch"]) == (5, 3)
    best = [call.kwargs["best"] for call in watch.on_epoch.call_args_list]
    assert best == [True, True, True, False, False]
