"""Keras models with preprocessing and ends of all kinds, as bundles that answer as Keras does."""

import numpy as np
import pytest
from support.keras_models import classifier_behind, functional

from imagette import Classifier, ImagetteError
from imagette.models.backend import load_keras
from imagette.training.export import export
from imagette.training.foreign_models.compare import sample_pictures, to_greys
from imagette.training.foreign_models.pixel_values import parse_pixel_values

NAMES = ["a", "b", "c"]


def preprocess_input(family):
    return lambda x: getattr(load_keras().applications, family).preprocess_input(x)


def layer(name, *arguments, **options):
    return lambda x: getattr(load_keras().layers, name)(*arguments, **options)(x)


def cast(x):
    return load_keras().ops.cast(x, "float32") / 255


def augmented(x):
    layers = load_keras().layers
    inner = [layers.RandomFlip(), layers.RandomZoom(0.1), layers.Rescaling(1 / 127.5, offset=-1)]
    return load_keras().Sequential(inner)(x)


def same(x):
    return x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("front", "of", "pixels"),
    [
        (lambda x: x / 127.5 - 1, {}, "0–255"),  # with a whole number
        (lambda x: 2 * x - 1, {}, "0–1"),
        (lambda x: preprocess_input("vgg16")(x) / 100, {}, "0–255"),
        (preprocess_input("densenet"), {}, "0–255"),
        (cast, {"dtype": "uint8"}, "0–255"),
        (augmented, {}, "0–255"),
        (layer("Normalization", mean=120.0, variance=3600.0), {}, "0–255"),
        (layer("Rescaling", 1 / 255), {"shape": (28, 28, 1)}, "0–255"),
        (layer("Rescaling", 1 / 255), {"shape": (28, 28)}, "0–255"),
        (layer("Rescaling", 1 / 255), {"shape": (3, 32, 32)}, "0–255"),
        (layer("Rescaling", 1 / 255), {"shape": (None, None, 3)}, "0–255"),
    ],
)
def test_the_bundle_answers_as_keras_does(tmp_path, front, of, pixels):
    model = classifier_behind(front, **of)
    model.save(tmp_path / "m.keras")
    exported = export(
        tmp_path / "m.keras",
        classes=NAMES,
        image_size=32 if None in model.input_shape[1:] else None,
    )
    assert f"pixels in {pixels} " in exported.notes[0]
    classifier = Classifier(exported.path)
    shape = model.input_shape[1:]
    pictures = sample_pictures(*((28, 28) if 28 in shape else (32, 32)))
    taken = to_greys(pictures) if shape[-1] in (1, 28) else pictures
    taken = taken.astype(np.float32) / (255 if pixels == "0–1" else 1)
    if shape[0] == 3:
        taken = taken.transpose(0, 3, 1, 2)
    taken = taken.reshape(len(pictures), *(size or 32 for size in shape))
    own = model.predict(taken, verbose=0)
    assert np.ptp(own, axis=0).max() > 0.005
    assert np.abs(classifier.predict_proba(pictures) - own).max() < 1e-3


@pytest.mark.parametrize("pixels", ["1", "-1..1", "imagenet"])
def test_without_preprocessing_the_values_are_asked_for(tmp_path, pixels):
    model = classifier_behind(same)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ImagetteError, match=r"cannot be told.*--pixels"):
        export(tmp_path / "m.keras", classes=NAMES)
    assert not (tmp_path / "m.onnx").exists()
    bundle = export(tmp_path / "m.keras", classes=NAMES, pixels=pixels).path
    pictures = sample_pictures(32, 32)
    own = model.predict(parse_pixel_values(pixels).of(pictures), verbose=0)
    assert np.abs(Classifier(bundle).predict_proba(pictures) - own).max() < 1e-3


def test_colours_turned_around_by_a_slice(tmp_path):
    """PyTorch cannot run it as it was written, for TensorFlow."""
    model = classifier_behind(lambda x: x[..., ::-1] / 255)
    model.save(tmp_path / "m.keras")
    bundle = export(tmp_path / "m.keras", classes=NAMES).path
    plain = classifier_behind(same)
    plain.set_weights(model.get_weights())
    pictures = sample_pictures(32, 32)
    own = plain.predict(pictures[..., ::-1] / np.float32(255), verbose=0)
    assert np.abs(Classifier(bundle).predict_proba(pictures) - own).max() < 1e-3


