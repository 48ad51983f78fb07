"""The models that come with the package: what they are, and that their cards tell the truth."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.tiny_bundle import CIFAR10_NAMES

import imagette
from imagette.data import load_dataset, split_validation
from imagette.inference.bundle import SHIPPED, open_bundle

CARDS = [
    (name, path.with_suffix(end)) for name, path in SHIPPED.items() for end in (".md", ".fr.md")
]


def test_the_default_is_the_more_accurate_one():
    assert imagette.Classifier().path == imagette.Classifier("cifar10").path == SHIPPED["cifar10"]
    default, lite = (open_bundle(name).metadata.accuracy for name in ("cifar10", "cifar10-lite"))
    assert default > lite


@pytest.mark.parametrize(
    ("name", "recipe", "accuracy", "megabytes"),
    [("cifar10", "best", 0.95, 8), ("cifar10-lite", "lite", 0.91, 1)],
)
def test_each_says_what_it_is_and_is_as_small_as_promised(name, recipe, accuracy, megabytes):
    metadata = open_bundle(name).metadata
    assert metadata.class_names == CIFAR10_NAMES
    assert (metadata.dataset, metadata.recipe["name"]) == ("cifar10", recipe)
    assert metadata.recipe["validation_fraction"] == 0.1
    assert metadata.accuracy >= accuracy
    assert metadata.accuracy_split == "test"
    assert metadata.temperature is not None
    assert metadata.licence.startswith("Apache-2.0" if name == "cifar10" else "MIT")
    assert SHIPPED[name].stat().st_size <= megabytes * 1e6
    answer = imagette.Classifier(name).predict(Image.new("RGB", (200, 100), (120, 160, 210)))
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_each_is_as_right_as_it_says(name, cifar10_dir):
    classifier = imagette.Classifier(name)
    some = load_dataset("cifar10", cifar10_dir).test.take(np.arange(600))
    images = some.resized(classifier.height, classifier.width).images
    answers = classifier.predict_proba(images).argmax(axis=1)
    right = float((answers == some.labels).mean())
    # Three standard deviations of so few pictures, either way.
    told = classifier.metadata.accuracy
    assert right == pytest.approx(told, abs=3 * (told * (1 - told) / 600) ** 0.5)


@pytest.mark.parametrize(("name", "card"), CARDS, ids=[card.name for _, card in CARDS])
def test_the_card_says_what_the_file_says(name, card):
    text, metadata = card.read_text(encoding="utf-8"), open_bundle(name).metadata
    french = card.name.endswith(".fr.md")
    accuracy = f"{100 * metadata.accuracy:.2f} %"
    parameters = f"{metadata.parameters:,}"
    megabytes = f"{SHIPPED[name].stat().st_size / 1e6:.2f} MB"
    if french:
        accuracy, parameters = accuracy.replace(".", ","), parameters.replace(",", " ")
        megabytes = megabytes.replace(".", ",").replace("MB", "Mo")
    for fact in (accuracy, parameters, megabytes, metadata.recipe["name"], SHIPPED[name].name):
        assert fact in text


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_lists_the_pictures_kept_aside(name, cifar10_dir):
    text = SHIPPED[name].with_suffix(".md").read_text(encoding="utf-8")
    listed = [int(number) for number in re.findall(r"\d+", text.split("```")[-2])]
    recipe = open_bundle(name).metadata.recipe
    train = load_dataset("cifar10", cifar10_dir).train
    _, kept = split_validation(train, recipe["validation_fraction"], recipe["seed"])
    assert len(listed) == 5000
    assert np.array_equal(train.images[listed], kept.images)
    assert np.array_equal(train.labels[listed], kept.labels)


def test_what_the_readmes_say_of_the_shipped_models():
    root = Path(__file__).parents[2]
    for name in SHIPPED:
        accuracy = f"{100 * open_bundle(name).metadata.accuracy:.2f}"
        assert accuracy in (root / "README.md").read_text(encoding="utf-8")
        assert accuracy.replace(".", ",") in (root / "README.fr.md").read_text(encoding="utf-8")
