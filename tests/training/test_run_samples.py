"""What a run's bundle says of its pictures, and the small ones that it carries or not."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

import imagette
from imagette import ImagetteError
from imagette.inference.bundle import open_bundle
from imagette.runs import read_run
from imagette.training.reporter import Reporter

pytestmark = pytest.mark.usefixtures("plain_plots")


def metadata(folder):
    return open_bundle(folder).metadata


@pytest.fixture
def folder(tmp_path):
    """Plain pictures of two classes."""
    for place, name in enumerate(("day", "night")):
        (tmp_path / "sky" / name).mkdir(parents=True)
        for number in range(8):
            colour = np.random.default_rng(number).integers(100, 150, 3) + (100, -100)[place]
            image = Image.new("RGB", (60, 40), tuple(colour.tolist()))
            image.save(tmp_path / "sky" / name / f"{number}.png")
    return tmp_path / "sky"


def test_a_training_by_epochs_carries_test_pictures(digits_run):
    told = metadata(digits_run.folder)
    assert told.sample_split == "test"
    assert list(map(len, told.samples)) == [6] * 10
    assert list(told.counts) == ["train", "validation", "test"]
    metrics = json.loads((digits_run.folder / "metrics.json").read_bytes())
    assert sum(told.counts["test"]) == metrics["n"]
    assert base64.b64decode(told.samples[0][0]).startswith(b"\xff\xd8")
    for name, said in (("README.md", "60 small pictures"), ("README.fr.md", "60 de ces images")):
        assert said in (digits_run.folder / name).read_text(encoding="utf-8")


def test_a_training_that_goes_on_leaves_them_out_as_it_began(folder, tmp_path):
    class Stopping(Reporter):
        def on_epoch(self, row, best):
            raise KeyboardInterrupt

    recipe = imagette.Recipe.load("classic").change(epochs=2, patience=0)
    runs = {"runs_dir": tmp_path, "name": "run"}
    with pytest.raises(KeyboardInterrupt):
        imagette.train(folder, recipe, samples=False, reporter=Stopping(), **runs)
    run = imagette.train(folder, recipe, resume=True, **runs)
    told = metadata(run.folder)
    assert (told.sample_split, told.samples) == ("", ())
    assert told.counts == {"train": (6, 6), "validation": (2, 2)}
    assert read_run(run.folder).info.samples is False
    assert "carries no pictures" in (run.folder / "README.md").read_text(encoding="utf-8")


def test_they_can_be_taken_out_of_a_run_that_has_finished(folder, tmp_path, backbone):
    run = imagette.train(folder, runs_dir=tmp_path, name="run")
    before = metadata(run.folder)
    assert (before.sample_split, list(map(len, before.samples))) == ("train", [6, 6])
    assert before.counts == {"train": (8, 8)}
    again = imagette.train(resume=True, runs_dir=tmp_path, name="run", samples=False)
    assert again.metrics is None
    after = metadata(run.folder)
    assert after == before.model_copy(update={"sample_split": "", "samples": ()})
    assert json.loads((run.folder / "run.json").read_text())["samples"] is False
    assert "carries no pictures" in (run.folder / "README.md").read_text(encoding="utf-8")
    image = np.full((2, 224, 224, 3), 60, np.uint8)
    assert imagette.Classifier(run.folder).predict_proba(image).shape == (2, 2)


def test_a_bundle_whose_samples_are_not_base64_does_not_open(tmp_path, make_bundle):
    import onnx

    path = make_bundle(tmp_path / "a.onnx", ("a", "b"), ("a", "b"))
    proto = onnx.load(path)
    hostile = 'x") } body { background: url(http://evil.test'
    for samples in ([[hostile], []], [[]]):
        update = {"sample_split": "test", "samples": samples}
        properties = metadata(path).to_properties() | {
            key: json.dumps(value) for key, value in update.items()
        }
        onnx.helper.set_model_props(proto, properties)
        onnx.save(proto, tmp_path / "b.onnx")
        with pytest.raises(ImagetteError, match="damaged"):
            open_bundle(tmp_path / "b.onnx")
