"""Models into other formats, ours and those of others, without any change in what they answer."""

from pathlib import Path

import numpy as np
import pytest
from without_finish import answers_of_network

from imagette import Classifier, ImagetteError, evaluate
from imagette.models.backend import load_keras
from imagette.training.export import export

NAMES = [f"digit {number}" for number in range(10)]


def classic_model(data_range: int = 1, last: str | None = "softmax"):
    """The classic tutorial's model, which takes pixels divided by 255."""
    keras = load_keras()
    layers = keras.layers
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            *([layers.Rescaling(1 / 255)] if data_range == 255 else []),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation=last),
        ]
    )


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


def test_a_classic_file_becomes_a_bundle_with_the_same_answers(classic, digits):
    path, expected = classic
    exported = export(path, "onnx", classes=NAMES)
    assert exported.path == path.with_suffix(".onnx")
    classifier = Classifier(exported.path)
    assert np.abs(classifier.predict_proba(digits.test.images) - expected).max() < 1e-4
    assert classifier.class_names == tuple(NAMES)


def test_its_bundle_evaluates_to_the_same_accuracy(classic, digits, tmp_path):
    path, expected = classic
    bundle = export(path, "onnx", classes=list(digits.class_names)).path
    accuracy = (expected.argmax(axis=1) == digits.test.labels).mean()
    measured = evaluate(bundle, digits, out=tmp_path / "evaluation").metrics
    assert measured["accuracy"] == pytest.approx(accuracy)
    assert accuracy > 0.5  # it did learn, so the comparison says something


def test_ten_outputs_are_taken_for_cifar10_and_that_is_said(classic):
    exported = export(classic[0], "onnx")
    assert Classifier(exported.path).class_names[3] == "cat"
    assert Classifier(exported.path).class_names_fr[3] == "chat"
    assert any("CIFAR-10" in note for note in exported.notes)


def test_the_batch_is_dynamic_and_the_classes_are_static(digits_run):
    import onnx

    graph = onnx.load(digits_run.folder / "model.onnx").graph
    shapes = [
        [size.dim_value or size.dim_param for size in value.type.tensor_type.shape.dim]
        for value in (graph.input[0], graph.output[0])
    ]
    assert shapes == [["batch", 32, 32, 3], ["batch", 10]]
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8


def test_the_bundle_tells_nothing_of_the_machine(digits_run):
    content = (digits_run.folder / "model.onnx").read_bytes()
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b"site-packages" not in content


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
    keras_file = export(h5, "keras", out=tmp_path / "m.keras", pixels=255).path
    bundle = export(keras_file, "onnx", out=tmp_path / "m.onnx", classes=NAMES).path
    expected = answers_of_network(digits_run.folder / "model.onnx", digits.test.images)
    assert np.abs(Classifier(bundle).predict_proba(digits.test.images) - expected).max() < 1e-4


def test_a_run_gives_its_bundle(digits_run, tmp_path):
    copy = export(digits_run.folder, "onnx", out=tmp_path / "copy.onnx").path
    assert copy.read_bytes() == (digits_run.folder / "model.onnx").read_bytes()


def test_pixels_says_what_the_first_layer_does_not(tmp_path, digits):
    keras = load_keras()
    model = keras.Sequential(
        [keras.layers.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]
    )
    model.save(tmp_path / "m.keras")
    bundle = export(tmp_path / "m.keras", "onnx", pixels=255).path
    logits = model.predict(digits.test.images[:5].astype(np.float32), verbose=0)
    softmax = np.exp(logits - logits.max(1, keepdims=True))
    expected = softmax / softmax.sum(1, keepdims=True)
    assert np.allclose(
        Classifier(bundle).predict_proba(digits.test.images[:5]), expected, atol=1e-4
    )


@pytest.mark.parametrize("format", ["h5", "keras"])
def test_a_file_that_carries_code_is_refused(tmp_path, format):
    keras = load_keras()
    trace = str(tmp_path / "trace")
    model = keras.Sequential(
        [
            keras.layers.Input((32, 32, 3)),
            keras.layers.Lambda(lambda x: (open(trace, "w"), x)[1]),  # noqa: PTH123, SIM115
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    path = tmp_path / f"evil.{format}"
    model.save(path)
    Path(trace).unlink()  # building the model ran the code
    with pytest.raises(ImagetteError, match="carries program code"):
        export(path, "onnx")
    assert not Path(trace).exists()
    assert not path.with_suffix(".onnx").exists()


def functional(*front):
    """A Functional network with batch normalisation and a shortcut, behind `front`."""
    layers = load_keras().layers
    load_keras().utils.set_random_seed(5)
    inputs = x = layers.Input((32, 32, 3))
    for layer in front:
        x = layer(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.add([x, layers.ReLU()(x)])
    x = layers.GlobalAveragePooling2D()(x)
    return load_keras().Model(inputs, layers.Dense(10, activation="softmax")(x))


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


def test_a_nested_sigmoid_is_refused(tmp_path):
    keras = load_keras()
    model = keras.Sequential([keras.layers.Input((32, 32, 3)), classic_model(last="sigmoid")])
    model.save(tmp_path / "m.keras")
    with pytest.raises(ImagetteError, match="ends in sigmoid"):
        export(tmp_path / "m.keras", "onnx")


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_half_precision_networks_become_bundles_that_open(tmp_path, digits, policy):
    keras = load_keras()
    keras.config.set_dtype_policy(policy)
    try:
        model = classic_model()
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "m.keras")
    bundle = export(tmp_path / "m.keras", "onnx").path
    sums = Classifier(bundle).predict_proba(digits.test.images[:5]).sum(axis=1)
    assert np.allclose(sums, 1, atol=1e-2)


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method")
def test_a_network_that_keras_quantized_answers_the_same(tmp_path, digits):
    model = classic_model()
    model.quantize("int8")
    model.save(tmp_path / "m.keras")
    bundle = export(tmp_path / "m.keras", "onnx", pixels=255).path
    pixels = digits.test.images[:20].astype(np.float32)
    found = Classifier(bundle).predict_proba(digits.test.images[:20])
    assert np.abs(found - model.predict(pixels, verbose=0)).max() < 0.02


def test_no_keras_file_is_overwritten_unless_it_is_named(digits_run, classic, tmp_path):
    network = (digits_run.folder / "model.keras").read_bytes()
    with pytest.raises(ImagetteError, match="written over itself"):
        export(digits_run.folder, "keras", pixels=1)
    assert (digits_run.folder / "model.keras").read_bytes() == network
    path, _ = classic
    other = "keras" if path.suffix == ".h5" else "h5"
    path.with_suffix(f".{other}").write_text("somebody's work")
    with pytest.raises(ImagetteError, match="exists already"):
        export(path, other)
    assert path.with_suffix(f".{other}").read_text() == "somebody's work"


@pytest.mark.parametrize("names", [["a"] * 10, ["a", "", *"bcdefghi"]])
def test_class_names_that_are_none_are_refused(classic, names):
    with pytest.raises(ImagetteError, match="cannot be the names"):
        export(classic[0], "onnx", classes=names)


def test_what_is_no_classifier_is_refused(tmp_path):
    keras = load_keras()
    layers = keras.layers
    cases = {
        "sigmoid": classic_model(last="sigmoid"),
        "grey": keras.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)]),
        "pictures": keras.Sequential([layers.Input((32, 32, 3)), layers.Conv2D(3, 3)]),
    }
    for name, model in cases.items():
        model.save(tmp_path / f"{name}.keras")
    with pytest.raises(ImagetteError, match="ends in sigmoid"):
        export(tmp_path / "sigmoid.keras", "onnx")
    for name in ("grey", "pictures"):
        with pytest.raises(ImagetteError, match="no classifier of colour pictures"):
            export(tmp_path / f"{name}.keras", "onnx")


def test_damaged_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nonsense")
    with pytest.raises(ImagetteError, match=r"broken\.h5 cannot be read as a Keras model"):
        export(tmp_path / "broken.h5", "onnx")
    with pytest.raises(ImagetteError, match=r"no file .*absent\.h5"):
        export(tmp_path / "absent.h5", "onnx")
    with pytest.raises(ImagetteError, match="is no run"):
        export(tmp_path, "h5")


def test_what_does_not_fit_is_said(classic, digits_run, tmp_path):
    path, _ = classic
    with pytest.raises(ImagetteError, match="10 outputs, and 2 class names"):
        export(path, "onnx", classes=["yes", "no"])
    with pytest.raises(ImagetteError, match="holds no class names"):
        export(path, "h5" if path.suffix == ".keras" else "keras", classes=NAMES)
    with pytest.raises(ImagetteError, match="written over itself"):
        export(path, path.suffix[1:])
    with pytest.raises(ImagetteError, match="knows its own"):
        export(digits_run.folder, "onnx", out=tmp_path / "x.onnx", pixels=1)
    with pytest.raises(ImagetteError, match=r"does not end in \.h5"):
        export(digits_run.folder, "h5", out=tmp_path / "x.keras")
