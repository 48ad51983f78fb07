"""No accuracy on pictures that were learned, wherever these lie now."""

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from PIL import Image

import imagette
from imagette import ImagetteError
from imagette.evaluation.label_issues import find_label_issues
from imagette.training.reporter import Reporter

pytestmark = pytest.mark.usefixtures("plain_plots")

EPOCHS = {"epochs": 2, "patience": 0, "image_size": 32}


def fill(folder: Path, per_class: int, first: int = 0) -> Path:
    """Noisy pictures of two classes, no two the same."""
    random = np.random.default_rng(first)
    for level, name in ((60, "dark"), (180, "light")):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + per_class):
            pixels = random.normal(level, 30, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def by_epochs(tmp_path_factory):
    """A run that has held out 8 of 40 pictures, and the folder that it learned from."""
    root = tmp_path_factory.mktemp("by-epochs")
    data = fill(root / "data", 20)
    run = imagette.train(data, "classic", changes=EPOCHS, name="run", runs_dir=root / "runs")
    assert (run.metrics["split"], run.metrics["n"]) == ("validation", 8)
    return run, data


@pytest.fixture(scope="module")
def in_closed_form(tmp_path_factory):
    root = tmp_path_factory.mktemp("closed-form")
    data = fill(root / "data", 8)
    return imagette.train(data, "photos", name="run", runs_dir=root / "runs"), data


@pytest.fixture(params=["by_epochs", "in_closed_form"])
def trained(request, tmp_path):
    """The metrics of a training, a copy of its run, and of its pictures elsewhere."""
    run, data = request.getfixturevalue(request.param)
    folder = shutil.copytree(run.folder, tmp_path / "run")
    return run.metrics, folder, shutil.copytree(data, tmp_path / "elsewhere")


def comparable(metrics):
    return {key: metrics[key] for key in ("split", "n", "accuracy", "loss", "per_class")}


def test_pictures_that_were_moved_are_measured_as_before(trained, tmp_path):
    metrics, folder, elsewhere = trained
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", elsewhere)
    for place in (elsewhere, packed):
        again = imagette.evaluate(folder, place)
        assert comparable(again.metrics) == comparable(metrics)
        assert again.folder == folder
    splits = [subset.split for subset, _ in find_label_issues(folder, elsewhere).label_issues]
    assert splits[0] == "held-out"


def test_a_run_whose_pictures_are_gone_says_how_to_name_them(trained):
    _, folder, elsewhere = trained
    info = json.loads((folder / "run.json").read_bytes())
    (folder / "run.json").write_text(json.dumps(info | {"dataset": str(elsewhere / "gone")}))
    with pytest.raises(ImagetteError, match=r"no longer at .*gone") as caught:
        imagette.evaluate(folder)
    assert f"imagette evaluate {folder} FOLDER" in caught.value.remedy


def test_a_run_is_measured_on_pictures_that_came_later(trained, tmp_path):
    metrics, folder, elsewhere = trained
    fill(elsewhere, 3, first=100)
    later = imagette.evaluate(folder, elsewhere)
    held_out = metrics["n"] if metrics["split"] == "validation" else 0
    learned = {"validation": 32, "leave-one-out": 16}[metrics["split"]]
    assert (later.metrics["split"], later.metrics["n"]) == ("all", 6 + held_out)
    assert later.metrics["learned_left_out"] == learned
    assert later.folder != folder  # the run's own figures stay
    assert f"{learned} pictures were left out" in later.report.read_text(encoding="utf-8")


def test_a_bundle_by_itself_knows_what_it_has_learned(by_epochs, in_closed_form, tmp_path):
    run, data = by_epochs
    bundle = shutil.copy(run.folder / "model.onnx", tmp_path / "mine.onnx")
    metrics = imagette.evaluate(bundle, data, out=tmp_path / "out").metrics
    assert (metrics["split"], metrics["n"], metrics["learned_left_out"]) == ("all", 8, 32)
    run, data = in_closed_form
    with pytest.raises(ImagetteError, match="has learned every picture") as caught:
        imagette.evaluate(run.folder / "model.onnx", data, out=tmp_path / "out")
    assert "has not learned" in caught.value.remedy


@pytest.mark.parametrize(("recipe", "changes"), [("classic", EPOCHS), ("photos", {})])
def test_test_pictures_that_were_learned_are_not_counted(tmp_path, recipe, changes):
    data = fill(tmp_path / "data" / "train", 6).parent
    fill(data / "test", 2, first=100)
    for number in range(6):
        picture = data / "train" / "dark" / f"{number}.png"
        shutil.copy(picture, data / "test" / "dark" / f"again{number}.png")
    notes = mock.Mock(spec=Reporter)
    run = imagette.train(data, recipe, changes=changes, runs_dir=tmp_path / "runs", reporter=notes)
    counted = {key: run.metrics[key] for key in ("split", "n", "learned_left_out")}
    assert (counted["split"], counted["n"]) == ("test", 10 - counted["learned_left_out"])
    assert counted["learned_left_out"] == (6 if recipe == "photos" else 4)  # two were held out
    assert any("in train and test (6 in all)" in line for line in notes.on_data.call_args.args[0])
    again = imagette.evaluate(run.folder).metrics
    assert {key: again[key] for key in counted} == counted
    if recipe == "classic":  # what was held out of the train split alone
        alone = imagette.evaluate(run.folder, data / "train")
        assert alone.metrics["split"] == "validation"
        assert alone.folder == run.folder / "evaluation-train"
        assert json.loads((run.folder / "metrics.json").read_bytes())["split"] == "test"


def test_the_train_split_alone_where_nothing_was_held_out_of_it(tmp_path):
    data = fill(tmp_path / "data" / "train", 12).parent
    fill(data / "validation", 4, first=100)
    run = imagette.train(data, "classic", changes=EPOCHS, name="run", runs_dir=tmp_path / "runs")
    with pytest.raises(ImagetteError, match="has learned every picture"):
        imagette.evaluate(run.folder, data / "train")
    issues = find_label_issues(run.folder, data / "train").label_issues
    assert [subset.split for subset, _ in issues] == ["train"]
    assert json.loads((run.folder / "metrics.json").read_bytes())["split"] == "validation"


class StopsAfterAnEpoch(Reporter):
    def on_epoch(self, row, best):
        raise KeyboardInterrupt


def test_a_training_goes_on_where_its_pictures_are_now(tmp_path):
    data = fill(tmp_path / "data", 12)
    options = {"recipe": "classic", "changes": EPOCHS, "name": "run", "runs_dir": tmp_path / "runs"}
    with pytest.raises(KeyboardInterrupt):
        imagette.train(data, **options, reporter=StopsAfterAnEpoch())
    data.rename(tmp_path / "moved")
    with pytest.raises(ImagetteError, match="no longer at") as caught:
        imagette.train(name="run", runs_dir=tmp_path / "runs", resume=True)
    assert "imagette train FOLDER --name run --resume" in caught.value.remedy
    other = fill(tmp_path / "other", 12, first=50)
    with pytest.raises(ImagetteError, match="holds other pictures"):
        imagette.train(other, **options, resume=True)
    run = imagette.train(tmp_path / "moved", **options, resume=True)
    assert run.metrics["split"] == "validation"
    assert json.loads((run.folder / "run.json").read_bytes())["dataset"] == str(tmp_path / "moved")
    assert imagette.train(tmp_path / "moved", **options, resume=True).metrics is None
    with pytest.raises(ImagetteError, match="holds other pictures"):
        imagette.train(other, **options, resume=True)
