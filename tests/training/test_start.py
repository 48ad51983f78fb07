"""Transfer learning: what a network begins with, and its last layer fitted to frozen features."""

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

import imagette
from imagette import ImagetteError, Recipe, build_model
from imagette.data import Part
from imagette.inference.bundle import SHIPPED
from imagette.models.backend import load_torch_keras
from imagette.training import choice
from imagette.training import start as starting
from imagette.training.choice import FEW, FINETUNE_FROM, SOME, TRANSFER_UP_TO, choose_recipe
from imagette.training.finish import remove_finish
from imagette.training.graph import find_ends, run_to
from imagette.training.run import Reporter
from imagette.training.start import check_start, compute_features, fit_head, load_start
from imagette.training.translation import Translated

LITE = {"widths": [48, 128, 224], "statistics_momentum": 0.95}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


@pytest.fixture(scope="module")
def few(digits) -> Part:
    """Six each of the digits 0, 1 and 2."""
    rows = [np.flatnonzero(digits.train.labels == label)[:6] for label in range(3)]
    return digits.train.take(np.concatenate(rows))


def lite(classes: int = 3):
    model = build_model("sprint", classes=classes, **LITE)
    load_start(model, "lite")
    return model


def accuracy(model, part: Part) -> float:
    network = Translated(model, until="logits")
    with torch.no_grad():
        logits = network(torch.from_numpy(part.images).float())
    return float(np.mean(logits.argmax(1).numpy() == part.labels))


# Weights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("default", Recipe.load("transfer").model_options, 1e-3),
        ("lite", LITE, 0.2),  # the bundle computes in 8 bits
    ],
)
def test_a_shipped_model_gives_its_weights(name, options, tolerance, digits):
    model = build_model("sprint", classes=4, **options)
    load_start(model, name)
    proto = onnx.load(SHIPPED[name])
    remove_finish(proto)
    features, _ = find_ends(proto.graph)
    pictures = digits.train.images[:50]
    [expected] = run_to(proto, [features], pictures)
    network = Translated(model, until=starting._before_head(model))
    with torch.no_grad():
        found = network(torch.from_numpy(pictures).float(), training=True).numpy()
    difference = np.abs(found - expected).mean() / np.abs(expected).mean()
    assert difference < tolerance
    # Frozen: a step of training leaves the statistics of the normalisations as they are.
    assert not [one for one in model.trainable_weights if "batch_normalization" in one.path]


def test_a_run_gives_its_weights(digits_run):
    load_torch_keras().utils.set_random_seed(0)
    model = build_model("seed-cnn", classes=4)
    before = np.array(model.get_layer("logits").kernel)
    load_start(model, str(digits_run.folder))
    learned = load_torch_keras().saving.load_model(digits_run.folder / "model.keras")
    for mine, theirs in zip(model.layers[:-2], learned.layers[:-2], strict=True):
        for one, other in zip(mine.get_weights(), theirs.get_weights(), strict=True):
            assert np.array_equal(one, other)
    assert np.array_equal(np.array(model.get_layer("logits").kernel), before)


def test_what_does_not_fit_or_is_not_there(digits_run):
    with pytest.raises(ImagetteError, match="cannot begin with the weights of lite"):
        load_start(build_model("sprint", widths=[8]), "lite")
    with pytest.raises(ImagetteError, match=r"cannot begin with the weights of .*other layers"):
        load_start(build_model("sprint", widths=[8]), str(digits_run.folder))
    with pytest.raises(ImagetteError, match="no trained network in nowhere"):
        check_start("nowhere")
    for good in ("", "default", "imagenet", str(digits_run.folder)):
        check_start(good)


# The head --------------------------------------------------------------------------------------


def test_the_head_tells_classes_apart_that_the_network_never_saw(few, digits):
    model = lite()
    fit_head(model, few, mirrored=False, weights=None)
    rest = digits.test.take(np.flatnonzero(digits.test.labels < 3))
    assert accuracy(model, few) == 1.0
    assert accuracy(model, rest) > 0.75


def test_of_two_classes(few):
    two = few.take(np.flatnonzero(few.labels < 2))
    model = lite(classes=2)
    fit_head(model, two, mirrored=True, weights=None)
    assert accuracy(model, two) == 1.0
    with_bias = build_model("resnet", classes=2)
    fit_head(with_bias, two, mirrored=False, weights=np.array([1.0, 1.0]))
    assert np.array(with_bias.get_layer("logits").bias).any()


