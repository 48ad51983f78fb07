"""Epochs shared by two workers of a real cluster, one of which is killed on the way."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from imagette import ImagetteError, Recipe, build_model
from imagette.data import Split, split_validation
from imagette.models.backend import load_torch_keras
from imagette.runs import read_run
from imagette.training.state import State
from imagette.training.workers import Workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CLASSIC = Recipe.load("classic").change(
    epochs=3, batch_size=50, precision="float32", optimizer={"name": "sgd", "learning_rate": 0.01}
)
"""No normalisation, but dropout. Not Adam: where a gradient is nearly 0, it makes a whole step of
rounding, and weights that begin 1e-7 apart end 3e-3 apart on one machine, too."""
EPOCHS = 6
SPRINT = [
    sys.executable, "-m", "imagette", "train", "digits", "--recipe", "sprint-80", "--resume",
    "--set", f"epochs={EPOCHS}", "--set", "model_options.widths=[8, 16]", "--set", "min_steps=0",
    "--set", "batch_size=50",
]  # fmt: skip


@pytest.fixture
def learn(tmp_path):
    """Gives the states after each epoch of the recipe, learned by some workers.

    The pictures are noise, brighter by their class: on plain ground, as in digits, many pixels are
    equal, and rounding decides which is the largest.
    """
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 500)
    brighter = 12 * labels[:, None, None, None]
    train = Split((random.integers(0, 120, (500, 32, 32, 3)) + brighter).astype(np.uint8), labels)

    def begin(workers: Workers, state: State | None = None) -> Iterator[State]:
        load_torch_keras().utils.set_random_seed(CLASSIC.seed)
        model = build_model(CLASSIC.model, **CLASSIC.model_options)
        first, other = split_validation(train, CLASSIC.validation_fraction, CLASSIC.seed)
        return workers.train_epochs(
            tmp_path, model, first, other, CLASSIC, state or State(), lambda _: None,
            lambda _: None, None,
        )  # fmt: skip

    return begin


def shared(workers: int | None = None) -> Workers:
    from imagette.cluster.workers import ClusterWorkers

    return ClusterWorkers(2, workers)


def check_alike(one: State, other: State) -> None:
    """Losses to within rounding, and weights in the mean: an activation that is nearly 0 may be cut
    off in one of them only."""
    for name in ("loss", "val_loss"):
        of_one, of_other = ([row[name] for row in state.history] for state in (one, other))
        assert of_one == pytest.approx(of_other, rel=1e-4), name
    pairs = zip(one.weights, other.weights, strict=True)
    differences = np.concatenate([np.ravel(abs(weight - other)) for weight, other in pairs])
    assert differences.mean() < 1e-6


def test_a_lost_worker_costs_its_epoch_and_changes_nothing(nodes, learn):
    """Two workers, after the loss one, and one process here all learn the same."""
    *_, alone = learn(Workers())
    states = []
    for state in learn(shared()):
        states.append(state)
        if len(states) == 1:
            nodes.kill_node(1)
    nodes.nodes.append(nodes.add_node())
    assert [state.epoch for state in states] == [1, 2, 3]
    check_alike(states[-1], alone)
    history = states[-1].history
    # The first epoch was not learned again, or would have taken other seconds.
    assert history[0] == states[0].history[0]
    # Workers prepared themselves twice: at first and, after the loss, for a later epoch.
    assert [bool(row["preparation_seconds"]) for row in history].count(True) == 2
    *_, resumed = learn(Workers(), states[0])
    check_alike(resumed, alone)


def test_a_stopped_command_goes_on_with_another_number_of_workers(nodes, tmp_path):
    """Two workers, then one, then none."""
    folder, epochs, said = tmp_path / "digits-sprint-80", [0], ""
    for workers in ("2", "1", None):
        on_cluster = ["--ray-address", nodes.address, "--workers", workers] if workers else []
        command = [*SPRINT, "--runs-dir", str(tmp_path), *on_cluster]
        code, lines = run_and_stop(command) if workers else run(command)
        assert code == (130 if workers else 0), lines
        info = read_run(folder).info
        assert info
        assert info.finished == (not workers), lines
        assert info.epochs > epochs[-1], lines
        epochs.append(info.epochs)
        said += lines
    assert not (folder / ".ray").exists()
    assert "ray" not in said.replace("--ray", "")
    rows = np.genfromtxt(folder / "history.csv", delimiter=",", names=True)
    assert rows["epoch"].tolist() == list(range(1, EPOCHS + 1))
    assert (np.diff(rows["loss"]) < 0).all()


def run(command: list[str]) -> tuple[int, str]:
    """Run a command to its end; its exit code and what it wrote."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def run_and_stop(command: list[str]) -> tuple[int, str]:
    """Likewise, but press Ctrl-C after its first epoch, which all its processes receive."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        lines = ""
        for line in process.stdout:
            lines += line
            if line.startswith("epoch "):
                os.killpg(process.pid, signal.SIGINT)
                break
        return process.wait(), lines + process.stdout.read()


def test_more_workers_than_cores(nodes, learn):
    with pytest.raises(ImagetteError, match="The cluster has 2 cores, and 9 workers need one each"):
        next(learn(shared(9)))
