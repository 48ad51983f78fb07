"""Runs to evaluate and compare, assembled without training."""

from pathlib import Path

import numpy as np
import pytest

from imagette.data import Dataset
from imagette.evaluation import evaluate
from imagette.files import write_csv, write_json
from imagette.runs import Epoch


@pytest.fixture(scope="session")
def make_run(make_bundle):
    """Writes a run folder whose model is the tiny bundle of the tests."""

    def write(path: Path, dataset: Dataset, epochs: int = 4, **info) -> Path:
        path.mkdir(parents=True)
        names, names_fr = dataset.class_names, dataset.class_names_fr
        make_bundle(path / "model.onnx", names, names_fr, dataset.train.images.shape[1])
        (path / "recipe.toml").write_text('name = "classic"\nmodel = "tiny <b>"\nepochs = 9\n')
        environment = {"versions": {"keras": "3.15.1"}, "machine": {"cores": 2}}
        write_json(path / "environment.json", environment)
        rows = [epoch.model_dump() | {"pictures_per_second": 1000.0} for epoch in history(epochs)]
        write_csv(path / "history.csv", rows)
        said = {
            "dataset": dataset.source, "data_dir": None, "validation_fraction": 0.25, "seed": 7,
            "parameters": 30, "best_epoch": 3, "epochs": epochs, "seconds": 12.5, "finished": True,
        }  # fmt: skip
        write_json(path / "run.json", said | info)
        return path

    return write


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory, colours, make_run):
    """Of a run called `mine` on its own pictures, for the tests that change nothing in it."""
    return evaluate(make_run(tmp_path_factory.mktemp("runs") / "mine", colours), colours)


def history(epochs: int) -> list[Epoch]:
    return [
        Epoch(
            epoch=number,
            loss=2 / number,
            accuracy=1 - 0.8 / number,
            val_loss=2 / min(number, 3) + 0.1 * max(0, number - 3),
            val_accuracy=0.9 - 0.7 / number,
            seconds=3.0,
        )
        for number in range(1, epochs + 1)
    ]


@pytest.fixture
def tell_colours(tmp_path, colours, make_bundle):
    """Writes a bundle for `colours` that takes pictures of some size."""

    def write(size: int = 6) -> Path:
        names, names_fr = colours.class_names, colours.class_names_fr
        return make_bundle(tmp_path / "tiny.onnx", names, names_fr, size)

    return write


@pytest.fixture(scope="session")
def colours() -> Dataset:
    """240 pictures of 6×6 noisy pixels in three classes, without a test split."""
    random = np.random.default_rng(1)
    labels = np.arange(240) % 3
    base = np.eye(3)[labels][:, np.newaxis, np.newaxis, :] * 120
    images = (base + random.integers(0, 130, (240, 6, 6, 3))).astype(np.uint8)
    names, names_fr = ("red", "green", "blue"), ("rouge", "vert", "bleu")
    return Dataset.from_arrays(images, labels, names, name="colours", class_names_fr=names_fr)
