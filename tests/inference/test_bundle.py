"""Opening bundles: the good ones open, and everything else is one clear error."""

import json
from contextlib import suppress
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bundle import CIFAR10_NAMES, CIFAR10_NAMES_FR

from imagette.errors import ImagetteError
from imagette.inference.bundle import FORMAT_VERSION, SHIPPED, BundleMetadata, open_bundle
from imagette.inference.classifier import Classifier


def refused(path) -> ImagetteError:
    with pytest.raises(ImagetteError) as caught:
        # The same checks as in a process of its own, which tests/inference/test_trial.py is about.
        open_bundle(path, made_here=True)
    assert str(path) in caught.value.problem
    assert caught.value.remedy.endswith(".")
    return caught.value


@pytest.fixture
def changed(bundle_path, tmp_path):
    """A function that writes the tiny bundle again, changed by another function."""

    def write(change):
        model = onnx.load(bundle_path)
        change(model)
        onnx.save(model, tmp_path / "changed.onnx")
        return tmp_path / "changed.onnx"

    return write


def set_metadata(model, **changes: str | None) -> None:
    told = {entry.key: entry.value for entry in model.metadata_props} | changes
    helper.set_model_props(model, {key: value for key, value in told.items() if value is not None})


def set_input(model, type_: int, shape: list) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("image", type_, shape))


# --- what opens ----------------------------------------------------------------------------------


def test_a_good_bundle_opens(bundle_path):
    bundle = open_bundle(bundle_path)
    assert (bundle.height, bundle.width) == (32, 32)
    assert bundle.metadata.class_names == CIFAR10_NAMES
    assert bundle.metadata.class_names_fr == CIFAR10_NAMES_FR
    assert bundle.metadata.model == "mean-colour"
    assert open_bundle(str(bundle_path), threads=1).metadata == bundle.metadata


def test_height_and_width_are_told_apart(changed):
    path = changed(lambda model: set_input(model, TensorProto.UINT8, ["batch", 32, 48, 3]))
    bundle = open_bundle(path)
    assert (bundle.height, bundle.width) == (32, 48)
    assert Classifier(path).views(np.zeros((7, 9, 3), np.uint8))[0].pixels.shape == (32, 48, 3)


def test_metadata_goes_through_a_file_unharmed(changed):
    names = ("a b", 'c"d', "e:é", "猫", *"ghijkl")
    metadata = BundleMetadata(
        class_names=names, class_names_fr=("à", "ç", "œ", "chat", *"ghijkl"),
        imagette_version="0.1.0", model="classic-cnn", parameters=167_562, dataset="cifar10",
        recipe={"epochs": 50, "learning_rate": 0.001, "augment": None},
        accuracy=0.6875, accuracy_split="test", licence="MIT",
    )  # fmt: skip
    path = changed(lambda model: helper.set_model_props(model, metadata.to_properties()))
    assert open_bundle(path).metadata == metadata


def test_unknown_metadata_and_further_outputs_are_let_be(changed):
    def extend(model):
        set_metadata(model, author="not JSON")
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])
        model.graph.output.append(logits)

    path = changed(extend)
    picture = np.full((32, 32, 3), 90, np.uint8)
    assert len(Classifier(path).predict(picture).probabilities) == 10


# --- files that are no ONNX ----------------------------------------------------------------------


def test_a_missing_file_and_a_folder(tmp_path):
    assert "There is no model file" in refused(tmp_path / "missing.onnx").problem
    assert "There is no model file" in refused(tmp_path).problem  # no run's folder either
    keras_file = tmp_path / "model.h5"
    keras_file.write_bytes(b"")
    assert "imagette export" in refused(keras_file).remedy
    for name in ("a" * 5000, "null\0byte"):
        refused(tmp_path / name)


def test_a_folder_called_as_a_shipped_model_is_not_opened_for_it(tmp_path, monkeypatch):
    (tmp_path / "cifar10-lite").mkdir()
    (tmp_path / "cifar10").write_bytes(b"not a model")
    monkeypatch.chdir(tmp_path)
    for name in ("cifar10-lite", "cifar10"):
        assert open_bundle(name).path == SHIPPED[name]
    with pytest.raises(ImagetteError):
        open_bundle(tmp_path / "cifar10")