def test_a_rare_class_can_count_more(digits):
    """Pictures of pure noise with labels at random: what is left to learn is how many there are."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (300, 32, 32, 3), np.uint8)
    labels = (random.random(300) < 0.1).astype(np.int64)
    part = Part(images, labels)
    named = []
    for weights in (None, np.array([0.5, 5.0])):
        model = build_model("resnet", classes=2)
        fit_head(model, part, mirrored=False, weights=weights)
        network = Translated(model, until="logits")
        with torch.no_grad():
            new = network(torch.from_numpy(images[::3]).float())
        named.append(float(new.argmax(1).float().mean()))
    assert named[0] < 0.1 < named[1]


def test_features_are_kept_and_taken_from_there(few, cache, monkeypatch):
    monkeypatch.setattr(starting, "_WORTH_KEEPING_SECONDS", 0.0)
    model = lite()
    features = compute_features(model, few, mirrored=True)
    assert features.shape == (36, 224)
    monkeypatch.setattr(starting, "compute_outputs", None)  # nothing is computed any more
    assert np.array_equal(compute_features(model, few, mirrored=True), features)
    assert len(list(cache.glob("*.npy"))) == 1
    with pytest.raises(TypeError):  # other pictures, other features
        compute_features(model, few.take(np.arange(5)), mirrored=True)


# The choice ------------------------------------------------------------------------------------


def test_the_recipe_follows_the_number_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    chosen = [choose_recipe(n)[0] for n in (10, FEW, FINETUNE_FROM, SOME, TRANSFER_UP_TO + 1)]
    assert [one.name for one in chosen] == [
        "transfer",
        "transfer",
        "finetune",
        "finetune",
        "sprint-90",
    ]
    assert [one.validation_fraction for one in chosen] == [0.3, 0.2, 0.2, 0.1, 0.1]

    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "efficientnetv2-b0_notop.h5").write_bytes(b"")
    assert choose_recipe(10)[0].name == "transfer"  # a CPU would take minutes
    monkeypatch.setattr(choice, "choose_device", lambda: torch.device("cuda"))
    recipe, why = choose_recipe(10)
    assert recipe.name == "imagenet"
    assert "ImageNet" in why


# A folder, and no other word -------------------------------------------------------------------


class Notes(Reporter):
    """Writes down what a training says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def chosen(self, why):
        self.said.append(why)

    def checked(self, lines):
        self.said += lines

    def head(self, accuracy, seconds):
        self.said.append(f"head {accuracy}")


@pytest.fixture
def shapes(tmp_path) -> Path:
    """Two classes of five photographs each, of any size and format, and one file that is none."""
    random = np.random.default_rng(0)
    for number in range(5):
        noise = random.integers(0, 90, (40 + 7 * number, 50, 3), np.uint8)
        for name, channel, ending in (("café", 0, "jpg"), ("sky", 2, "png")):
            image = noise.copy()
            image[..., channel] += 150
            path = tmp_path / "shapes" / name / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
    (tmp_path / "shapes" / "sky" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "shapes"


def test_ten_pictures_and_no_recipe_named(shapes, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    notes = Notes()
    run = imagette.train(shapes, changes={"epochs": 2}, runs_dir=tmp_path / "runs", reporter=notes)
    assert run.folder.name == "shapes-transfer"
    assert (run.recipe.epochs, run.recipe.validation_fraction) == (2, 0.3)
    assert notes.said[0].startswith("Recipe transfer: 11 pictures")
    assert notes.said[1] == "shapes: 10 pictures of 2 classes (café 5, sky 5)"
    assert notes.said[2].startswith("Left out: ")
    assert notes.said[-1] == "head 1.0"
    assert run.metrics is not None
    assert (run.metrics["split"], run.metrics["n"]) == ("validation", 3)
    assert run.metrics["accuracy"] == 1.0
    assert (run.folder / "report.html").is_file()
    classifier = imagette.Classifier(run.folder)
    assert classifier.metadata.recipe["start"] == "default"
    answers = classifier.predict([shapes / "café" / "0.jpg", shapes / "sky" / "0.png"])
    assert [answer.label for answer in answers] == ["café", "sky"]


def test_a_larger_size_from_the_run_to_its_evaluation(shapes, tmp_path):
    """And it goes on after a stop, without fitting the head once more."""
    recipe = Recipe.load("transfer").change(
        model_options=LITE, start="lite", size=64, epochs=2, batch_size=4
    )

    class StopAfterOne(Notes):
        def epoch(self, row, best):
            if row["epoch"] == 1:
                raise KeyboardInterrupt

    arguments = {"name": "big", "runs_dir": tmp_path / "runs"}
    with pytest.raises(KeyboardInterrupt):
        imagette.train(shapes, recipe, **arguments, reporter=StopAfterOne())
    notes = Notes()
    run = imagette.train(shapes, **arguments, resume=True, reporter=notes)
    assert notes.said == []
    classifier = imagette.Classifier(run.folder)
    assert (classifier.height, classifier.width) == (64, 64)
    again = imagette.evaluate(run.folder, out=tmp_path / "again").metrics
    assert again["accuracy"] == run.metrics["accuracy"]
    assert classifier.predict(shapes / "sky" / "1.png").label == "sky"


def test_a_dataset_gets_the_size_of_the_recipe(few, tmp_path):
    data = imagette.Dataset("few", "few", tuple("abc"), tuple("abc"), few, None)
    recipe = Recipe.load("transfer").change(
        model_options=LITE, start="lite", size=48, epochs=1, batch_size=8
    )
    run = imagette.train(data, recipe, runs_dir=tmp_path / "runs")
    classifier = imagette.Classifier(run.folder)
    assert (classifier.height, classifier.width) == (48, 48)
    assert data.train.images.shape[1:3] == (32, 32)


def test_a_start_that_cannot_be_had_leaves_no_folder(shapes, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setitem(os.environ, "https_proxy", "http://127.0.0.1:9")  # where nobody answers
    recipe = Recipe.load("imagenet").change(model="mobilenetv3", size=32)
    with pytest.raises(ImagetteError, match="weights imagenet of MobileNetV3Small cannot be had"):
        imagette.train(shapes, recipe, runs_dir=tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []
