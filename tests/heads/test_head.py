"""A head: learned, measured without the picture, put on a backbone's graph."""

import numpy as np
import onnx
import onnxruntime
import pytest

from imagette.features.backbone import open_backbone
from imagette.heads import ood_score
from imagette.heads.head import directions, fit_head, root_directions
from imagette.heads.head_graph import add_familiarity, add_head


def clusters(counts, noise=0.5, features=64, seed=0):
    """Features around one centre for each class, none below 0."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    centres = np.random.default_rng(1).exponential(size=(len(counts), features))
    rows = centres[labels] + noise * random.normal(size=(len(labels), features))
    return np.maximum(rows, 0).astype(np.float16), labels


def test_it_tells_classes_apart_and_says_how_well():
    rows, labels = clusters([30, 30, 8], noise=1.2)
    head, left_out = fit_head(rows, labels, 3)
    new, true = clusters([300, 300, 300], noise=1.2, seed=5)
    probabilities, familiarity = head.predict(new)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    accuracy = (probabilities.argmax(axis=1) == true).mean()
    expected = (left_out.probabilities.argmax(axis=1) == labels).mean()
    assert accuracy > 0.8
    assert abs(accuracy - expected) < 0.1
    confidence = probabilities.max(axis=1).mean()
    assert abs(confidence - accuracy) < 0.1  # by its temperature
    assert 0.85 < (familiarity >= 0.5).mean() < 1  # 95 % are promised; there are 68 pictures


def test_other_things_are_not_familiar():
    rows, labels = clusters([30, 30, 30], noise=0.8)
    head, left_out = fit_head(rows, labels, 3)
    assert np.mean(left_out.familiarity >= 0.5) == pytest.approx(0.95, abs=0.02)
    others = np.random.default_rng(7).exponential(size=(200, 64))
    assert (head.predict(others)[1] < 0.5).mean() > 0.95


def test_near_duplicates_are_left_out_together():
    rows, labels = clusters([20, 20], noise=2.5)
    random = np.random.default_rng(0)
    twice = np.concatenate([rows, rows * (1 + 0.01 * random.normal(size=rows.shape))])
    _, once = fit_head(rows, labels, 2)
    _, left_out = fit_head(twice.astype(np.float16), np.concatenate([labels, labels]), 2)
    assert sorted(map(tuple, left_out.groups)) == [(n, n + 40) for n in range(40)]
    honest = (once.probabilities.argmax(axis=1) == labels).mean()
    found = (left_out.probabilities[:40].argmax(axis=1) == labels).mean()
    assert abs(found - honest) < 0.15


def test_a_group_as_large_as_its_class_is_what_the_class_is_like():
    rows, labels = clusters([6, 6], noise=0.001)
    assert ood_score.find_groups(directions(rows), labels, 0.95, most=3) == ([], 12)


def test_pictures_of_one_moment_do_not_make_later_ones_unknown():
    """Such as those that a camera takes one after the other."""
    rows, labels = clusters([20, 20], noise=0.05)
    head, left_out = fit_head(rows, labels, 2)
    assert left_out.left_in == 40
    later, _ = clusters([20, 20], noise=0.3, seed=1)
    assert (head.predict(later)[1] >= 0.5).mean() > 0.9


@pytest.mark.parametrize("counts", [[1, 1], [1, 1, 1, 1, 1], [1, 30], [2, 2]])
def test_one_picture_a_class_will_do(counts):
    rows, labels = clusters(counts)
    head, left_out = fit_head(rows, labels, len(counts))
    assert (head.predict(rows)[0].argmax(axis=1) == labels).all()
    assert np.isfinite(left_out.probabilities).all()
    assert np.isfinite(left_out.familiarity).all()


def test_a_single_picture_spoils_no_confidence_and_is_known():
    rows, labels = clusters([10, 10], noise=0.3)
    alone, _ = clusters([1], noise=0.3, seed=9)
    three = np.concatenate([rows, alone * np.float16(0.2) + rows[:1][:, ::-1]])
    before, _ = fit_head(rows, labels, 2)
    head, _ = fit_head(three, np.append(labels, 2), 3)
    assert head.temperature == pytest.approx(before.temperature, rel=0.5)
    assert head.predict(three)[1][-1] > 0.5  # the picture itself
    nothing_known, _ = fit_head(rows[[0, 10]], np.array([0, 1]), 2)
    assert nothing_known.predict(rows[[0, 10]])[0].max(axis=1).min() > 0.8


def test_a_small_class_whose_pictures_are_alike_is_not_left_out_whole():
    rows, labels = clusters([40, 40], noise=0.5)
    same = np.repeat(rows[:1][:, ::-1], 8, axis=0)
    _, left_out = fit_head(np.concatenate([rows, same]), np.append(labels, [2] * 8), 3)
    assert (left_out.probabilities[80:].argmax(axis=1) == 2).all()


def test_many_classes_and_identical_pictures():
    rows, labels = clusters([2] * 1000)
    head, left_out = fit_head(rows, labels, 1000)
    assert (head.predict(rows)[0].argmax(axis=1) == labels).mean() > 0.99
    same = np.ones((6, 64), np.float16)
    head, left_out = fit_head(same, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert np.allclose(left_out.probabilities, 0.5, atol=0.2)


def test_references_are_spread_over_the_classes():
    labels = np.array([0] * 5000 + [1] * 300)
    rows = np.random.default_rng(0).exponential(size=(len(labels), 16))
    score, _ = ood_score.fit_ood_score(directions(rows), labels, [])
    assert len(score.references) == ood_score.MOST_REFERENCES
    stored = score.references / score.lengths[:, None]
    cosines = directions(rows[5000:]) @ stored.T
    assert np.isclose(cosines, 1, atol=1e-3).any(axis=1).all()  # all of the rare class


def run_graph(proto, *outputs):
    """What a graph on the backbone gives of three random images."""
    images = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), np.uint8)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(outputs, {"image": images})


@pytest.mark.slow
def test_the_graph_compares_as_the_score_does():
    random = np.random.default_rng(0)
    learned, held_out = (root_directions(random.exponential(size=(n, 1280))) for n in (30, 20))
    score = ood_score.fit_ood_score_held_out(learned, held_out)
    assert np.quantile(score.familiarity(held_out), 0.05) == pytest.approx(0.5, abs=1e-3)
    proto = onnx.load_from_string(open_backbone().content)
    add_familiarity(proto.graph, "features", score)
    features, familiarity = run_graph(proto, "features", "familiarity")
    assert np.allclose(familiarity, score.familiarity(root_directions(features)), atol=1e-4)


def test_the_graph_answers_as_the_head_does():
    rows, labels = clusters([12, 12, 12], features=1280)
    head, _ = fit_head(rows, labels, 3)
    proto = add_head(open_backbone().content, head)
    outputs = ["probabilities", "familiarity", "features"]
    assert [output.name for output in proto.graph.output] == outputs
    probabilities, familiarity, features = run_graph(proto, *outputs)
    expected = head.predict(features)
    assert np.allclose(probabilities, expected[0], atol=1e-4)
    assert np.allclose(familiarity, expected[1], atol=1e-4)
