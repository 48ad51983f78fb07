"""Evaluating runs and bundles: on which pictures, with what result, leaving what."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from functools import partial
from unittest.mock import Mock

import numpy as np
import onnx
import pytest
from PIL import Image
from support.html_pages import Page
from support.sources import paint

from imagette.data import Dataset, Split, load_dataset, split_validation
from imagette.data.originals import Originals
from imagette.errors import ImagetteError
from imagette.evaluation import evaluate, evaluation_for_bundle
from imagette.evaluation.corruptions import NAMES, corrupt
from imagette.evaluation.mistakes import most_confident_mistakes
from imagette.inference.classifier import Classifier

KEYS = {
    "model", "dataset", "split", "n", "accuracy", "accuracy_interval", "loss", "calibration_error",
    "balanced_accuracy", "brier", "reliability", "per_class", "confusion",
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _plots_of_one_run_alone(evaluation, plain_plots):
    """Only `evaluation`, which is made before, has plots that are drawn."""


def share_right(bundle, images, labels) -> float:
    """Top-1 accuracy by another way than the one under test: picture by picture."""
    predictions = Classifier(bundle).predict(list(images))
    return np.mean([p.index == label for p, label in zip(predictions, labels, strict=True)])


@pytest.fixture
def evaluated(tmp_path, evaluation):
    """A copy of that run's folder, to change."""
    return shutil.copytree(evaluation.folder, tmp_path / "mine")


# On which pictures ----------------------------------------------------------------------------


@pytest.mark.slow
def test_run_is_measured_on_test_or_on_what_training_held_out(
    tmp_path, colours, make_run, evaluation
):
    train, test = split_validation(colours.train, 0.3, seed=0)
    data = replace(colours, train=train, test=test)
    tested = evaluate(make_run(tmp_path / "runs" / "mine", data), data)
    held_out = split_validation(colours.train, 0.25, seed=7)[1]

    on = ((tested, "test", test), (evaluation, "validation", held_out))
    for found, name, split in on:
        metrics = found.metrics
        assert metrics.keys() == KEYS
        assert (metrics["model"], metrics["dataset"], metrics["split"]) == ("mine", "colours", name)
        assert metrics["n"] == len(split) == sum(map(sum, metrics["confusion"]))
        bundle = found.folder / "model.onnx"
        assert metrics["accuracy"] == share_right(bundle, split.images, split.labels)
    assert (tested.metrics["n"], evaluation.metrics["n"]) == (72, 60)


@pytest.mark.slow
def test_run_loads_its_own_dataset(tmp_path, make_run):
    folder = tmp_path / "pictures"
    for number in range(16):
        paint(folder / ("left", "right")[number % 2] / f"{number}.png", (15 * number, 0, 0))
    run = make_run(tmp_path / "mine", load_dataset(folder))

    evaluation = evaluate(run)

    metrics = evaluation.metrics
    assert (metrics["split"], metrics["n"]) == ("validation", 4)
    assert evaluate(run, folder).metrics == metrics  # named, it is still its own
    page = Page(evaluation.report)
    shown = {(run / link).resolve() for link in page.links}
    assert shown <= {*folder.rglob("*.png")}
    assert len(shown) == sum(image["alt"].startswith("What spoke for ") for image in page.images)
    assert f"imagette serve --ui --model {run / 'model.onnx'}" in page.text
    assert f"imagette explore --audit {run}" in page.text


def test_held_out_pictures_of_a_changed_dataset_cannot_be_told(tmp_path, colours, make_run):
    fingerprint = colours.train.fingerprint()
    run = make_run(tmp_path / "mine", colours, train_fingerprint=fingerprint)
    assert evaluate(run, colours).metrics["split"] == "validation"
    train = colours.train
    images, labels = train.images.copy(), train.labels.copy()
    images[5, 0, 0, 0] ^= 1
    labels[[0, 1]] = labels[[1, 0]]

    fewer = train.take(np.arange(239))
    for split in (Split(images, train.labels), Split(train.images, labels), fewer):
        with pytest.raises(ImagetteError, match="colours have changed since the run was trained"):
            evaluate(run, replace(colours, train=split))

    with_test = replace(colours, train=Split(images, labels), test=colours.train)
    assert evaluate(run, with_test).metrics["split"] == "test"


