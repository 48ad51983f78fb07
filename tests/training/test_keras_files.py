"""Keras' own files, some of them damaged, hostile, or no classifiers at all."""

from pathlib import Path

import numpy as np
import pytest
from support.keras_models import functional

from imagette import Classifier, ImagetteError
from imagette.models.backend import load_keras
from imagette.training.export import export


@pytest.mark.parametrize("format", ["h5", "keras"])
def test_a_file_that_carries_code_is_refused(tmp_path, format):
    trace, path = str(tmp_path / "trace"), tmp_path / f"evil.{format}"
    functional(load_keras().layers.Lambda(lambda x: (Path(trace).touch(), x)[1])).save(path)
    Path(trace).unlink()  # building the model ran the code
    with pytest.raises(ImagetteError, match="carries program code"):
        export(path, "onnx")
    assert not Path(trace).exists()
    assert not path.with_suffix(".onnx").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("front", "takes"),
    [
        (lambda layers: [], 1),
        (lambda layers: [layers.Rescaling(1 / 255)], 255),
        (lambda layers: [layers.Rescaling([1 / 255] * 3)], 255),
        (lambda layers: [layers.RandomFlip(), layers.Rescaling(1 / 127.5, offset=-1)], 255),
        (lambda layers: [load_keras().Sequential([layers.RandomFlip(), layers.Rescaling(1 / 255)])],
         255),
    ],
)  # fmt: skip
def test_the_range_of_pixels_is_found_behind_augmentation(tmp_path, digits, front, takes):
    model = functional(*front(load_keras().layers))
    model.save(tmp_path / "m.keras")
    pictures = digits.test.images[:20]
    expected = model.predict(pictures.astype(np.float32) * (takes / 255), verbose=0)
    exported = export(tmp_path / "m.keras", "onnx")
    assert f"0–{takes}" in exported.notes[-1]
    assert np.abs(Classifier(exported.path).predict_proba(pictures) - expected).max() < 1e-4
    h5 = export(tmp_path / "m.keras", "h5").path
    again = load_keras().saving.load_model(h5, compile=False)
    answers = again.predict(pictures.astype(np.float32) / 255, verbose=0)
    assert np.abs(answers - expected).max() < 1e-4


def test_a_range_that_cannot_be_told_is_asked_for(tmp_path, digits):
    normalization = load_keras().layers.Normalization(mean=120.0, variance=3600.0)
    model = functional(normalization)
    model.save(tmp_path / "m.keras")
    for format in ("onnx", "h5"):
        with pytest.raises(ImagetteError, match=r"range of pixels .* cannot be told"):
            export(tmp_path / "m.keras", format)
    bundle = export(tmp_path / "m.keras", "onnx", pixels=255).path
    expected = model.predict(digits.test.images[:5].astype(np.float32), verbose=0)
    assert np.abs(Classifier(bundle).predict_proba(digits.test.images[:5]) - expected).max() < 1e-4


def test_damaged_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nonsense")
    with pytest.raises(ImagetteError, match=r"broken\.h5 cannot be read as a Keras model"):
        export(tmp_path / "broken.h5", "onnx")
    with pytest.raises(ImagetteError, match=r"no file .*absent\.h5"):
        export(tmp_path / "absent.h5", "onnx")
    with pytest.raises(ImagetteError, match="is no run"):
        export(tmp_path, "h5")


def test_what_is_no_classifier_is_refused(tmp_path):
    keras = load_keras()
    layers = keras.layers
    cases = {
        "grey": keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)]),
        "pictures": keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(3, 3)]),
    }
    for name, model in cases.items():
        model.save(tmp_path / f"{name}.keras")
        with pytest.raises(ImagetteError, match="no classifier of colour pictures"):
            export(tmp_path / f"{name}.keras", "onnx")
