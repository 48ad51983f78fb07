"""The race: what it trains, what it leaves, and that it goes on."""

import csv
import dataclasses
import importlib.util
import json
import math
import runpy
import shutil
import sys
import time
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from imagette import ImagetteError, Recipe
from imagette.benchmark.reference import FIT as CLASSIC_FIT
from imagette.benchmark.reference import REFERENCE
from imagette.benchmark.time_to_accuracy import _spread, time_to_accuracy
from imagette.models.backend import load_torch_keras
from imagette.training.reporter import Reporter

pytestmark = pytest.mark.usefixtures("plain_plots")

FIT = """
import json, sys
pictures, seed, epochs, patience = sys.argv[2:]
for epoch in (1, 2):
    print(json.dumps({"epoch": epoch, "seconds": 10.0 * epoch, "val_accuracy": 0.3 * epoch}))
print(json.dumps({"seconds": 20.0, "accuracy": 0.5 + int(seed) / 10, "loss": 1.0, "pictures": 40}))
"""


def save_recipe(folder):
    """A small sprint, as a file."""
    small = Recipe.load("sprint-80").change(
        name="small", model_options={"widths": [8]}, batch_size=200, epochs=2, min_steps=0
    )
    small.save(folder / "small.toml")
    return folder / "small.toml"


@pytest.fixture
def recipe(tmp_path):
    return save_recipe(tmp_path)


def python(folder, command):
    """A program that takes the place of a Python with TensorFlow."""
    (folder / "python").write_text(f"#!/bin/sh\n{command}\n", encoding="utf-8")
    (folder / "python").chmod(0o755)
    return folder / "python"


@pytest.fixture
def fit(tmp_path):
    """A Python that answers as TensorFlow's would; the real one is a benchmark, not a test."""
    (tmp_path / "fit.py").write_text(FIT, encoding="utf-8")
    return python(tmp_path, f'exec {sys.executable} {tmp_path / "fit.py"} "$@"')


