"""Bundles in 8 bits: smaller files that answer nearly the same."""

import shutil

import numpy as np
import onnx
import pytest

from imagette import Classifier, ImagetteError, Recipe, build_model, train
from imagette.inference.bundle import BundleMetadata
from imagette.models.backend import load_keras
from imagette.training.bundle_writer import build_bundle, save_bundle
from imagette.training.export import export
from imagette.training.quantize import quantize_all, quantize_weights

pytestmark = pytest.mark.usefixtures("plain_plots")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on the digits, of a network with all that sprints have."""
    recipe = Recipe.load("sprint-70").change(
        model_options={"widths": [16, 32], "depth": 3, "squeeze": 4},
        batch_size=50,
        min_steps=0,
        epochs=4,
    )
    return train("digits", recipe, name="eight", runs_dir=tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def smaller(run, tmp_path_factory):
    """Its bundle in 8 bits, in either way."""
    folder = tmp_path_factory.mktemp("smaller")
    return {
        kind: export(run.folder, "onnx", out=folder / f"{kind}.onnx", quantize=kind).path
        for kind in ("weights", "all")
    }


@pytest.mark.slow
@pytest.mark.parametrize(("quantize", "off"), [("weights", 0.003), ("all", 0.02)])
def test_a_smaller_file_answers_nearly_the_same(run, digits, smaller, quantize, off):
    own, small = run.folder / "model.onnx", smaller[quantize]
    # Its graph and its small pictures weigh as much as its weights.
    assert small.stat().st_size < 0.65 * own.stat().st_size
    expected, found = (Classifier(path).predict_proba(digits.test.images) for path in (own, small))
    assert not np.array_equal(expected, found)
    assert np.abs(expected - found).mean() < off
    assert len(np.unique(found)) > 1000  # not rounded to 256 probabilities
    right = (expected.argmax(1) == digits.test.labels).mean()
    assert right > 0.9
    assert (found.argmax(1) == digits.test.labels).mean() > right - 0.02


@pytest.mark.parametrize("quantize", ["weights", "all"])
def test_a_smaller_file_still_tells_what_is_familiar(digits, smaller, quantize):
    small = Classifier(smaller[quantize])
    noise = np.random.default_rng(0).integers(0, 256, (100, 32, 32, 3)).astype(np.uint8)
    threshold = small.metadata.familiarity_threshold
    assert (small.predict_arrays(digits.test.images)[1] >= threshold).mean() > 0.85
    assert (small.predict_arrays(noise)[1] >= threshold).mean() < 0.2


def test_the_names_inside_a_quantized_graph_are_short(smaller):
    graph = onnx.load(smaller["all"]).graph
    ours = ("calibration/", "familiarity", "probabilities", "image")
    names = {name for node in graph.node for name in [*node.input, *node.output]}
    assert all(len(name) <= 5 for name in names if not name.startswith(ours))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sprint", {"widths": [64, 64], "squeeze": 8}),
        ("vgg", {"depth": 11}),
        ("resnet", {"depth": 20}),
    ],
)
def test_networks_of_each_kind_become_a_quarter(name, options, digits, tmp_path):
    load_keras().utils.set_random_seed(0)
    metadata = BundleMetadata(class_names=tuple("abcdefghij"), class_names_fr=tuple("abcdefghij"))
    own, graph_bytes = build_bundle(build_model(name, **options), metadata), 60_000

    def answers(proto):
        save_bundle(proto, tmp_path / "model.onnx")
        return Classifier(tmp_path / "model.onnx").predict_proba(digits.test.images[:50])

    expected = answers(own)
    for small, off in (
        (quantize_weights(own), 0.02),
        (quantize_all(own, digits.train.images[:50]), 0.1),
    ):
        assert small.ByteSize() < own.ByteSize() / 4 + graph_bytes
        assert np.abs(answers(small) - expected).max() < off


def test_a_failure_leaves_nothing(run, tmp_path):
    copy = shutil.copytree(run.folder, tmp_path / "run")
    (copy / "run.json").unlink()
    with pytest.raises(ImagetteError, match=r"no run\.json"):
        export(copy, "onnx", out=tmp_path / "small.onnx", quantize="all")
    assert not (tmp_path / "small.onnx").exists()


def test_it_says_of_itself_what_the_run_does_but_no_accuracy(run, smaller):
    own, found = (Classifier(path).metadata for path in (run.folder, smaller["all"]))
    assert own.accuracy is not None
    assert own.evaluation is not None
    # Calibrated anew, and not measured yet.
    unknown = dict.fromkeys(("accuracy", "accuracy_split", "evaluation"))
    calibrated = {"entropy_temperature": found.entropy_temperature}
    assert found == own.model_copy(update=unknown | calibrated)


def test_what_is_stored_and_computed_is_8_bits(smaller):
    kinds = {}
    for quantize, path in smaller.items():
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


def test_only_the_bundle_of_a_run_can_be_written_so_and_not_over_itself(run, tmp_path):
    before = (run.folder / "model.onnx").read_bytes()
    for source, format in ((run.folder, "keras"), (run.folder / "model.keras", "onnx")):
        with pytest.raises(ImagetteError, match="Only the bundle of a run"):
            export(source, format, out=tmp_path / f"m.{format}", quantize="all")
    with pytest.raises(ImagetteError, match="run's own bundle"):
        export(run.folder, "onnx", out=run.folder / "model.onnx", quantize="weights")
    assert (run.folder / "model.onnx").read_bytes() == before