def test_files_that_are_no_onnx_or_are_cut_short(bundle_path, tmp_path, capfd):
    whole, path = bundle_path.read_bytes(), tmp_path / "model.onnx"
    needed = whole.index(b"class_names_fr")
    cut = [whole[:length] for length in range(0, needed, needed // 30)]
    for content in (b"\0", b"PK\3\4 keras", np.random.default_rng(0).bytes(4000), *cut):
        path.write_bytes(content)
        refused(path)
    # Machines read what commands print, so ONNX Runtime must not talk in between.
    assert capfd.readouterr() == ("", "")


def test_damaged_bytes_give_a_bundle_or_an_imagette_error(bundle_path, tmp_path, capfd):
    random, path = np.random.default_rng(1), tmp_path / "damaged.onnx"
    content = np.frombuffer(bundle_path.read_bytes(), np.uint8)
    opened = 0
    for _ in range(150):
        mutant = content.copy()
        where = random.integers(0, len(content), random.integers(1, 4))
        mutant[where] ^= random.integers(1, 256, len(where), dtype=np.uint8)
        path.write_bytes(mutant.tobytes())
        with suppress(ImagetteError):
            opened += open_bundle(path, made_here=True).height > 0
    assert opened < 150
    assert capfd.readouterr() == ("", "")


# --- ONNX files that are no bundles --------------------------------------------------------------


def test_onnx_without_metadata(changed):
    error = refused(changed(lambda model: helper.set_model_props(model, {})))
    assert "not an Imagette bundle" in error.problem


DAMAGED = {
    "class_names": [
        "", "{", "null", '"airplane"', "[1, 2, 3]", '["airplane"]', '["\\ud800", "b"]',
        "[" * 100_000,
        *(json.dumps([*CIFAR10_NAMES[:9], *last]) for last in (["airplane"], [""], [])),
    ],
    "class_names_fr": [None, '["avion"]'], "format_version": ['"one"', "0", "1" * 5000],
    "accuracy": ["NaN", "68.4"], "parameters": ['"many"'], "recipe": ["[]"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in DAMAGED.items() for value in values]
)
def test_damaged_metadata(changed, key, value):
    error = refused(changed(lambda model: set_metadata(model, **{key: value})))
    assert "metadata" in error.problem
    assert "damaged" in error.problem


def test_metadata_that_is_no_utf8(bundle_path, tmp_path):
    path = tmp_path / "latin.onnx"
    path.write_bytes(bundle_path.read_bytes().replace(b"airplane", b"airplan\xe9"))
    assert "metadata" in refused(path).problem


def test_names_that_do_not_fit_the_probabilities(changed):
    names = dict.fromkeys(["class_names", "class_names_fr"], json.dumps([*"abcdefghijk"]))
    error = refused(changed(lambda model: set_metadata(model, **names)))
    assert "probabilities of its 11 classes" in error.problem


def test_a_newer_format_asks_for_an_upgrade(changed):
    names = '{"meaning": "changed in the newer format"}'
    newer = {"format_version": str(FORMAT_VERSION + 1), "class_names": names}
    error = refused(changed(lambda model: set_metadata(model, **newer)))
    assert "newer Imagette" in error.problem
    assert "pip install --upgrade imagette" in error.remedy


@pytest.mark.parametrize(
    ("type_", "shape"),
    [(type_, ["batch", 32, 32, 3]) for type_ in (TensorProto.FLOAT, TensorProto.INT8)]
    + [(TensorProto.UINT8, shape) for shape in (
        ["batch", 3, 32, 32], ["batch", 32, 32, 1], [1, 32, 32, 3], [2, 32, 32, 3],
        ["batch", "height", "width", 3], ["batch", 0, 32, 3], ["batch", 32, 2**40, 3],
        ["batch", 32, 3], [],
    )],
)  # fmt: skip
def test_another_input(changed, type_, shape):
    refused(changed(lambda model: set_input(model, type_, shape)))


def test_no_input_two_inputs_no_output(changed):
    def no_input(model):
        del model.graph.input[:]
        still = numpy_helper.from_array(np.zeros((1, 32, 32, 3), np.uint8), "image")
        model.graph.initializer.append(still)

    def two_inputs(model):
        more = helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch"])
        model.graph.input.append(more)

    for change in (no_input, two_inputs, lambda model: model.graph.ClearField("output")):
        assert "uint8 pictures" in refused(changed(change)).problem


def test_another_output(changed):
    def renamed(model):
        model.graph.node[-1].output[0] = model.graph.output[0].name = "scores"

    def double(model):
        model.graph.node[-1].output[0] = "single"
        cast = helper.make_node("Cast", ["single"], ["probabilities"], to=TensorProto.DOUBLE)
        model.graph.node.append(cast)
        model.graph.output[0].type.tensor_type.elem_type = TensorProto.DOUBLE

    for change in (renamed, double):
        assert "probabilities" in refused(changed(change)).problem


def test_a_bundle_that_opens_is_one_that_runs(changed, capfd):
    def only_one_picture(model):
        model.graph.initializer.append(numpy_helper.from_array(np.array([1, 10]), "shape"))
        model.graph.node[-1].output[0] = "rows"
        model.graph.node.append(helper.make_node("Reshape", ["rows", "shape"], ["probabilities"]))

    def mean_of_all_pictures(model):
        del model.graph.initializer[1]
        model.graph.node[1].attribute[0].i = 1  # keepdims
        for name, value in (("axes", [0, 1, 2]), ("flat", [1, 3])):
            model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))
        model.graph.node.insert(2, helper.make_node("Reshape", ["colour", "flat"], ["row"]))
        model.graph.node[3].input[0] = "row"

    assert "does not run" in refused(changed(only_one_picture)).problem
    assert "one row" in refused(changed(mean_of_all_pictures)).problem
    assert capfd.readouterr() == ("", "")


# --- bundles that reach for other files ----------------------------------------------------------


@pytest.mark.parametrize("where", ["beside the bundle", "in the working folder"])
@pytest.mark.parametrize("kind", ["initializer", "constant"])
def test_weights_in_another_file_are_never_read(changed, tmp_path, monkeypatch, where, kind):
    (tmp_path / "secret.bin").write_bytes(np.ones((3, 10), np.float32).tobytes())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere" if where == "beside the bundle" else tmp_path)

    def reach(location, model):
        weights = model.graph.initializer[0]
        weights.ClearField("raw_data")
        weights.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", "0"), ("length", "120")):
            weights.external_data.add(key=key, value=value)
        if kind == "constant":
            node = helper.make_node("Constant", [], ["weights"])
            node.attribute.add(name="value", type=onnx.AttributeProto.TENSOR).t.CopyFrom(weights)
            model.graph.node.insert(0, node)
            del model.graph.initializer[0]

    for location in ("secret.bin", "../secret.bin", str(tmp_path / "secret.bin"), "/etc/passwd"):
        refused(changed(partial(reach, location)))
