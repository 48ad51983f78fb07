"""Epochs shared by two workers of a real cluster, one of which is killed on the way."""

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from support.two_nodes import TwoNodes

from imagette import ImagetteError, Recipe, build_model
from imagette.cluster.connection import cluster
from imagette.data import Split, split_validation
from imagette.models.backend import load_torch_keras
from imagette.runs import read_run
from imagette.training.state import State
from imagette.training.workers import Workers

pytestmark = pytest.mark.slow

SPRINT = Recipe.load("sprint-80").change(
    model_options={"widths": [8, 16]}, batch_size=101, epochs=3, min_steps=0, precision="float32",
    progressive_share=0.5, augment={
        "random_shift": 2, "trivial_augment": True, "cutout": 8, "cutmix_prob": 0.5,
    },
)  # fmt: skip
CLASSIC = Recipe.load("classic").change(
    epochs=2, batch_size=50, precision="float32", optimizer={"name": "sgd", "learning_rate": 0.01}
)
"""No normalisation, but dropout. Not Adam: where a gradient is nearly 0, it makes a whole step of
what is rounding, and weights that begin 1e-7 apart end 3e-3 apart on one machine, too."""


@pytest.fixture(scope="module")
def nodes() -> Iterator[TwoNodes]:
    nodes = TwoNodes()
    with cluster(nodes.address):
        yield nodes
    nodes.close()


@pytest.fixture
def learn(tmp_path):
    """The states after each epoch, of whom the work is shared by, of a recipe.

    Pictures of noise, brighter by their class: on the flat ground of digits, rounding chooses which
    pixel of equal ones is the largest, and where gradients go.
    """
    random = np.random.default_rng(0)
    labels = random.integers(0, 10, 500)
    brighter = 12 * labels[:, None, None, None]
    train = Split((random.integers(0, 120, (500, 32, 32, 3)) + brighter).astype(np.uint8), labels)

    def begin(workers: Workers, recipe: Recipe, state: State | None = None) -> Iterator[State]:
        load_torch_keras().utils.set_random_seed(recipe.seed)
        model = build_model(recipe.model, **recipe.model_options)
        first, other = split_validation(train, recipe.validation_fraction, recipe.seed)
        state = state or State()
        return workers.train_epochs(
            tmp_path, model, first, other, recipe, state, lambda _: None, lambda _: None, None
        )

    return begin


def shared(workers: int | None = None) -> Workers:
    from imagette.cluster.workers import ClusterWorkers

    return ClusterWorkers(2, workers)


def check_alike(one: State, other: State, tolerance: float, of_weights: float) -> None:
    """Losses to within a share of them, and weights to within what they differ by in the mean: an
    activation that is nearly 0 is cut off here and not there."""
    for name in ("loss", "val_loss"):
        of_one, of_other = ([row[name] for row in state.history] for state in (one, other))
        assert of_one == pytest.approx(of_other, rel=tolerance), name
    pairs = zip(one.weights, other.weights, strict=True)
    differences = np.concatenate([np.ravel(abs(weight - other)) for weight, other in pairs])
    assert differences.mean() < of_weights


def test_two_workers_learn_as_one_does(nodes, learn):
    *_, alone = learn(Workers(), CLASSIC)
    *_, together = learn(shared(2), CLASSIC)
    check_alike(together, alone, 1e-4, 1e-6)


def test_a_worker_that_is_lost_costs_its_epoch(nodes, learn):
    """Normalisation, Muon, changes to the images: all are those of the whole batch."""
    *_, alone = learn(Workers(), SPRINT)
    states = []
    for state in learn(shared(), SPRINT):
        states.append(state)
        if len(states) == 1:
            nodes.kill_node(1)
    nodes.add_node()
    assert [state.epoch for state in states] == [1, 2, 3]
    check_alike(states[-1], alone, 1e-3, 1e-4)
    # One that goes on where two have been.
    *_, resumed = learn(Workers(), SPRINT, states[0])
    check_alike(resumed, alone, 1e-3, 1e-4)


def test_the_command(nodes, tmp_path):
    command = [
        sys.executable, "-m", "imagette", "train", "digits", "--recipe", "sprint-80",
        "--set", "epochs=1", "--set", "model_options.widths=[8, 16]", "--set", "min_steps=0",
        "--runs-dir", str(tmp_path), "--ray-address", nodes.address, "--workers", "2",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "epoch  1/1  loss" in done.stderr
    assert "ray" not in (done.stderr + done.stdout).replace("--ray", "")
    folder = tmp_path / "digits-sprint-80"
    info = read_run(folder).info
    assert info
    assert info.finished
    assert not (folder / ".ray").exists()


def test_more_workers_than_cores(nodes, learn):
    with pytest.raises(ImagetteError, match="The cluster has 2 cores, and 9 workers need one each"):
        next(learn(shared(9), CLASSIC))