@pytest.fixture
def no_tensorflow(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture(scope="module")
def few(digits):
    """Some of the digits: of each one that is measured a race measures a lot."""
    train, test = digits.train.take(np.arange(400)), digits.test.take(np.arange(80))
    return dataclasses.replace(digits, train=train, test=test)


@pytest.fixture(scope="module")
def race(tmp_path_factory, few):
    """What one run of the recipe leaves, with no TensorFlow at hand."""
    folder = tmp_path_factory.mktemp("race")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        time_to_accuracy([save_recipe(folder)], 1, out=folder / "out", dataset=few)
    return folder / "out"


@pytest.fixture
def out(race, tmp_path):
    """A copy of that."""
    return shutil.copytree(race, tmp_path / "out")


@pytest.mark.slow
def test_means_and_intervals_beside_the_reference(out, few, recipe, fit):
    count = mock.Mock(spec=Reporter)
    rows = time_to_accuracy([recipe], 2, out=out, dataset=few, tensorflow=fit, reporter=count)
    reference, small = rows
    assert [(row["name"], row["runs"]) for row in rows] == [(REFERENCE, 2), ("small", 2)]
    assert reference["accuracy"] == pytest.approx(0.55)
    assert reference["accuracy_sd"] == pytest.approx(0.1 / math.sqrt(2))
    # Student's t with one degree of freedom, 12.706, leads beyond what a share can be.
    assert (reference["accuracy_low"], reference["accuracy_high"]) == (0, 1)
    assert reference["pictures_per_second"] == pytest.approx(4)
    with (out / "results.csv").open() as file:
        results = list(csv.DictReader(file))
    measured = [float(row["accuracy"]) for row in results if row["name"] == "small"]
    assert small["accuracy"] == pytest.approx(sum(measured) / 2)
    assert small["seconds_low"] < small["seconds"] < small["seconds_high"]
    assert 0 < small["share_of_peak"] < 1
    metrics = json.loads((out / "runs" / "small-seed-1" / "metrics.json").read_bytes())
    assert metrics["flip_averaged"]["accuracy"] > 0
    assert Image.open(out / "time-to-accuracy.png").width > 600
    assert json.loads((out / "machine.json").read_bytes())["machine"]["cores"]

    again = time_to_accuracy([recipe], 2, out=out, dataset=few, tensorflow=fit, reporter=count)
    count.on_start.assert_called_once()  # nothing was trained twice, nor was what `out` held before
    assert again[1]["seconds"] == small["seconds"]


def test_a_single_run_has_no_interval_nor_reference(out, few, recipe, no_tensorflow):
    said = []
    (row,) = time_to_accuracy([recipe], 1, out=out, dataset=few, say=said.append)
    assert row["accuracy_sd"] is row["seconds_low"] is None
    assert "TensorFlow is not installed" in said[0]


def test_a_reference_that_fails_is_said(out, tmp_path, few, recipe):
    broken = python(tmp_path, "echo No module named tensorflow >&2; exit 1")
    for program, said in ((broken, "No module named tensorflow"), ("none", "cannot be run")):
        with pytest.raises(ImagetteError, match=said):
            time_to_accuracy([recipe], 1, out=out, dataset=few, tensorflow=program)


def test_what_cannot_be_told_apart_is_refused(tmp_path, few, recipe):
    for recipes, message in (([], "nothing to train"), (["classic", "classic"], "same name")):
        with pytest.raises(ImagetteError, match=message):
            time_to_accuracy(recipes, 1, out=tmp_path / "out", dataset=few)


def test_a_folder_is_of_one_dataset(out, few, recipe, no_tensorflow):
    other = dataclasses.replace(few, train=few.train.take(range(300)))
    with pytest.raises(ImagetteError, match="other pictures"):
        time_to_accuracy([recipe], 1, out=out, dataset=other)


def test_a_peak_that_was_not_measured_is_left_out(out, few, recipe, no_tensorflow):
    machine = json.loads((out / "machine.json").read_bytes())
    (out / "machine.json").write_text(json.dumps(machine | {"peak_flops_per_second": {}}))
    (row,) = time_to_accuracy([recipe], 1, out=out, dataset=few)
    assert row["gflops_per_second"] > 0
    assert row["share_of_peak"] is None


def test_a_recipe_that_changed_is_said(out, few, recipe, no_tensorflow):
    Recipe.load(recipe).change(optimizer={"learning_rate": 0.2}).save(recipe)
    with pytest.raises(ImagetteError, match="another version of small"):
        time_to_accuracy([recipe], 1, out=out, dataset=few)


@pytest.mark.slow
def test_stopped_before_the_mirrored_measurement_it_goes_on(tmp_path, few, recipe, no_tensorflow):
    stopped = mock.patch(
        "imagette.benchmark.time_to_accuracy.evaluate", side_effect=KeyboardInterrupt
    )
    with stopped, pytest.raises(KeyboardInterrupt):
        time_to_accuracy([recipe], 1, out=tmp_path / "out", dataset=few)
    count = mock.Mock(spec=Reporter)
    (row,) = time_to_accuracy([recipe], 1, out=tmp_path / "out", dataset=few, reporter=count)
    count.on_start.assert_not_called()
    assert row["flip_averaged"] > 0


def test_the_reference_itself_trains_and_keeps_its_clock(tmp_path, digits, monkeypatch, capsys):
    """The real script, on the backend that is installed here."""
    load_torch_keras()
    pictures = tmp_path / "pictures.npz"
    np.savez(
        pictures,
        train=digits.train.images[:900], train_labels=digits.train.labels[:900],
        test=digits.test.images, test_labels=digits.test.labels,
    )  # fmt: skip
    monkeypatch.setattr(sys, "argv", [str(CLASSIC_FIT), str(pictures), "0", "2", "5"])
    start = time.perf_counter()
    runpy.run_path(str(CLASSIC_FIT), run_name="__main__")
    first, second, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert 0 < first["seconds"] < second["seconds"] == end["seconds"] < time.perf_counter() - start
    assert end["pictures"] == 720
    assert end["accuracy"] > 0.2


def test_the_interval_of_an_accuracy_is_one_of_a_share():
    found = _spread("accuracy", [0.999, 0.9, 1.0])
    assert (0 < found["accuracy_low"] < 0.9, found["accuracy_high"]) == (True, 1.0)
    assert _spread("seconds", [1.0, 9.0])["seconds_high"] > 9
