"""The race: what it trains, what it leaves, and that it goes on."""

import csv
import json
import math
import sys

import pytest
from PIL import Image

from imagette import ImagetteError, Recipe
from imagette.benchmark.time_to_accuracy import REFERENCE, time_to_accuracy
from imagette.training.run import Reporter

FIT = """
import json, sys
pictures, seed, epochs, patience = sys.argv[2:]
for epoch in (1, 2):
    row = {"epoch": epoch, "seconds": 10.0 * epoch, "val_accuracy": 0.3 * epoch}
    print(json.dumps(row))
print(json.dumps({"seconds": 20.0, "accuracy": 0.5 + int(seed) / 10, "loss": 1.0, "pictures": 40}))
"""


@pytest.fixture
def recipe(tmp_path):
    """A small sprint, as a file."""
    small = Recipe.load("sprint-80").change(
        name="small", model_options={"widths": [8]}, batch_size=200, epochs=2, least_steps=0
    )
    small.save(tmp_path / "small.toml")
    return tmp_path / "small.toml"


@pytest.fixture
def fit(tmp_path):
    """A Python that answers as TensorFlow's would; the real one is a benchmark, not a test."""
    (tmp_path / "fit.py").write_text(FIT)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {tmp_path / "fit.py"} "$@"\n')
    python.chmod(0o755)
    return python


class Count(Reporter):
    def __init__(self) -> None:
        self.trainings = 0

    def start(self, *_) -> None:
        self.trainings += 1


def test_means_and_intervals_beside_the_reference(tmp_path, digits, recipe, fit):
    out, count = tmp_path / "out", Count()
    rows = time_to_accuracy([recipe], 3, out=out, dataset=digits, tensorflow=fit, reporter=count)
    reference, small = rows
    assert (reference["name"], reference["runs"], small["name"], small["runs"]) == (
        REFERENCE, 3, "small", 3,
    )  # fmt: skip
    assert reference["accuracy"] == pytest.approx(0.6)
    assert reference["accuracy_sd"] == pytest.approx(0.1)
    # Student's t with two degrees of freedom: 4.303.
    assert reference["accuracy_high"] == pytest.approx(0.6 + 4.303 * 0.1 / math.sqrt(3), abs=1e-3)
    assert reference["pictures_per_second"] == pytest.approx(4)
    with (out / "results.csv").open() as file:
        results = list(csv.DictReader(file))
    measured = [float(row["accuracy"]) for row in results if row["name"] == "small"]
    assert small["accuracy"] == pytest.approx(sum(measured) / 3)
    assert small["seconds_low"] < small["seconds"] < small["seconds_high"]
    assert 0 < small["share_of_peak"] < 1
    metrics = json.loads((out / "runs" / "small-seed-1" / "metrics.json").read_text())
    assert metrics["flip_averaged"]["accuracy"] > 0
    assert Image.open(out / "time-to-accuracy.png").width > 600
    assert json.loads((out / "machine.json").read_text())["machine"]["cores"]

    again = time_to_accuracy([recipe], 3, out=out, dataset=digits, tensorflow=fit, reporter=count)
    assert count.trainings == 3  # nothing was trained twice
    assert again[1]["seconds"] == small["seconds"]


def test_a_single_run_has_no_interval_and_no_reference_is_no_error(tmp_path, digits, recipe):
    said = []
    (row,) = time_to_accuracy([recipe], 1, out=tmp_path / "out", dataset=digits, say=said.append)
    assert row["accuracy_sd"] is row["seconds_low"] is None
    assert "TensorFlow is not installed" in said[0]


def test_a_reference_that_fails_is_said(tmp_path, digits, recipe):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho No module named tensorflow >&2; exit 1\n")
    broken.chmod(0o755)
    with pytest.raises(ImagetteError, match="No module named tensorflow"):
        time_to_accuracy([recipe], 1, out=tmp_path / "out", dataset=digits, tensorflow=broken)


def test_the_same_recipe_twice_is_refused(tmp_path, digits):
    with pytest.raises(ImagetteError, match="same name"):
        time_to_accuracy(["seed", "seed"], 1, out=tmp_path / "out", dataset=digits)
