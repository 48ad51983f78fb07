"""A folder of photographs, and no other word: learned, measured, served."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import pytest
from PIL import Image

import imagette
from imagette import ImagetteError, Recipe
from imagette.evaluation.label_issues import find_label_issues
from imagette.evaluation.leave_one_out import says_nothing
from imagette.evaluation.mistakes import MOST_LARGE_MISTAKES
from imagette.training import default_recipe
from imagette.training.default_recipe import choose_recipe
from imagette.training.export import export
from imagette.training.reporter import Reporter

pytestmark = pytest.mark.usefixtures("plain_plots")

CLASSES = {"café": (190, 120, 60), "sky": (90, 150, 220)}


def photograph(colour, seed: int, size=(320, 240)) -> Image.Image:
    """Blotches around a colour, no two the same."""
    random = np.random.default_rng(seed)
    coarse = np.clip(random.normal(colour, 45, (6, 8, 3)), 0, 255).astype(np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "places"
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for number in range(8):
            photograph(colour, 10 * number + len(name)).save(folder / name / f"{number}.jpg")
    (folder / "sky" / "broken.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def learned(folder, tmp_path_factory):
    notes = mock.Mock(spec=Reporter)
    run = imagette.train(folder, runs_dir=tmp_path_factory.mktemp("runs"), reporter=notes)
    return run, notes


def test_a_folder_and_no_recipe_named(learned, folder):
    run, notes = learned
    assert run.folder.name == "places-photos"
    assert notes.on_recipe.call_args.args[0].startswith("Recipe photos: ")
    count, left_out, *_ = notes.on_data.call_args.args[0]
    assert count == "places: 16 pictures of 2 classes (café 8, sky 8)"
    assert left_out.startswith("Left out: sky/broken.jpg: ")
    assert (run.metrics["split"], run.metrics["n"]) == ("leave-one-out", 16)
    assert run.metrics["accuracy"] >= 14 / 16
    names = {path.name for path in run.folder.iterdir()}
    assert {"recipe.toml", "run.json", "environment.json", "model.onnx", "report.html"} <= names
    assert not names & {"model.keras", "history.csv", "checkpoint.pt"}
    assert json.loads((run.folder / "run.json").read_bytes())["finished"]
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    assert "leave-one-out" in page
    assert page.count("Ce qui parle pour") <= 2 * MOST_LARGE_MISTAKES


def test_its_bundle_answers_and_tells_where_it_comes_from(learned, folder):
    run, notes = learned
    classifier = imagette.Classifier(run.folder)
    notes.on_fit.assert_called_once_with(classifier.metadata.view)
    assert "Apache-2.0" in classifier.metadata.licence
    assert classifier.metadata.accuracy_split == "leave-one-out"
    answers = classifier.predict([folder / name / "0.jpg" for name in CLASSES])
    assert [answer.label for answer in answers] == list(CLASSES)
    assert all(answer.known for answer in answers)
    strange = Image.effect_noise((300, 300), 90).convert("RGB")
    assert classifier.predict(strange).familiarity < min(one.familiarity for one in answers)
    assert classifier.explain(folder / "sky" / "1.jpg").heat.shape == (48, 64)
    outputs = [one.name for one in onnx.load(run.folder / "model.onnx").graph.output]
    assert outputs == ["probabilities", "familiarity", "features"]
    assert (run.folder / "model.onnx").stat().st_size < 6_000_000


def test_it_is_measured_again_and_refuses_other_pictures(learned, folder, tmp_path):
    run, _ = learned
    again = imagette.evaluate(run.folder, out=tmp_path / "again").metrics
    assert again["split"] == "leave-one-out"
    assert again["accuracy"] == run.metrics["accuracy"]
    more = folder / "café" / "more.jpg"
    photograph(CLASSES["café"], 99).save(more)
    try:
        changed = imagette.evaluate(run.folder, out=tmp_path / "changed").metrics
    finally:
        more.unlink()
    assert (changed["n"], changed["learned_left_out"]) == (1, 16)


def test_every_picture_was_learned(learned):
    """So labels are doubted without their picture, and other tests need other pictures."""
    run, _ = learned
    found = find_label_issues(run.folder)
    [(subset, _)] = found.label_issues
    assert (subset.split, len(subset.examples)) == ("held-out", 16)
    with pytest.raises(ImagetteError, match="has learned every picture"):
        imagette.evaluate(run.folder, flip=True)


def test_it_is_exported_as_it_is(learned, tmp_path):
    run, _ = learned
    target = tmp_path / "mine.onnx"
    assert export(run.folder, "onnx", out=target).path == target
    assert target.read_bytes() == (run.folder / "model.onnx").read_bytes()
    with pytest.raises(ImagetteError, match=r"no Keras network.*--recipe finetune"):
        export(run.folder, "keras", out=tmp_path / "mine.keras")
    with pytest.raises(ImagetteError, match="in 8 bits already"):
        export(run.folder, "onnx", out=target, quantize="weights")


def test_a_test_split_is_what_is_measured(folder, tmp_path):
    for split, numbers in (("train", range(6)), ("test", range(6, 8))):
        for name in CLASSES:
            (tmp_path / "split" / split / name).mkdir(parents=True)
            for number in numbers:
                shutil.copy(folder / name / f"{number}.jpg", tmp_path / "split" / split / name)
    run = imagette.train(tmp_path / "split", runs_dir=tmp_path / "runs")
    assert (run.metrics["split"], run.metrics["n"]) == ("test", 4)
    again = imagette.evaluate(run.folder, out=tmp_path / "again").metrics
    assert again["loss"] == pytest.approx(run.metrics["loss"], abs=1e-3)
    label_issues = find_label_issues(run.folder).label_issues
    assert [subset.split for subset, _ in label_issues] == ["test", "held-out"]


def test_one_picture_a_class_and_copies(folder, tmp_path):
    sources = {"café": "café/0", "sky": "sky/1", "rain": "sky/2", "snow": "sky/2"}
    for name, source in sources.items():
        (tmp_path / "few" / name).mkdir(parents=True)
        shutil.copy(folder / f"{source}.jpg", tmp_path / "few" / name / "one.jpg")
    notes = mock.Mock(spec=Reporter)
    run = imagette.train(tmp_path / "few", runs_dir=tmp_path / "runs", reporter=notes)
    said = "\n".join(notes.on_data.call_args.args[0])
    assert "fewer than 10 to learn from" in said
    assert "The same picture in several classes" in said
    classifier = imagette.Classifier(run.folder)
    assert classifier.predict(tmp_path / "few/sky/one.jpg").label == "sky"
    assert classifier.metadata.accuracy is None  # nothing is left of a class whose picture is out
    (tmp_path / "few" / "rain" / "one.jpg").write_bytes(b"no picture")
    with pytest.raises(ImagetteError, match="The only picture of the class rain"):
        imagette.train(tmp_path / "few", runs_dir=tmp_path / "runs")


def test_the_only_picture_of_a_class_is_not_measured(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "places")
    (tmp_path / "places" / "rain").mkdir()
    photograph((60, 60, 60), 0).save(tmp_path / "places" / "rain" / "one.jpg")
    run = imagette.train(tmp_path / "places", runs_dir=tmp_path / "runs")
    assert (run.metrics["n"], run.metrics["per_class"]["rain"]["support"]) == (16, 0)
    again = imagette.evaluate(run.folder, out=tmp_path / "again").metrics
    assert again["accuracy"] == run.metrics["accuracy"]


@pytest.mark.slow
def test_arrays_of_a_dataset(digits, tmp_path):
    few = digits.train.take(np.arange(0, len(digits.train), 12))
    data = replace(digits, name="few", source="few", train=few, test=None)
    run = imagette.train(data, "photos", runs_dir=tmp_path)
    assert run.metrics["accuracy"] > 0.7
    classifier = imagette.Classifier(run.folder)
    assert classifier.class_names_fr == digits.class_names_fr
    assert classifier.metadata.view == "whole"  # of square pictures, nothing is cut off


def test_the_view_follows_where_it_shows(tmp_path):
    """Grey in the middle, and what tells the classes apart at both ends."""
    for name, colour in CLASSES.items():
        (tmp_path / "ends" / name).mkdir(parents=True)
        for number in range(8):
            picture = photograph((128, 128, 128), 10 * number + len(name), (600, 200))
            for left in (0, 450):
                picture.paste(photograph(colour, number, (150, 200)), (left, 0))
            picture.save(tmp_path / "ends" / name / f"{number}.png")
    notes = mock.Mock(spec=Reporter)
    imagette.train(tmp_path / "ends", runs_dir=tmp_path / "runs", reporter=notes)
    notes.on_fit.assert_called_once_with("whole")


def test_few_small_pictures_too_and_many_from_nothing(folder, monkeypatch):
    found = imagette.data.open_source(folder)
    recipe, why = choose_recipe(found)
    assert recipe.name == "photos"
    assert "ImageNet" in why
    monkeypatch.setattr(default_recipe, "MANY", 10)
    assert choose_recipe(found)[0].name == "photos"  # large ones
    monkeypatch.setattr(default_recipe, "typical_size", lambda found: (40, 32))
    recipe, why = choose_recipe(found)
    assert recipe.name == "sprint-90"
    assert "40×32 pixels" in why


def test_another_size_than_the_backbone_looks_at(folder, tmp_path):
    recipe = Recipe.load("photos").change(image_size=64)
    with pytest.raises(ImagetteError, match="looks at 224×224 pixels, not at 64×64"):
        imagette.train(folder, recipe, runs_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_says_nothing_is_told_by_every_class():
    def metrics(split, *supports):
        classes = {str(number): {"support": each} for number, each in enumerate(supports)}
        return {"split": split, "n": sum(supports), "per_class": classes}

    assert says_nothing(metrics("leave-one-out", 1, 1, 1))
    assert not says_nothing(metrics("leave-one-out", 2, 2, 0, 0))  # as many pictures as classes
    assert not says_nothing(metrics("test", 1, 1))


def test_validation_pictures_that_were_given_are_what_is_measured(folder, tmp_path):
    data = tmp_path / "places"
    shutil.copytree(folder, data / "train")
    for name, colour in CLASSES.items():
        (data / "valid" / name).mkdir(parents=True)
        photograph(colour, 300).save(data / "valid" / name / "0.jpg")
    notes = mock.Mock(spec=Reporter)
    run = imagette.train(data, runs_dir=tmp_path / "runs", reporter=notes)
    assert (run.metrics["split"], run.metrics["n"]) == ("validation", 2)
    assert "2 to validate and to measure with" in notes.on_data.call_args.args[0][0]
    again = imagette.evaluate(run.folder).metrics
    assert (again["split"], again["n"], again["accuracy"]) == ("validation", 2, 1)
