"""What a network's numbers mean is told by its last activation, not by how they happen to look."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from support.onnx_models import answers_of, onnx_classifier, scale

from imagette import Classifier, ImagetteError
from imagette.training.export import export
from imagette.training.foreign_models.compare import sample_pictures

HIGH = ("Add", [np.float32(50)], {})
"""Logits that are all positive."""
ENOUGH = ("Mul", [np.float32(0)], {}), ("Add", [np.float32([0.5, 0.25, 0.25])], {})
"""Logits that sum to one by chance."""


def as_one(logits):
    return np.concatenate([1 - expit(logits), expit(logits)], axis=1)


def rows(probabilities):
    return probabilities


@pytest.mark.parametrize(
    ("back", "classes", "meaning"),
    [
        ([], 3, lambda logits: softmax(logits, axis=1)),
        ([HIGH], 3, lambda logits: softmax(logits, axis=1)),
        ([*ENOUGH], 3, lambda logits: softmax(logits, axis=1)),
        ([("Softmax", [], {"axis": 1})], 3, rows),
        ([("Softmax", [], {"axis": 1}), ("Identity", [], {})], 3, rows),
        ([("LogSoftmax", [], {"axis": 1})], 3, np.exp),
        ([("Sigmoid", [], {})], 1, lambda p: np.concatenate([1 - p, p], axis=1)),
        ([], 1, as_one),
        ([("Reshape", [np.array([0, 3, 1, 1])], {})], 3, lambda logits: softmax(logits, axis=1)),
    ],
)
def test_answers_are_those_of_the_original(tmp_path, back, classes, meaning):
    path = onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255), back=back, classes=classes)
    names = ["a", "b", "c"][: max(2, classes)]
    exported = export(path, classes=names, out=tmp_path / "bundle.onnx")
    pictures = sample_pictures(32, 32)
    own = answers_of(path, pictures.astype(np.float32).transpose(0, 3, 1, 2).copy())
    assert np.abs(Classifier(exported.path).predict_proba(pictures) - meaning(own)).max() < 1e-3


@pytest.mark.parametrize(
    ("back", "classes", "problem"),
    [
        ([("Sigmoid", [], {})], 3, "3 outputs, each through a sigmoid"),
        ([("Sigmoid", [], {}), ("Mul", [np.float32(0.3)], {})], 3, "each through a sigmoid"),
        ([("Relu", [], {})], 3, "ends in Relu"),
        ([("Tanh", [], {})], 3, "ends in Tanh"),
        ([("Softmax", [], {"axis": 1})], 1, "one number"),
        ([("Mul", [np.float32(np.inf)], {})], 3, "infinite"),
    ],
)
def test_what_gives_no_classes_is_refused(tmp_path, back, classes, problem):
    path = onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255), back=back, classes=classes)
    with pytest.raises(ImagetteError, match=problem):
        export(path, classes=["a", "b", "c"][: max(2, classes)])
    assert list(tmp_path.iterdir()) == [path]


def test_one_output_asks_for_two_names(tmp_path):
    path = onnx_classifier(tmp_path / "m.onnx", front=scale(1 / 255), classes=1)
    with pytest.raises(ImagetteError, match=r"1 output for two classes.*--classes no,yes"):
        export(path, classes=["cat"])
    assert "logit of the second class" in export(path, classes=["cat", "dog"]).notes[-1]
