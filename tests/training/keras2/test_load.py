"""Real files of Keras 2, as they are and as other versions wrote them, and TensorFlow's answers."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from imagette import Classifier, ImagetteError
from imagette.training.export import export
from imagette.training.keras_files import load_keras_file

FILES = Path(__file__).parent / "files"
ANSWERS = json.loads((FILES / "answers.json").read_text("utf-8"))


def pictures():
    pictures = (np.arange(4 * 16 * 16 * 3) ** 2 * 7919 // 64 % 251).astype(np.uint8)
    pictures = pictures.reshape(4, 16, 16, 3) * np.array([0.1, 0.4, 0.7, 1]).reshape(4, 1, 1, 1)
    pictures = (pictures * np.array([1, 0.6, 0.3])).astype(np.uint8)
    pictures[2] = pictures[2, ::-1, :, ::-1]
    return pictures


def assert_answers(path, name):
    """Hold that a file answers as TensorFlow did."""
    expected = ANSWERS[name]
    batch = pictures().astype(np.float32) * (expected["top"] / 255)
    answers = load_keras_file(path).predict(batch, verbose=0)
    assert np.abs(answers - expected["answers"]).max() < 1e-5


def edited(tmp_path, edit, name="teachable"):
    """A copy of an `.h5` file whose configuration and version `edit` has changed in place."""
    path = Path(shutil.copy(FILES / f"{name}.h5", tmp_path))
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        version = edit(config)
        file.attrs["model_config"] = json.dumps(config)
        if version is not None:
            file.attrs["keras_version"] = version
    return path


def layers_of(config, kind):
    """All layers of a class, at any depth."""
    if isinstance(config, dict):
        if config.get("class_name") == kind:
            yield config
        config = list(config.values())
    for part in config if isinstance(config, list) else []:
        yield from layers_of(part, kind)


def change(kind, **keys):
    def edit(config):
        for layer in layers_of(config, kind):
            layer["config"].update(keys)

    return edit


def rename(kind, new, **keys):
    def edit(config):
        for layer in layers_of(config, kind):
            layer.update({"class_name": new, **keys})

    return edit


def as_before_2_2_3(config):
    """Layers in a plain list, no InputLayer but a shape in the first layer."""
    for model in layers_of(config, "Sequential"):
        first, *others = model["config"]["layers"]
        if first["class_name"] == "InputLayer":
            model["config"]["layers"] = others
            others[0]["config"]["batch_input_shape"] = first["config"]["batch_input_shape"]
    config["config"] = config["config"]["layers"]
    rename("Functional", "Model")(config)
    return "2.2.2"


def as_before_tensorflow_2_4(config):
    """Arithmetic in the graph as an operation of TensorFlow, with its constant."""
    for layer in layers_of(config, "TFOpLambda"):
        op = {"math.truediv": "RealDiv", "math.subtract": "Sub"}.get(layer["config"]["function"])
        if op:
            [node] = layer["inbound_nodes"]
            layer["class_name"] = "TensorFlowOpLayer"
            layer["config"]["node_def"] = {"op": op, "input": ["x", "y"]}
            layer["config"]["constants"] = {"1": node[3]["y"]}
            layer["inbound_nodes"] = [[[*node[:3], {}]]]
    return "2.4.0"


def as_keras_3(config):
    return "3.4.1"


@pytest.mark.parametrize("name", ["teachable", "graph"])
@pytest.mark.parametrize("format", ["h5", "keras"])
def test_a_file_of_keras_2_answers_as_tensorflow_does(name, format):
    assert_answers(FILES / f"{name}.{format}", name)


@pytest.mark.parametrize(
    "edit",
    [
        as_before_2_2_3,
        as_keras_3,
        rename("BatchNormalization", "BatchNormalizationV1"),
        rename("ReLU", "ReLU", module="keras.layers"),
        change("Dense", dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}}),
        change("ReLU", max_value={"type": "ndarray", "value": 6.0}),
        change("BatchNormalization", renorm=False, fused=True, virtual_batch_size=None),
        change("Dense", kernel_initializer={"class_name": "MyOwn", "config": {}}),
    ],
    ids=lambda edit: edit.__qualname__,
)
def test_what_other_versions_write_is_understood(tmp_path, edit):
    assert_answers(edited(tmp_path, edit), "teachable")


@pytest.mark.parametrize(
    ("name", "edit", "says"),
    [
        (
            "teachable",
            change("BatchNormalization", renorm=True),
            r"written by Keras 2\.15\.0, .*bn_Conv1 .*renorm=True",
        ),
        ("teachable", change("DepthwiseConv2D", groups=2), "dw .*groups=2"),
        ("teachable", change("Dense", activation="my_own"), "activation my_own"),
        ("teachable", rename("ReLU", "LocallyConnected2D"), "the layer LocallyConnected2D,"),
        ("teachable", rename("ReLU", "ReLU", registered_name="Mine>ReLU"), "ReLU of Mine"),
        ("teachable", rename("ReLU", "Lambda"), "carries program code"),
        ("graph", change("TFOpLambda", function="math.erf"), r"calls tf\.math\.erf"),
        ("graph", lambda config: "3.4.1", "hard_sigmoid, another function"),
    ],
)
def test_what_would_change_its_meaning_is_refused_by_name(tmp_path, name, edit, says):
    with pytest.raises(ImagetteError, match=says):
        load_keras_file(edited(tmp_path, edit, name))


def test_arithmetic_as_older_tensorflow_writes_it_is_understood(tmp_path):
    assert_answers(edited(tmp_path, as_before_tensorflow_2_4, "graph"), "graph")


def test_mirrored_weights_are_refused(tmp_path):
    path = edited(tmp_path, lambda config: "2.0.8")
    with h5py.File(path, "r+") as file:
        file.attrs["backend"] = "theano"
    with pytest.raises(ImagetteError, match="Theano"):
        load_keras_file(path)


def test_weights_of_other_layers_are_refused(tmp_path):
    path = edited(tmp_path, change("Dense", units=4))
    with pytest.raises(ImagetteError, match=r"shapes .* for dense"):
        load_keras_file(path)
    path = edited(tmp_path, lambda config: None)
    with h5py.File(path, "r+") as file:
        del file["model_weights/sequential_1"]
    with pytest.raises(ImagetteError, match="no weights for sequential_1"):
        load_keras_file(path)


def test_weights_in_another_file_are_not_read(tmp_path):
    path = edited(tmp_path, lambda config: None)
    with h5py.File(tmp_path / "other.h5", "w") as other, h5py.File(path, "r+") as file:
        group = file["model_weights/sequential_1"]
        name = group.attrs["weight_names"][0]
        other["data"] = group[name][()]
        del group[name]
        group[name] = h5py.ExternalLink("other.h5", "data")
    with pytest.raises(ImagetteError, match="another file"):
        load_keras_file(path)


@pytest.mark.slow
def test_its_bundle_answers_alike(tmp_path):
    bundle = export(FILES / "graph.h5", "onnx", out=tmp_path / "m.onnx", classes=["a", "b", "c"])
    answers = Classifier(bundle.path).predict_proba(pictures())
    assert np.abs(answers - ANSWERS["graph"]["answers"]).max() < 1e-4
