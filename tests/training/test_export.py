"""Models into other formats, ours and those of others, without any change in what they answer."""

import numpy as np
import pytest
from support.keras_models import classic_model
from support.without_calibration import answers_of_network

from imagette import Classifier, ImagetteError
from imagette.models.backend import load_keras
from imagette.training import export_keras
from imagette.training.export import export

NAMES = [f"digit {number}" for number in range(10)]


@pytest.fixture(scope="module")
def trained_classic(digits):
    """A model somebody trained elsewhere on pixels in 0–1, and what it answers to real pictures."""
    model = classic_model()
    model.compile("adam", "sparse_categorical_crossentropy")
    pixels = digits.train.images.astype(np.float32) / 255
    model.fit(pixels, digits.train.labels, batch_size=32, epochs=1, verbose=0)
    return model, model.predict(digits.test.images.astype(np.float32) / 255, verbose=0)


@pytest.fixture(params=["h5", "keras"])
def classic(request, tmp_path, trained_classic):
    """The same as a file, and its answers."""
    model, answers = trained_classic
    path = tmp_path / f"cifar10_model.{request.param}"
    model.save(path)
    return path, answers


@pytest.mark.slow
def test_a_classic_file_becomes_a_bundle_with_the_same_answers(classic, digits):
    path, expected = classic
    assert (expected.argmax(axis=1) == digits.test.labels).mean() > 0.5  # it did learn
    exported = export(path, "onnx", classes=NAMES, pixels=1)
    assert exported.path == path.with_suffix(".onnx")
    classifier = Classifier(exported.path)
    assert np.abs(classifier.predict_proba(digits.test.images) - expected).max() < 1e-4
    assert classifier.class_names == tuple(NAMES)


@pytest.mark.slow
def test_ten_outputs_are_taken_for_cifar10_and_that_is_said(classic):
    exported = export(classic[0], "onnx", pixels=1)
    classifier = Classifier(exported.path)
    assert (classifier.class_names[3], classifier.class_names_fr[3]) == ("cat", "chat")
    assert any("CIFAR-10" in note for note in exported.notes)


@pytest.mark.parametrize("format", ["h5", "keras"])
@pytest.mark.parametrize("pixels", [None, 1, 255])
def test_a_run_for_others(digits_run, digits, tmp_path, format, pixels):
    exported = export(digits_run.folder, format, out=tmp_path / f"m.{format}", pixels=pixels)
    takes = pixels or (1 if format == "h5" else 255)
    model = load_keras().saving.load_model(exported.path, compile=False)
    given = digits.test.images.astype(np.float32) * (takes / 255)
    expected = answers_of_network(digits_run.folder / "model.onnx", digits.test.images)
    assert np.abs(model.predict(given, verbose=0) - expected).max() < 1e-4
    assert f"0–{takes}" in exported.notes[0]


def test_there_and_back_again(digits_run, digits, tmp_path):
    h5 = export(digits_run.folder, "h5", out=tmp_path / "m.h5").path
    bundle = export(h5, out=tmp_path / "m.onnx", classes=NAMES, pixels=1).path
    expected = answers_of_network(digits_run.folder / "model.onnx", digits.test.images)
    assert np.abs(Classifier(bundle).predict_proba(digits.test.images) - expected).max() < 1e-4


def test_the_keras_file_of_a_run_is_the_one_it_holds(digits_run):
    network = (digits_run.folder / "model.keras").read_bytes()
    exported = export(digits_run.folder, "keras")
    assert exported.path == digits_run.folder / "model.keras"
    assert exported.path.read_bytes() == network
    assert "0–255" in exported.notes[0]


def test_no_keras_file_is_overwritten_unless_it_is_named(digits_run, classic, tmp_path):
    network = (digits_run.folder / "model.keras").read_bytes()
    beside = export(digits_run.folder, "keras", pixels=1).path
    assert beside != digits_run.folder / "model.keras"
    beside.unlink()
    assert (digits_run.folder / "model.keras").read_bytes() == network
    path, _ = classic
    other = "keras" if path.suffix == ".h5" else "h5"
    path.with_suffix(f".{other}").write_text("somebody's work", encoding="utf-8")
    assert export(path, other).path != path.with_suffix(f".{other}")
    assert path.with_suffix(f".{other}").read_text(encoding="utf-8") == "somebody's work"


@pytest.mark.parametrize("names", [["a"] * 10, ["a", "", *"bcdefghi"]])
def test_class_names_that_are_none_are_refused(classic, names):
    with pytest.raises(ImagetteError, match="cannot be the names"):
        export(classic[0], "onnx", classes=names, pixels=1)


def test_what_does_not_fit_is_said(classic, digits_run, tmp_path):
    path, _ = classic
    other = "h5" if path.suffix == ".keras" else "keras"
    for source, format, asked, message in (
        (path, "onnx", {"classes": ["yes", "no"], "pixels": 1}, "10 outputs, and 2 class names"),
        (path, other, {"classes": NAMES}, "holds no class names"),
        (digits_run.folder, "onnx", {"out": tmp_path / "x.onnx", "pixels": 1}, "knows its own"),
        (digits_run.folder, "h5", {"pixels": "imagenet"}, "0–1 or 0–255, not in imagenet"),
        (digits_run.folder, "h5", {"image_size": 64}, "knows its own"),
        (digits_run.folder, "h5", {"out": tmp_path / "x.keras"}, r"does not end in \.h5"),
    ):
        with pytest.raises(ImagetteError, match=message):
            export(source, format, **asked)


def test_a_keras_file_that_would_answer_otherwise_is_not_written(classic, tmp_path, monkeypatch):
    """As when Keras' format loses something of a layer."""
    load = export_keras.load_keras_file

    def loses_a_weight(path):
        model = load(path)
        if path != classic[0]:
            model.layers[-1].kernel.assign(0 * model.layers[-1].kernel)
        return model

    monkeypatch.setattr(export_keras, "load_keras_file", loses_a_weight)
    target = tmp_path / "other.keras"
    with pytest.raises(ImagetteError, match="would not answer as"):
        export(classic[0], "keras", out=target)
    assert not target.exists()