def soft(x):
    ops = load_keras().ops
    return ops.exp(x) / ops.sum(ops.exp(x), axis=-1, keepdims=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("last", "outputs", "meaning"),
    [
        ("sigmoid", 1, lambda p: np.concatenate([1 - p, p], axis=1)),
        ("log_softmax", 3, np.exp),
        (soft, 3, lambda p: p),
        ("sigmoid", 3, None),
    ],
)
def test_the_last_activation_tells_what_is_given(tmp_path, last, outputs, meaning):
    model = classifier_behind(layer("Rescaling", 1 / 255), last=last, outputs=outputs)
    inside = load_keras().Sequential([load_keras().Input((32, 32, 3)), model])
    inside.save(tmp_path / "m.keras")
    names = NAMES[: max(2, outputs)]
    if meaning is None:
        with pytest.raises(ImagetteError, match="each through a sigmoid"):
            export(tmp_path / "m.keras", classes=names)
        return
    bundle = export(tmp_path / "m.keras", classes=names).path
    pictures = sample_pictures(32, 32)
    own = meaning(model.predict(pictures.astype(np.float32), verbose=0))
    assert np.abs(Classifier(bundle).predict_proba(pictures) - own).max() < 1e-3


def test_what_is_no_classifier_is_refused(tmp_path):
    keras = load_keras()
    layers = keras.layers
    cases = {
        "rows": keras.Sequential([layers.Input((784,)), layers.Dense(3)]),
        "pictures": keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(3, 3)]),
        "any size": classifier_behind(same, shape=(None, None, 3)),
        "depth": classifier_behind(same, shape=(32, 32, 4)),
    }
    for name, problem in (
        ("rows", "not an image classifier"),
        ("pictures", "not an image classifier"),
        ("any size", r"any size.*--image-size"),
        ("depth", "no pictures that a bundle can give"),
    ):
        cases[name].save(tmp_path / f"{name}.keras")
        with pytest.raises(ImagetteError, match=problem):
            export(tmp_path / f"{name}.keras", classes=NAMES, pixels=1)


@pytest.mark.parametrize(
    ("kind", "arguments", "options"),
    [
        ("Resizing", [20, 20], {"interpolation": "bicubic"}),
        ("UpSampling2D", [2], {"interpolation": "bicubic"}),
        ("AveragePooling2D", [3, 2], {"padding": "same"}),
        ("TimeDistributed", ["AveragePooling1D"], {}),
    ],
)
def test_layers_that_pytorch_computes_otherwise_are_refused(tmp_path, kind, arguments, options):
    layers = load_keras().layers
    if kind == "TimeDistributed":
        arguments = [layers.AveragePooling1D(2, padding="same")]
    inner = load_keras().Sequential([getattr(layers, kind)(*arguments, **options)])
    classifier_behind(inner).save(tmp_path / "m.keras")
    with pytest.raises(ImagetteError, match=r"computes otherwise than on TensorFlow.*as ONNX"):
        export(tmp_path / "m.keras", classes=NAMES, pixels=1)


def test_answers_that_would_differ_are_not_written(tmp_path, monkeypatch):
    functional(load_keras().layers.Rescaling(1 / 255)).save(tmp_path / "m.keras")
    monkeypatch.setattr(  # as an error in the graph would
        "imagette.training.fold_batchnorm._factor_and_offset", lambda norm: (norm.gamma.value, 1.0)
    )
    with pytest.raises(
        ImagetteError, match=r"would not answer as m\.keras itself: by .*Nothing was"
    ):
        export(tmp_path / "m.keras")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.slow
@pytest.mark.parametrize("front", ["Rescaling", "Normalization", "none"])
def test_another_range_for_a_keras_file(tmp_path, front):
    """An `.h5` takes 0–1 where the file tells what it takes; otherwise what that takes."""
    tells = {
        "Rescaling": layer("Rescaling", 1 / 127.5, offset=-1),
        "Normalization": layer("Normalization", mean=120.0, variance=3600.0),
        "none": same,
    }[front]
    model = classifier_behind(tells)
    model.save(tmp_path / "m.keras")
    exported = export(tmp_path / "m.keras", "h5")
    again = load_keras().saving.load_model(exported.path, compile=False)
    pictures = sample_pictures(32, 32).astype(np.float32)
    own = model.predict(pictures, verbose=0)
    given = again.predict(pictures / (1 if front == "none" else 255), verbose=0)
    assert np.abs(given - own).max() < 1e-4
    if front == "none":
        assert "as m.keras" in exported.notes[0]
        with pytest.raises(ImagetteError, match=r"cannot be found out.*Leave out --pixels"):
            export(tmp_path / "m.keras", "h5", out=tmp_path / "other.h5", pixels=1)
    else:
        assert "0–1" in exported.notes[0]


def test_an_average_that_is_padded_evenly_is_computed_alike(tmp_path):
    pooling = load_keras().layers.AveragePooling2D(3, 1, padding="same")
    classifier_behind(pooling).save(tmp_path / "m.keras")
    assert export(tmp_path / "m.keras", classes=NAMES, pixels=1).path.exists()
