"""What a bundle gains at the end of a training: calibrated answers, and familiarity."""

import shutil

import numpy as np
import onnx
import pytest
from without_finish import session_of_network

from imagette import Classifier
from imagette.data import Split, split_validation
from imagette.heads import ood_score
from imagette.inference.bundle import open_bundle
from imagette.training.calibrate_bundle import finish_bundle, remove_finish
from imagette.training.export import update_metadata
from imagette.training.onnx_graph import find_ends


@pytest.fixture(scope="module")
def parts(digits):
    return split_validation(digits.train, 0.1, 0)


@pytest.fixture
def bundle(digits_run, tmp_path):
    return shutil.copy(digits_run.folder / "model.onnx", tmp_path / "model.onnx")


@pytest.fixture(scope="module")
def finished(digits_run, parts, tmp_path_factory):
    """The same, finished anew."""
    path = tmp_path_factory.mktemp("finished") / "model.onnx"
    shutil.copy(digits_run.folder / "model.onnx", path)
    assert finish_bundle(path, *parts)
    return path


def test_a_training_ends_with_it(digits_run, digits):
    classifier = Classifier(digits_run.folder / "model.onnx")
    _, familiarity = classifier.predict_arrays(digits.test.images)
    assert familiarity.shape == (len(digits.test),)
    assert familiarity.min() >= 0
    assert familiarity.max() <= 1
    noise = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
    of_noise = classifier.predict_arrays(noise)[1]
    assert (of_noise < classifier.metadata.familiarity_threshold).mean() > 0.8
    # Unlike the threshold's own pictures, these were never seen.
    assert (familiarity >= classifier.metadata.familiarity_threshold).mean() > 0.8
    prediction = classifier.predict(digits.test.images[0])
    assert prediction.familiarity == pytest.approx(float(familiarity[0]), abs=1e-5)
    assert prediction.known is (prediction.familiarity >= 0.5)
    assert classifier.predict(noise[int(of_noise.argmin())]).known is False


def test_the_threshold_keeps_95_percent_of_the_pictures_held_out(finished, parts):
    _, held_out = parts
    classifier = Classifier(finished)
    familiarity = classifier.predict_arrays(held_out.images)[1]
    kept = (familiarity >= classifier.metadata.familiarity_threshold - 1e-4).mean()
    assert kept == pytest.approx(0.95, abs=0.01)


def test_answers_keep_their_order_and_lose_no_likelihood(finished, parts):
    _, held_out = parts
    [before] = session_of_network(finished).run(["probabilities"], {"image": held_out.images})
    after = Classifier(finished).predict_proba(held_out.images)
    np.testing.assert_array_equal(before.argmax(1), after.argmax(1))
    np.testing.assert_allclose(after.sum(1), 1, atol=1e-5)
    assert not np.allclose(before, after, atol=1e-3)

    def loss(probabilities):
        return -np.log(probabilities[np.arange(len(held_out)), held_out.labels]).mean()

    assert loss(after) <= loss(before) + 0.01


def test_twice_is_as_once(finished, parts, tmp_path):
    twice = shutil.copy(finished, tmp_path / "model.onnx")
    finish_bundle(twice, *parts)
    assert twice.read_bytes() == finished.read_bytes()


def test_removing_it_leaves_the_network(bundle):
    names = {output.name for output in session_of_network(bundle).get_outputs()}
    assert names == {"probabilities"}
    proto = onnx.load(bundle)
    before = find_ends(proto.graph)
    remove_finish(proto)
    assert not any(node.output[0].startswith(("calibr", "famil")) for node in proto.graph.node)
    features, logits = find_ends(proto.graph)
    assert before != (features, logits)  # what was divided by the temperature is gone
    assert not any("familiarity" in each.key for each in proto.metadata_props)


def test_a_network_of_another_kind_stays_as_it_is(tmp_path, parts, make_bundle):
    bundle = make_bundle(tmp_path / "odd.onnx")
    proto = onnx.load(bundle)
    linear = next(node for node in proto.graph.node if node.op_type == "MatMul")
    linear.output[0] = "before"
    proto.graph.node.insert(3, onnx.helper.make_node("Tanh", ["before"], ["logits"]))
    onnx.save(proto, bundle)
    content = bundle.read_bytes()
    assert finish_bundle(bundle, *parts) is False
    assert bundle.read_bytes() == content
    assert Classifier(bundle).predict(parts[0].images[0]).known is None


def test_a_class_without_a_picture_is_nobodys_nearest(bundle, parts):
    learned, held_out = parts
    some = learned.labels != 3
    finish_bundle(bundle, Split(learned.images[some], learned.labels[some]), held_out)
    familiarity = Classifier(bundle).predict_arrays(held_out.images)[1]
    assert np.isfinite(familiarity).all()
    missing, others = (
        familiarity[mask].mean() for mask in (held_out.labels == 3, held_out.labels != 3)
    )
    assert missing < others


def test_a_handful_of_pictures_will_do(bundle, parts):
    learned, held_out = parts
    few = Split(learned.images[:4], learned.labels[:4])
    assert finish_bundle(bundle, few, Split(held_out.images[:2], held_out.labels[:2]))
    open_bundle(bundle)
    probabilities, familiarity = Classifier(bundle).predict_arrays(held_out.images)
    assert np.isfinite(probabilities).all()
    assert np.isfinite(familiarity).all()


def test_a_network_that_knew_other_things_is_compared_with_what_it_learned(bundle, parts):
    update_metadata(bundle, view="whole")
    learned, held_out = parts
    for _ in range(2):  # the second time, what the first added is fitted anew
        assert finish_bundle(bundle, learned, held_out)
    classifier = Classifier(bundle)
    assert classifier.metadata.familiarity_method == ood_score.METHOD
    familiarity = classifier.predict_arrays(held_out.images)[1]
    assert (familiarity >= 0.5).mean() == pytest.approx(0.95, abs=0.01)
    noise = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3)).astype(np.uint8)
    assert (classifier.predict_arrays(noise)[1] < 0.5).mean() > 0.9
    finish_bundle(bundle, learned, Split(held_out.images[:1], held_out.labels[:1]))
    assert np.isfinite(Classifier(bundle).predict_arrays(noise)[1]).all()
