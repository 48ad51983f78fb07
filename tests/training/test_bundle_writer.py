"""Bundles of Keras classifiers: what their graphs take, give and say of the machine."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from support.keras_models import classic_model

from imagette import Classifier
from imagette.models.backend import load_keras
from imagette.training.export import export


def test_the_batch_is_dynamic_and_the_classes_are_static(digits_run):
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


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_half_precision_networks_become_bundles_that_open(tmp_path, digits, policy):
    keras = load_keras()
    keras.config.set_dtype_policy(policy)
    try:
        model = classic_model()
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "m.keras")
    bundle = export(tmp_path / "m.keras", "onnx", pixels=1).path
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
