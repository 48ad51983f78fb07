"""How good the answers are, in numbers."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.evaluation.calibration import brier_score, expected_calibration_error, reliability

POOR = 0.7
"""Below this accuracy people are told what helps."""
MOST_CONFUSABLE = 1_000
"""A table of more classes than this by as many would be larger than all else together."""

SMALLEST_PROBABILITY = 1e-7
"""What a probability counts as at least in the loss, so that one miss cannot make it infinite;
Keras clips at the same value."""


def measure(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, Any]:
    """Compare predicted probabilities with the true classes.

    Args:
        probabilities: float32 `(n, classes)`.
        labels: int64 `(n,)`, the true classes.
        class_names: names in the order of the probabilities.

    Returns:
        Plain JSON values: `n`; `accuracy`, the top-1 fraction; `accuracy_interval`, its 95 %
        confidence interval as `[low, high]`; `balanced_accuracy`, the mean recall of the classes
        that there are pictures of, each counting alike; `loss`, the mean negative log-likelihood
        in nats; `brier`, the Brier score; `calibration_error`, the expected calibration error in 15
        bins, and `reliability`, those bins (see `imagette.evaluation.calibration.reliability`);
        `per_class`, by name the `precision`, `recall`, `f1` (0 where they are not defined) and
        `support` (number of pictures); `confusion`, counts by true class (rows) and predicted
        class (columns), empty where there are over 1,000 classes.

    Raises:
        ImagetteError: there is no picture, or a probability is not a number.
    """
    if len(labels) == 0:
        raise ImagetteError("There is no picture to measure on.", "Give a dataset with pictures.")
    if not np.isfinite(probabilities).all():
        raise ImagetteError(
            "The model answers with probabilities that are not numbers.",
            "Its weights are damaged or its training diverged: train it again.",
        )
    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == labels).sum())
    of_true_class = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return {
        "n": len(labels),
        "accuracy": correct / len(labels),
        "accuracy_interval": list(wilson_interval(correct, len(labels))),
        "balanced_accuracy": _balanced_accuracy(labels, predicted),
        "loss": float(-np.log(of_true_class.clip(SMALLEST_PROBABILITY, 1)).mean()),
        "brier": brier_score(probabilities, labels),
        "calibration_error": expected_calibration_error(probabilities, labels),
        "reliability": reliability(probabilities, labels),
        "per_class": _per_class(labels, predicted, class_names),
        "confusion": _confusion(labels, predicted, len(class_names)),
    }


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval for a proportion, at 95 %.

    Unlike the textbook's normal approximation it stays within 0–1 and holds near both ends
    (E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22, 1927; recommended by Brown, Cai and DasGupta,
    "Interval estimation for a binomial proportion", Statistical Science 16, 2001).
    """
    z = 1.959963984540054  # 97.5 % quantile of the normal distribution
    share = successes / trials
    centre = share + z**2 / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    scale = 1 + z**2 / trials
    # Rounding may leave the ends a hair outside.
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _balanced_accuracy(labels: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    recalls = [np.mean(predicted[labels == label] == label) for label in np.unique(labels)]
    return float(np.mean(recalls))


def _per_class(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], class_names: Sequence[str]
) -> dict[str, Any]:
    right, support, answered = (
        np.bincount(counted, minlength=len(class_names))
        for counted in (labels[labels == predicted], labels, predicted)
    )
    rows = zip(
        class_names,
        (right / np.maximum(answered, 1)).tolist(),
        (right / np.maximum(support, 1)).tolist(),
        (2 * right / np.maximum(support + answered, 1)).tolist(),
        support.tolist(),
        strict=True,
    )
    return {
        name: {"precision": precision, "recall": recall, "f1": f1, "support": count}
        for name, precision, recall, f1, count in rows
    }


def _confusion(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> list[list[int]]:
    """Counts by true class (rows) and predicted class (columns); none of a great many classes."""
    if classes > MOST_CONFUSABLE:
        return []
    pairs = labels * classes + predicted
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).tolist()
