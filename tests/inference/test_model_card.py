"""The card of a model, as the Hugging Face Hub reads it."""

import re

import pytest
import yaml

from imagette.evaluation.metrics import measure
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.inference.model_card import MOST_ROWS, model_card

HOSTILE = ("*a* | b", "<img src=x>", "[c](http://evil.test)", "two\nlines", "`d` $x$ #")


def metadata(names=("bowl", "mug"), **more):
    facts = {
        "class_names": names,
        "class_names_fr": tuple(f"{name} fr" for name in names),
        "model": "resnet20",
        "dataset": "kitchen: “mine”\n- x",
        "recipe": {"name": "classic", "epochs": 12.0, "seed": 3, "image_size": 32},
        "parameters": 1234567,
    }
    return BundleMetadata(**facts | more)


def front_matter(card):
    return yaml.safe_load(re.match(r"---\n(.*?)\n---\n\n# ", card, re.DOTALL)[1])


def measured(count=2):
    import numpy as np

    labels = np.arange(60) % count
    answers = np.full((60, count), 0.2 / (count - 1), np.float32)
    answers[np.arange(60), np.where(np.arange(60) < 6, (labels + 1) % count, labels)] = 0.8
    return measure(answers, labels, tuple(f"n{place}" for place in range(count)))


@pytest.mark.parametrize("name", ["cifar10", "cifar10-lite"])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_hub_reads_it(name, language):
    hub = pytest.importorskip("huggingface_hub", reason="it comes with the datasets of the Hub")
    facts = open_bundle(name).metadata
    card = hub.ModelCard(model_card(facts, language))
    assert card.data.pipeline_tag == "image-classification"
    assert card.data.library_name == "imagette"
    assert card.data.license == ("mit" if name == "cifar10-lite" else None)
    results = {one.metric_type: one for one in card.data.eval_results}
    assert results["accuracy"].metric_value == facts.accuracy
    assert results["accuracy"].dataset_split == "test"
    assert results["f1"].metric_value == pytest.approx(facts.accuracy, abs=0.001)
    assert {"expected_calibration_error", "brier_score"} <= results.keys()
    assert "45" in card.text
    assert "{{" not in card.text


def test_it_says_what_was_learned_how_good_it_is_and_how_to_use_it():
    told = measured()
    card = model_card(
        metadata(
            counts={"train": (70, 50), "validation": (20, 10)},
            sample_split="validation",
            samples=(("/9j/",), ("/9j/", "/9j/")),
            accuracy=told["accuracy"],
            accuracy_split="validation",
            evaluation=told,
        ),
        "en",
    )
    assert "150 pictures (120 to learn from, 30 to validate with)" in card
    assert "| bowl | 70 | 20 |" in card
    assert "carries 3 small pictures of these (validation pictures)" in card
    assert "**90.0%** of the answers to 60 pictures are right" in card
    low, high = (f"{end:.1%}" for end in told["accuracy_interval"])
    assert f"{low} to {high}" in card
    assert "1,234,567 parameters, pictures of 32×32 pixels" in card
    assert "12 epochs" in card
    assert "It does not notice pictures of other things" in card
    assert 'Classifier("model.onnx")' in card
    assert "license" not in front_matter(card)
    [result] = front_matter(card)["model-index"][0]["results"]
    assert result["dataset"]["name"] == metadata().dataset  # not as Markdown would have it
    assert "## Licence\n\nNot chosen yet." in card


def test_leave_one_out_is_said_to_be_that():
    told = measured() | {"split": "leave-one-out", "model": "mine"}
    more = {"accuracy_split": "leave-one-out", "accuracy": told["accuracy"], "evaluation": told}
    recipe = {"name": "photos", "epochs": 0, "init_from": "imagenet", "image_size": 224}
    card = model_card(metadata(recipe=recipe, **more), "en")
    [result] = front_matter(card)["model-index"][0]["results"]
    assert result["metrics"][0]["name"] == "Accuracy (leave-one-out)"
    assert result["dataset"]["split"] == "train"
    assert "leave-one-out cross-validation" in card
    assert "ImageNet; they stayed as they were" in card
    assert "The model file carries no pictures." in card


@pytest.mark.parametrize("language", ["en", "fr"])
def test_names_are_words_and_nothing_is_needed(language):
    card = model_card(metadata(HOSTILE, counts={"train": (1,) * 5}), language)
    front = front_matter(card)
    assert "model-index" not in front
    assert front["tags"][-1] == "resnet20"
    body = card.partition("\n---\n\n")[2]
    assert "<img" not in body.replace("\\<img", "")
    assert "](http" not in body.replace("\\](", "")
    rows = [line for line in body.splitlines() if line.startswith("| ")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [3] * 6
    bare = BundleMetadata(class_names=("a", "b"), class_names_fr=("a", "b"))
    assert front_matter(model_card(bare, language))["library_name"] == "imagette"


def test_tables_of_very_many_classes_are_left_out():
    names = tuple(f"n{place}" for place in range(MOST_ROWS + 1))
    card = model_card(metadata(names, counts={"train": (5,) * len(names)}), "fr")
    assert "| n0" not in card
    assert "505 images, toutes pour apprendre" in card


def test_french_spaces_do_not_break():
    told = measured()
    card = model_card(metadata(accuracy=0.9, accuracy_split="test", evaluation=told), "fr")
    prose = re.sub(r"```.*?```|`[^`]*`|<!--.*?-->|^---.*?^---$|^\|-.*?$", "", card,
                   flags=re.DOTALL | re.MULTILINE)  # fmt: skip
    assert not re.search(r" [:;?!»%]|« ", prose)
