"""Transfer learning: what a network begins with, and its last layer fitted to frozen features."""

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image

import imagette
from imagette import ImagetteError, Recipe, build_model
from imagette.data import Split
from imagette.heads import ood_score
from imagette.models.backend import load_torch_keras
from imagette.training.export import export
from imagette.training.keras_files import load_keras_file, save_keras
from imagette.training.outputs import compute_logits
from imagette.training.reporter import Reporter
from imagette.training.transfer import (
    FittedHead,
    average_with_start,
    check_start,
    fit_head,
    load_start,
)

pytestmark = pytest.mark.usefixtures("plain_plots")


@pytest.fixture(scope="module")
def few(digits) -> Split:
    """Six each of the digits 0, 1 and 2."""
    rows = [np.flatnonzero(digits.train.labels == label)[:6] for label in range(3)]
    return digits.train.take(np.concatenate(rows))


def accuracy(model, split: Split) -> float:
    return float(np.mean(compute_logits(model, split.images).argmax(1) == split.labels))


def test_a_run_gives_its_weights(digits_run):
    load_torch_keras().utils.set_random_seed(0)
    model = build_model("classic-cnn", classes=4)
    before = np.array(model.get_layer("logits").kernel)
    load_start(model, str(digits_run.folder))
    learned = load_torch_keras().saving.load_model(digits_run.folder / "model.keras")
    for mine, theirs in zip(model.layers[:-2], learned.layers[:-2], strict=True):
        for one, other in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            assert np.array_equal(one, other)
    assert np.array_equal(model.get_layer("logits").kernel, before)


def test_what_does_not_fit_or_is_not_there(digits_run, tmp_path):
    with pytest.raises(ImagetteError, match=r"cannot begin with the weights of .*other layers"):
        load_start(build_model("sprint", widths=[8]), str(digits_run.folder))
    (tmp_path / "some.h5").touch()
    for start, message in (
        ("nowhere", "no trained network in nowhere"),
        (str(tmp_path / "some.h5"), "sprint does not begin with a file of weights"),
        ("imagenet", "no weights of ImageNet for the network sprint"),
    ):
        with pytest.raises(ImagetteError, match=message):
            check_start(start, "sprint")
    for good in ("", "imagenet", str(digits_run.folder)):
        check_start(good)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_tells_classes_apart(few, digits, digits_run, classes):
    model = build_model("classic-cnn", classes=classes)
    load_start(model, str(digits_run.folder))
    known = few.take(np.flatnonzero(few.labels < classes))
    fit_head(model, known)
    rest = digits.test.take(np.flatnonzero(digits.test.labels < classes))
    assert accuracy(model, known) == 1.0
    assert accuracy(model, rest) > 0.75


def test_normalisations_are_frozen(tmp_path):
    options = Recipe.load("sprint-70").model_options
    save_keras(build_model("sprint", **options), tmp_path / "model.keras")
    model = build_model("sprint", classes=3, **options)
    load_start(model, str(tmp_path))
    # A step of training leaves their statistics as they are.
    assert [one for one in model.trainable_weights if "logits" in one.path]
    assert not [one for one in model.trainable_weights if "batch_normalization" in one.path]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """Two classes of five photographs each, of any size and format."""
    random, folder = np.random.default_rng(0), tmp_path_factory.mktemp("data") / "shapes"
    for number in range(5):
        noise = random.integers(0, 90, (40 + 7 * number, 50, 3), np.uint8)
        for name, channel, ending in (("café", 0, "jpg"), ("sky", 2, "png")):
            image = noise.copy()
            image[..., channel] += 150
            path = folder / name / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    return folder


def finetuning(**changes) -> Recipe:
    return Recipe.load("finetune").change(image_size=64, epochs=2, batch_size=4, **changes)


@pytest.fixture(scope="module")
def finetuned(shapes, tmp_path_factory):
    """A run that kept the average of what it began with and what it learned; its notes, too."""
    notes, runs = mock.Mock(spec=Reporter), tmp_path_factory.mktemp("finetuned")
    recipe = finetuning(pretrained_share=0.25)
    return imagette.train(shapes, recipe, name="whole", runs_dir=runs, reporter=notes), notes


@pytest.fixture
def ready_bundle(finetuned, give_bundle):
    """Trainings need not make their bundle."""
    give_bundle(finetuned[0].folder / "model.onnx")


