"""Bundles in 8 bits: smaller files that answer nearly the same."""

import numpy as np
import onnx
import pytest

from imagette import Classifier, ImagetteError, Recipe, train
from imagette.training.export import export


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on the digits, of a network with all that sprints have."""
    recipe = Recipe.load("sprint-70").change(
        model_options={"widths": [16, 32], "depth": 3, "squeeze": 4}, epochs=12
    )
    return train("digits", recipe, name="eight", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.mark.parametrize(("quantize", "off", "share"), [("weights", 0.03, 0.5), ("all", 0.25, 0.6)])
def test_a_smaller_file_answers_nearly_the_same(run, digits, tmp_path, quantize, off, share):
    own = run.folder / "model.onnx"
    small = export(run.folder, "onnx", out=tmp_path / "small.onnx", quantize=quantize).path
    assert small.stat().st_size < share * own.stat().st_size
    expected, found = (Classifier(path).probabilities(digits.test.images) for path in (own, small))
    assert not np.array_equal(expected, found)
    assert np.abs(expected - found).mean() < off / 10
    right = (expected.argmax(1) == digits.test.labels).mean()
    assert right > 0.9
    assert (found.argmax(1) == digits.test.labels).mean() > right - 0.02


def test_it_says_of_itself_what_the_run_does_but_no_accuracy(run, tmp_path):
    small = export(run.folder, "onnx", out=tmp_path / "small.onnx", quantize="all").path
    own, found = Classifier(run.folder / "model.onnx").metadata, Classifier(small).metadata
    assert own.accuracy is not None
    assert found == own.model_copy(update={"accuracy": None, "accuracy_split": None})


def test_what_is_stored_and_computed_is_8_bits(run, tmp_path):
    kinds = {}
    for quantize in ("weights", "all"):
        path = export(run.folder, "onnx", out=tmp_path / f"{quantize}.onnx", quantize=quantize).path
        graph = onnx.load(path).graph
        large = [one for one in graph.initializer if np.prod(one.dims) > 2000]
        assert large
        assert {one.data_type for one in large} == {onnx.TensorProto.INT8}
        kinds[quantize] = {node.op_type for node in graph.node}
    assert "QuantizeLinear" not in kinds["weights"]
    assert "QuantizeLinear" in kinds["all"]


def test_nothing_is_printed(run, tmp_path, capfd):
    export(run.folder, "onnx", out=tmp_path / "small.onnx", quantize="all")
    assert capfd.readouterr() == ("", "")


def test_only_the_bundle_of_a_run_can_be_written_so(run, tmp_path):
    with pytest.raises(ImagetteError, match="Only the bundle of a run"):
        export(run.folder, "keras", out=tmp_path / "m.keras", quantize="all")
    with pytest.raises(ImagetteError, match="Only the bundle of a run"):
        export(run.folder / "model.keras", "onnx", quantize="weights")


def test_the_run_keeps_its_own_bundle(run):
    before = (run.folder / "model.onnx").read_bytes()
    with pytest.raises(ImagetteError, match="run's own bundle"):
        export(run.folder, "onnx", quantize="weights")
    assert (run.folder / "model.onnx").read_bytes() == before
