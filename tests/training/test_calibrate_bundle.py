"""What a bundle gains at the end of a training: calibrated answers, and familiarity."""

import numpy as np
import onnx
import pytest
from support.without_calibration import answers_of_network

from imagette import Classifier
from imagette.data import split_validation
from imagette.evaluation.calibration import fit_temperature
from imagette.heads import ood_score
from imagette.models.backend import load_keras
from imagette.training.bundle_writer import save_bundle
from imagette.training.calibrate_bundle import calibrate_bundle, remove_calibration
from imagette.training.onnx_graph import find_ends, read_metadata, update_metadata


@pytest.fixture(scope="module")
def parts(digits):
    return split_validation(digits.train, 0.1, 0)


@pytest.fixture
def bundle(digits_run):
    return onnx.load(digits_run.folder / "model.onnx")


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)


@pytest.fixture
def classify(tmp_path):
    """From a bundle in memory to its classifier."""

    def classify(proto):
        save_bundle(proto, tmp_path / "model.onnx")
        return Classifier(tmp_path / "model.onnx")

    return classify


@pytest.fixture(scope="module")
def calibrated(digits_run, parts, tmp_path_factory):
    """The file of a bundle that was calibrated anew."""
    path = tmp_path_factory.mktemp("calibrated") / "model.onnx"
    save_bundle(calibrate_bundle(onnx.load(digits_run.folder / "model.onnx"), *parts), path)
    return path


def test_a_training_ends_with_it(digits_run, digits):
    classifier = Classifier(digits_run.folder / "model.onnx")
    _, familiarity = classifier.predict_arrays(digits.test.images)
    assert familiarity.shape == (len(digits.test),)
    assert 0 <= familiarity.min() <= familiarity.max() <= 1
    of_noise = classifier.predict_arrays(noise())[1]
    assert (of_noise < classifier.metadata.familiarity_threshold).mean() > 0.8
    # Unlike the threshold's own pictures, these were never seen.
    assert (familiarity >= classifier.metadata.familiarity_threshold).mean() > 0.8
    prediction = classifier.predict(digits.test.images[0])
    assert prediction.familiarity == pytest.approx(float(familiarity[0]), abs=1e-5)
    assert prediction.known is (prediction.familiarity >= 0.5)
    assert classifier.predict(noise()[int(of_noise.argmin())]).known is False


def test_the_threshold_keeps_95_percent_of_the_pictures_held_out(calibrated, parts):
    _, held_out = parts
    classifier = Classifier(calibrated)
    familiarity = classifier.predict_arrays(held_out.images)[1]
    kept = (familiarity >= classifier.metadata.familiarity_threshold - 1e-4).mean()
    assert kept == pytest.approx(0.95, abs=0.01)


def test_answers_keep_their_order_and_lose_no_likelihood(calibrated, parts):
    _, held_out = parts
    before = answers_of_network(calibrated, held_out.images)
    after = Classifier(calibrated).predict_proba(held_out.images)
    np.testing.assert_array_equal(before.argmax(1), after.argmax(1))
    np.testing.assert_allclose(after.sum(1), 1, atol=1e-5)
    assert not np.allclose(before, after, atol=1e-3)

    def loss(probabilities):
        return -np.log(probabilities[np.arange(len(held_out)), held_out.labels]).mean()

    assert loss(after) <= loss(before) + 0.01


def test_twice_is_as_once(calibrated, parts):
    once = onnx.load(calibrated)
    assert calibrate_bundle(once, *parts) == once


def test_removing_it_leaves_the_network(bundle):
    before, proto = find_ends(bundle.graph), remove_calibration(bundle)
    assert [output.name for output in proto.graph.output] == ["probabilities"]
    assert not any(node.output[0].startswith(("calibr", "famil")) for node in proto.graph.node)
    features, logits = find_ends(proto.graph)
    assert before != (features, logits)  # what was divided by the temperature is gone
    assert read_metadata(proto).familiarity_threshold is None
    assert find_ends(bundle.graph) == before  # the bundle itself stays as it was


def test_a_network_of_another_kind_stays_as_it_is(tmp_path, parts, make_bundle, classify):
    proto = onnx.load(make_bundle(tmp_path / "odd.onnx"))
    linear = next(node for node in proto.graph.node if node.op_type == "MatMul")
    linear.output[0] = "before"
    proto.graph.node.insert(3, onnx.helper.make_node("Tanh", ["before"], ["logits"]))
    found = calibrate_bundle(proto, *parts)
    assert found.graph == proto.graph
    assert classify(found).predict(parts[0].images[0]).known is None


def test_a_class_without_a_picture_is_nobodys_nearest(bundle, parts, classify):
    learned, held_out = parts
    some = np.flatnonzero(learned.labels != 3)
    classifier = classify(calibrate_bundle(bundle, learned.take(some), held_out))
    familiarity = classifier.predict_arrays(held_out.images)[1]
    assert np.isfinite(familiarity).all()
    missing = held_out.labels == 3
    assert familiarity[missing].mean() < familiarity[~missing].mean()


def test_a_handful_of_pictures_will_do(bundle, parts, classify):
    learned, held_out = parts
    few = calibrate_bundle(bundle, learned.take(np.arange(4)), held_out.take(np.arange(2)))
    probabilities, familiarity = classify(few).predict_arrays(held_out.images)
    assert np.isfinite(probabilities).all()
    assert np.isfinite(familiarity).all()


def test_a_network_that_knew_other_things_is_compared_with_what_it_learned(bundle, parts, classify):
    update_metadata(bundle, view="whole")
    learned, held_out = parts
    for _ in range(2):  # the second time, what the first added is fitted anew
        bundle = calibrate_bundle(bundle, learned, held_out)
    classifier = classify(bundle)
    assert classifier.metadata.familiarity_method == ood_score.METHOD
    familiarity = classifier.predict_arrays(held_out.images)[1]
    assert (familiarity >= 0.5).mean() == pytest.approx(0.95, abs=0.01)
    assert (classifier.predict_arrays(noise())[1] < 0.5).mean() > 0.9
    of_one = classify(calibrate_bundle(bundle, learned, held_out.take(np.arange(1))))
    assert np.isfinite(of_one.predict_arrays(noise())[1]).all()


def test_answers_are_calibrated_in_every_format(digits_run, digits):
    recipe, bundle = digits_run.recipe, digits_run.folder / "model.onnx"
    assert Classifier(bundle).metadata.temperature > 0
    _, validation = split_validation(digits.train, recipe.validation_fraction, recipe.seed)
    logits = np.log(answers_of_network(bundle, validation.images).clip(1e-30))
    # What is calibrated already has nothing left to correct.
    assert fit_temperature(logits, validation.labels) == pytest.approx(1, abs=0.02)
    model = load_keras().saving.load_model(digits_run.folder / "model.keras")
    expected = model.predict(digits.test.images.astype(np.float32), verbose=0)
    found = answers_of_network(bundle, digits.test.images)
    assert np.abs(found - expected).max() < 1e-4