@pytest.mark.slow
def test_a_stopped_training_goes_on_and_keeps_the_better(shapes, finetuned, ready_bundle, tmp_path):
    unstopped, _ = finetuned
    arguments = {"name": "big", "runs_dir": tmp_path / "runs"}
    stopped, notes = mock.Mock(spec=Reporter), mock.Mock(spec=Reporter)
    stopped.on_epoch.side_effect = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        imagette.train(shapes, unstopped.recipe, **arguments, reporter=stopped)
    stopped.on_finetune.assert_not_called()
    run = imagette.train(shapes, **arguments, resume=True, reporter=notes)
    notes.on_finetune.assert_called_once()
    before, again = (one.on_head.call_args.args[0] for one in (stopped, notes))
    assert before == again  # fitted anew, to compare with
    assert "averaged with those that the training began with" in report_of(run)
    *mine, kernel, bias = weights_of(run)
    *theirs, calibrated, calibrated_bias = weights_of(unstopped)  # as its bundle was made
    for one, other in zip(mine, theirs, strict=True):
        assert np.array_equal(one, other)
    temperature = imagette.Classifier(unstopped.folder).metadata.temperature
    np.testing.assert_allclose(kernel / temperature, calibrated, rtol=1e-6)
    np.testing.assert_allclose(bias / temperature, calibrated_bias, rtol=1e-6)


def weights_of(run) -> list[np.ndarray]:
    return load_keras_file(run.folder / "model.keras").get_weights()


def report_of(run) -> str:
    return " ".join((run.folder / "report.html").read_text(encoding="utf-8").split())


@pytest.mark.slow
def test_a_network_that_began_with_a_run_that_knows_photographs_does_too(
    shapes, finetuned, tmp_path
):
    """It may be asked about larger pictures than it learned."""
    first, _ = finetuned
    recipe = finetuning(init_from=str(first.folder), inference_size=96).change(epochs=1)
    second = imagette.train(shapes, recipe, runs_dir=tmp_path / "runs")
    for run, side in ((first, 64), (second, 96)):
        classifier = imagette.Classifier(run.folder)
        assert (classifier.height, classifier.width) == (side, side)
        assert (run.folder / "model.onnx").stat().st_size < 6_000_000
        metadata = classifier.metadata
        assert metadata.view in ("centre", "whole")
        assert metadata.familiarity_method == ood_score.METHOD
        assert metadata.familiarity_threshold == 0.5
        assert "EfficientNet-Lite" in metadata.licence
        with pytest.raises(ImagetteError, match="8 bits already"):
            export(run.folder, "onnx", out=tmp_path / "small.onnx", quantize="weights")
        again = imagette.evaluate(run.folder, out=tmp_path / f"again-{side}").metrics
        assert again["accuracy"] == run.metrics["accuracy"]


@pytest.fixture(scope="module")
def first_kernel():
    """What the first convolution of a network for photographs begins with."""
    network = build_model("efficientnet-lite", input_shape=(64, 64, 3), weights="imagenet")
    return network.layers[2].get_weights()[0]


def first_kernel_of(run) -> np.ndarray:
    return load_keras_file(run.folder / "model.keras").layers[2].get_weights()[0]


@pytest.mark.slow
def test_what_made_nothing_better_is_not_kept(shapes, ready_bundle, first_kernel, tmp_path):
    notes = mock.Mock(spec=Reporter)
    recipe = finetuning(optimizer={"name": "sgd", "learning_rate": 10.0})  # destroys what was known
    run = imagette.train(shapes, recipe, runs_dir=tmp_path / "runs", reporter=notes)
    before, after, kept = notes.on_finetune.call_args.args
    assert after < before
    assert not kept
    assert np.array_equal(first_kernel_of(run), first_kernel)
    assert "the network with the fitted last layer is kept" in report_of(run)


def test_weights_of_one_size_alone_are_asked_about_no_other(digits, tmp_path):
    fixed = Recipe.load("classic").change(inference_size=64)
    with pytest.raises(ImagetteError, match="has weights that only fit pictures of 32 pixels"):
        imagette.train(digits, fixed, runs_dir=tmp_path / "fixed")


@pytest.mark.slow
def test_what_is_kept_is_an_average_with_the_start(
    shapes, finetuned, ready_bundle, first_kernel, tmp_path
):
    notes = finetuned[1], mock.Mock(spec=Reporter)
    recipe = finetuning(pretrained_share=0.0)
    whole = imagette.train(shapes, recipe, runs_dir=tmp_path / "runs", reporter=notes[1])
    for one in notes:
        assert one.on_finetune.call_args.args[-1], "the network that learned is kept"
    averaged, learned = map(first_kernel_of, (finetuned[0], whole))
    assert np.abs(learned - first_kernel).max() > 1e-4
    np.testing.assert_allclose(averaged, 0.75 * learned + 0.25 * first_kernel, atol=1e-6)


def test_an_average_takes_so_much_of_each():
    learned, begun_with = ([torch.tensor(rows)] for rows in ([1.0, 2.0], [5.0, 0.0]))
    [averaged] = average_with_start(learned, FittedHead(0.5, begun_with), share=0.25)
    assert averaged.tolist() == [2.0, 1.5]


def test_a_start_that_cannot_be_had_leaves_no_folder(shapes, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(os.environ, "https_proxy", "http://127.0.0.1:9")  # where nobody answers
    recipe = Recipe.load("finetune").change(model="mobilenetv3", image_size=32)
    with pytest.raises(ImagetteError, match="weights imagenet of MobileNetV3Small could not be"):
        imagette.train(shapes, recipe, runs_dir=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
