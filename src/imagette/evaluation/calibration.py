"""Calibration: whether a confidence of 80 % is right eight times in ten, and how to make it so."""

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]
"""`(n, classes)`: probabilities, or the logits that they come from."""
Labels = NDArray[np.int64]
"""`(n,)`, the true classes."""

BOUNDS = (0.05, 20.0)
"""Between these any network's temperature lies; beyond, answers are all alike or all certain."""
EXPONENTS = (-0.2, 0.5)
"""Between these an answer that is more undecided stays the more undecided one."""
SMALLEST_ENTROPY = 1e-4
"""As a share of the largest; what counts as certain."""


def fit_temperature(logits: Rows, labels: Labels) -> float:
    """The number to divide logits by, so that probabilities say how often they are right.

    It has the lowest cross-entropy on pictures that the network did not learn from (Guo et al., *On
    Calibration of Modern Neural Networks*, 2017, section 4.2). The order of the classes stays as
    it is, so accuracy does too. As in Platt scaling (Platt, *Probabilistic Outputs for Support
    Vector Machines*, 1999, section 2.2), the true class counts a little less than all, so that a
    few pictures that are all right do not make the network certain.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    targets = _soft_targets(logits.shape, labels)

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        return float(-(targets * log_softmax(scaled, axis=1)).sum(axis=1).mean())

    found = minimize_scalar(cross_entropy, bounds=np.log(BOUNDS), method="bounded")
    return float(np.exp(found.x))


def reliability(
    probabilities: Rows, labels: Labels, bins: int = 15
) -> list[dict[str, float | int | None]]:
    """Confidence beside accuracy, for pictures binned by the confidence of their answer.

    The bins are of equal width (Naeini et al., *Obtaining Well Calibrated Probabilities Using
    Bayesian Binning*, 2015; Guo et al., 2017, section 2).

    Returns:
        For each bin its mean `confidence` and its `accuracy`, both None where it is empty, and the
        `count` of its pictures.
    """
    return [
        {
            "confidence": confidence / count if count else None,
            "accuracy": right / count if count else None,
            "count": int(count),
        }
        for count, confidence, right in zip(*_sums(probabilities, labels, bins), strict=True)
    ]


def _sums(
    probabilities: Rows, labels: Labels, bins: int
) -> tuple[list[float], list[float], list[float]]:
    """Of each bin of confidence: its pictures, their confidences and the right ones, summed."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    counts, confidences, rights = (
        np.bincount(number, values, minlength=bins).tolist() for values in (None, confidence, right)
    )
    return counts, confidences, rights


def entropy_temperatures(logits: Rows, factor: float, exponent: float) -> NDArray[np.float64]:
    """For each picture a temperature that grows with how undecided its answer is.

    It is `factor` times the power `exponent` of the entropy of the probabilities, as a share of the
    largest that there can be (Balanya, Maroñas & Ramos, *Adaptive Temperature Scaling for Robust
    Calibration of Deep Neural Networks*, 2022, section 3.3).

    Args:
        logits: of the pictures.
        factor: above 0.
        exponent: 0 gives every picture the same temperature.

    Returns:
        float64 `(n, 1)`.
    """
    from scipy.special import log_softmax

    logarithms = log_softmax(logits.astype(np.float64), axis=1)
    entropy = -(np.exp(logarithms) * logarithms).sum(axis=1, keepdims=True)
    share = np.maximum(entropy / np.log(logits.shape[1]), SMALLEST_ENTROPY)
    return factor * share**exponent


def fit_entropy_temperatures(logits: Rows, labels: Labels) -> tuple[float, float]:
    """`factor` and `exponent` of `entropy_temperatures` that have the lowest cross-entropy on
    pictures that the network did not learn from.

    One temperature for all pictures cannot mend answers that are too sure where they are undecided
    and not sure enough where they are clear; two numbers can, and accuracy stays as it is.
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    targets = _soft_targets(logits.shape, labels)

    def cross_entropy(parameters: NDArray[np.float64]) -> float:
        temperatures = entropy_temperatures(logits, np.exp(parameters[0]), parameters[1])
        return float(-(targets * log_softmax(logits / temperatures, axis=1)).sum(axis=1).mean())

    # From the best single temperature, so that two numbers are never worse than one.
    start = [np.log(fit_temperature(logits, labels)), 0.0]
    bounds = [np.log(BOUNDS), EXPONENTS]
    found = minimize(cross_entropy, x0=start, bounds=bounds, method="L-BFGS-B")
    return float(np.exp(found.x[0])), float(found.x[1])


def _soft_targets(shape: tuple[int, ...], labels: Labels) -> NDArray[np.float64]:
    """The true class counts a little less than all (Platt, 1999, section 2.2)."""
    count, classes = shape
    wrong = 1 / (count + 2)
    targets = np.full((count, classes), wrong / (classes - 1))
    targets[np.arange(count), labels] = 1 - wrong
    return targets


def expected_calibration_error(probabilities: Rows, labels: Labels, bins: int = 15) -> float:
    """How far confidence and accuracy lie apart, on average over pictures: 0 is perfect.

    The bins are those of `reliability`.
    """
    _, confidences, rights = _sums(probabilities, labels, bins)
    return float(np.abs(np.subtract(confidences, rights)).sum() / len(labels))


def brier_score(probabilities: Rows, labels: Labels) -> float:
    """The squared distance between the probabilities and the truth: 0 is perfect, 2 the worst.

    Summed over the classes and averaged over the pictures (Brier, *Verification of Forecasts
    Expressed in Terms of Probability*, Monthly Weather Review 78, 1950, equation 2).
    """
    # (p - 1)² = p² - 2p + 1, without a copy of probabilities that take a gigabyte.
    squares = np.einsum("ij,ij->i", probabilities, probabilities, dtype=np.float64)
    of_true = probabilities[np.arange(len(labels)), labels]
    return float((squares - 2 * of_true + 1).mean())
