"""The numbers, against what was computed by hand or is published."""

import json
import math

import numpy as np
import pytest

from imagette.errors import ImagetteError
from imagette.evaluation.metrics import measure, wilson_interval

NAMES = ("ant", "bee", "cow", "dog")

# True ants: two right, one taken for a bee. True bees: one right, one taken for a cow. One true
# cow, taken for an ant. No dog, and nothing taken for one.
LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 1, 1, 2, 0])


def sure_of(predicted: np.ndarray, confidence: float = 0.7) -> np.ndarray:
    rest = (1 - confidence) / (len(NAMES) - 1)
    probabilities = np.full((len(predicted), len(NAMES)), rest, dtype=np.float32)
    probabilities[np.arange(len(predicted)), predicted] = confidence
    return probabilities


def test_by_hand():
    metrics = measure(sure_of(PREDICTED), LABELS, NAMES)

    assert metrics["n"] == 6
    assert metrics["accuracy"] == 0.5
    assert metrics["loss"] == pytest.approx(-(3 * math.log(0.7) + 3 * math.log(0.1)) / 6, abs=1e-6)
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert metrics["calibration_error"] == pytest.approx(0.7 - 0.5, abs=1e-6)
    assert metrics["confusion"] == [[2, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert list(metrics["per_class"]) == list(NAMES)
    ant, bee, cow, dog = metrics["per_class"].values()
    assert ant == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    assert bee == pytest.approx({"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2})
    assert cow == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 1}
    assert dog == {"precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0}
    assert metrics["accuracy_interval"] == list(wilson_interval(3, 6))
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_loss_of_a_miss_made_with_certainty_is_finite():
    metrics = measure(sure_of(PREDICTED, 1.0), LABELS, NAMES)
    assert metrics["loss"] == pytest.approx(-3 * math.log(1e-7) / 6)


# R. G. Newcombe, "Two-sided confidence intervals for the single proportion: comparison of seven
# methods", Statistics in Medicine 17 (1998), table I, method 3; the last is the third mirrored.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_interval_against_published_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_no_pictures_and_probabilities_that_are_not_numbers():
    with pytest.raises(ImagetteError, match="no picture"):
        measure(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), NAMES)
    probabilities = sure_of(PREDICTED)
    probabilities[2, 1] = np.nan
    with pytest.raises(ImagetteError, match="not numbers"):
        measure(probabilities, LABELS, NAMES)