def test_run_on_another_dataset_keeps_what_it_reached_on_its_own(colours, evaluation, evaluated):
    other = replace(colours, name="others", source="/others")
    of_other = evaluate(evaluated, other)
    assert (of_other.metrics["split"], of_other.metrics["n"]) == ("all", 240)
    assert of_other.folder == evaluated / "evaluation-others"
    assert json.loads((evaluated / "metrics.json").read_bytes()) == evaluation.metrics


def test_bundle_on_a_dataset_without_test_split(tmp_path, colours, tell_colours, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bundle = tell_colours()
    evaluation = evaluate(bundle, colours)
    assert (evaluation.metrics["split"], evaluation.metrics["n"]) == ("all", 240)
    assert evaluation.metrics["model"] == str(bundle)
    assert evaluation.folder.resolve() == tmp_path / "evaluation-tiny"
    written = {".imagette", "confusion.png", "metrics.json", "reliability.png", "report.html"}
    assert {file.name for file in evaluation.folder.iterdir()} == written


def test_bundle_knows_the_built_in_dataset_it_was_trained_on(tmp_path, digits, make_bundle):
    bundle = make_bundle(tmp_path / "tiny.onnx", digits.class_names, digits.class_names_fr)
    model = onnx.load(bundle)
    next(entry for entry in model.metadata_props if entry.key == "dataset").value = '"digits"'
    onnx.save(model, bundle)
    metrics = evaluate(bundle, out=tmp_path / "out").metrics
    assert (metrics["dataset"], metrics["split"], metrics["n"]) == ("digits", "test", 360)


def test_official_cifar10(tmp_path, bundle_path, cifar10_dir):
    metrics = evaluate(bundle_path, "cifar10", data_dir=cifar10_dir, out=tmp_path).metrics
    assert (metrics["split"], metrics["n"]) == ("test", 10_000)
    assert {row["support"] for row in metrics["per_class"].values()} == {1000}


# Classes and sizes ----------------------------------------------------------------------------


def test_classes_are_matched_by_name(tmp_path, colours, make_bundle):
    bundle = make_bundle(
        tmp_path / "tiny.onnx", ("blue", "pink", "red", "green"), ("b", "p", "r", "v"), 6
    )

    metrics = evaluate(bundle, colours, out=tmp_path / "out").metrics

    assert list(metrics["per_class"]) == ["blue", "pink", "red", "green"]
    assert [row["support"] for row in metrics["per_class"].values()] == [80, 0, 80, 80]
    page = Page(tmp_path / "out" / "report.html")
    assert page.text.count("–") == 3  # precision, recall and F1 of pink
    assert re.search(r"Not tested, because no picture is of these classes:.*pink", page.text, re.S)
    in_order_of_bundle = np.array([2, 3, 0])[colours.train.labels]
    assert metrics["accuracy"] == share_right(bundle, colours.train.images, in_order_of_bundle)


def test_unknown_classes_are_named(tmp_path, colours, make_bundle):
    bundle = make_bundle(tmp_path / "tiny.onnx", ("red", "black"), ("r", "n"), 6)
    with pytest.raises(ImagetteError, match="does not know 'green', 'blue'"):
        evaluate(bundle, colours, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# What is left ---------------------------------------------------------------------------------


def test_files_of_a_run(evaluation):
    run = evaluation.folder
    assert (run.name, (run / "recipe.toml").is_file()) == ("mine", True)  # the run's own folder
    assert json.loads((run / "metrics.json").read_bytes()) == evaluation.metrics
    for name in ("confusion.png", "curves.png", "reliability.png"):
        with Image.open(run / name) as image:
            image.load()
            assert min(image.size) > 500
    page = Page(evaluation.report)
    assert all(image["src"].startswith("data:image/png;base64,") for image in page.images)
    assert all(image["alt"] for image in page.images)
    assert not re.search(r"https?://|url\(|<link", page.source)
    percentage = f"{100 * evaluation.metrics['accuracy']:.1f}"
    for text in (
        f"{percentage}%", percentage.replace(".", ",") + "\u202f%", "12.5 s", "12,5\u00a0s",
        "3.15.1",
        "the validation pictures of", "images de validation de", "rouge", "tiny <b>",
    ):  # fmt: skip
        assert text in page.text


def test_hostile_class_names_are_escaped(tmp_path, colours, make_bundle):
    names = ('<script>alert("1")</script>', "$a_b$ & 名前", "l" * 200 + "\n<img src=x>")
    data = replace(colours, class_names=names, class_names_fr=names, name="<i>data</i>")
    bundle = make_bundle(tmp_path / "tiny.onnx", names, names, 6)

    page = Page(evaluate(bundle, data, out=tmp_path / "out").report)

    assert page.tags.count("script") == 1
    assert "i" not in page.tags
    assert all(image["src"].startswith("data:") for image in page.images)
    assert names[0] in page.text
    assert "<i>data</i>" in page.text


def test_mistakes_name_their_files_and_have_heat_maps(tmp_path, colours, tell_colours):
    """Of a model that takes larger pictures, to which the classifier brings each, too."""
    paths = tuple(f'red <b>&/{number} "<i>.png' for number in range(240))
    bundle = tell_colours(16)
    data = replace(colours, train=replace(colours.train, paths=paths))

    evaluation = evaluate(bundle, data, out=tmp_path / "out")

    answers = Classifier(bundle).predict(list(data.train.images))
    wrong = {n for n, answer in enumerate(answers) if answer.index != data.train.labels[n]}
    assert evaluation.metrics["accuracy"] == pytest.approx(1 - len(wrong) / 240)
    page = Page(evaluation.report)
    named = {int(name) for name in re.findall(r"(\d+) \"<i>\.png", page.text)}
    assert named <= wrong
    assert len(named) == min(24, len(wrong)) > 0
    assert set(page.titles) == {paths[number] for number in named}
    assert "i" not in page.tags
    described = [image["alt"] for image in page.images]
    assert sum(text.startswith("What spoke for ") for text in described) == len(named)


def test_model_without_mistakes(tmp_path, colours, tell_colours):
    bundle = tell_colours()
    answers = Classifier(bundle).predict_proba(colours.train.images).argmax(axis=1)
    data = replace(colours, train=Split(colours.train.images, answers))
    evaluation = evaluate(bundle, data, out=tmp_path / "out")
    assert evaluation.metrics["accuracy"] == 1
    assert evaluation.metrics["accuracy_interval"][1] == 1
    assert "There is none: every answer was right." in Page(evaluation.report).text


def test_the_most_confident_mistakes_come_first(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    confidence = np.linspace(0.55, 0.94, 40)
    probabilities = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    labels = np.arange(40) % 2  # the odd ones are mistakes
    heat_maps = Mock(return_value=np.zeros((20, 4, 4), np.float32))

    data = Dataset.from_arrays(images, labels)
    mistakes = most_confident_mistakes(
        data.train, probabilities, heat_maps, "whole", Originals(data), tmp_path
    )

    [(pictures, indices)] = [call.args for call in heat_maps.call_args_list]
    assert (pictures == images[np.arange(39, 0, -2)]).all()
    assert (indices == 0).all()  # the class that was answered
    assert [mistake["position"] for mistake in mistakes] == list(range(39, 0, -2))
    assert mistakes[0]["confidence"] == pytest.approx(0.94)
    assert (mistakes[0]["true"], mistakes[0]["predicted"]) == (1, 0)


def test_share_of_strangers(tmp_path):
    """The model that ships tells strangers: noise is one, at least most of the time."""
    random = np.random.default_rng(0)
    lite = Classifier("cifar10-lite")
    images = random.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    data = Dataset.from_arrays(images, np.arange(40) % 10, lite.class_names)
    evaluation = evaluate(lite.path, data, out=tmp_path)
    strangers = [not prediction.known for prediction in lite.predict(list(images))]
    assert evaluation.metrics["unknown_share"] == np.mean(strangers) > 0.5
    assert "look like none of them" in Page(evaluation.report).text


def test_what_a_bundle_tells_of_its_evaluation(evaluation):
    metrics = evaluation.metrics
    told = evaluation_for_bundle(metrics, evaluation.folder)
    assert told.keys() == {*metrics, "history"}
    assert [row["epoch"] for row in told["history"]] == [1, 2, 3, 4]
    assert told["history"][2]["loss"] == 0.666667
    assert told["loss"] == pytest.approx(metrics["loss"], rel=1e-5)
    assert told["confusion"] == metrics["confusion"]
    assert json.loads(json.dumps(told)) == told


# Under corruption -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("size", [6, 12])
def test_accuracy_under_corruption(tmp_path, colours, tell_colours, size):
    """Pictures are corrupted in their own size, 6, also where the network takes larger ones."""
    bundle, said = tell_colours(size), []

    evaluation = evaluate(bundle, colours, out=tmp_path / "out", corruptions=True, say=said.append)

    found = evaluation.metrics["corruptions"]
    assert tuple(found) == NAMES
    assert len(said) == 15
    images, labels = colours.train.images, colours.train.labels
    for name in ("gaussian_noise", "contrast"):
        assert found[name] == [
            share_right(bundle, corrupt(images, name, severity), labels) for severity in range(1, 6)
        ]
    mean = np.mean([accuracy for row in found.values() for accuracy in row])
    assert evaluation.metrics["corruption_accuracy"] == pytest.approx(mean)
    page = Page(evaluation.report)
    assert sum(image["alt"].startswith("A picture at strength") for image in page.images) == 75
    assert "verre dépoli" in page.text


def test_a_stopped_measurement_goes_on_where_it_was(tmp_path, colours, tell_colours):
    measure = partial(evaluate, tell_colours(), out=tmp_path / "out", corruptions=True)
    stop_after_two = Mock(side_effect=[None, KeyboardInterrupt])

    with pytest.raises(KeyboardInterrupt):
        measure(colours, say=stop_after_two)
    kept = json.loads((tmp_path / "out" / "corruptions.json").read_bytes())["accuracy"]
    assert list(kept) == ["gaussian_noise", "shot_noise"]
    again, other = [], []
    found = measure(colours, say=again.append).metrics["corruptions"]
    assert len(again) == 13
    assert found | kept == found

    fewer = replace(colours, train=colours.train.take(np.arange(60)))
    measure(fewer, say=other.append)
    assert len(other) == 15  # what was measured on other pictures is of no use


# What goes wrong ------------------------------------------------------------------------------


def test_neither_run_nor_bundle_nor_dataset(tmp_path, bundle_path, colours, make_run):
    gone = replace(colours, source=str(tmp_path / "gone"))
    for model, problem in (
        (tmp_path / "nothing", "There is no model file"),
        (tmp_path, "is not a run folder"),
        (bundle_path, "does not say on which dataset"),
        (make_run(tmp_path / "mine", gone), "gone"),
    ):
        with pytest.raises(ImagetteError, match=problem):
            evaluate(model)


@pytest.mark.parametrize("missing", ["model.onnx", "run.json"])
def test_run_that_was_stopped_early(tmp_path, colours, make_run, missing):
    run = make_run(tmp_path / "my runs" / "it's mine", colours)
    (run / missing).unlink()
    with pytest.raises(ImagetteError, match=f"has no {missing}") as caught:
        evaluate(run, colours)
    command = shlex.split(caught.value.remedy.split("`")[1])  # it can be pasted
    assert command[:3] == ["imagette", "train", "--name"]
    assert command[3:] == ["it's mine", "--runs-dir", str(run.parent), "--resume"]


def test_run_without_history_or_environment(tmp_path, colours, make_run):
    run = make_run(tmp_path / "mine", colours)
    (run / "history.csv").unlink()
    (run / "environment.json").unlink()
    evaluation = evaluate(run, colours)
    assert not (run / "curves.png").exists()
    assert "How it learned" not in Page(evaluation.report).text


def test_a_single_epoch_makes_no_curve(tmp_path, colours, make_run):
    run = make_run(tmp_path / "mine", colours, epochs=1)
    page = Page(evaluate(run, colours).report)
    assert not (run / "curves.png").exists()
    assert "With a single epoch there is no curve to draw" in page.text


@pytest.mark.parametrize(
    ("name", "content"),
    [("run.json", b"{"), ("run.json", b'{"dataset": "digits"}'), ("recipe.toml", b"epochs = = 3"),
     ("environment.json", b"[1]"), ("history.csv", b"epoch,loss\n1,2\n"),
     ("history.csv", b"epoch,loss,accuracy,val_loss,val_accuracy,seconds\n1,2,x,1,1,1\n"),
     ("history.csv", b"\xff\xfe\x00")],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path, colours, make_run, name, content):
    run = make_run(tmp_path / "mine", colours)
    (run / name).write_bytes(content)
    with pytest.raises(ImagetteError, match=re.escape(f"{run / name} is damaged")):
        evaluate(run, colours)


def test_earlier_results_stay_when_nothing_can_be_measured(colours, evaluated):
    before = (evaluated / "metrics.json").read_bytes()
    shutil.copy(evaluated / "recipe.toml", evaluated / "model.onnx")  # no ONNX any more
    with pytest.raises(ImagetteError, match="not an ONNX file"):
        evaluate(evaluated, colours)
    assert (evaluated / "metrics.json").read_bytes() == before
