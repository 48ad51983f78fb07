"""A head: everything that turns a network's features into an answer.

It is fitted in a fraction of a second, keeps no image from being learned, and is measured by the
answers to each image without it (`leave_one_out`): they set the temperature and the threshold of
`known`, too.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from imagette.heads.moments import Spread
from imagette.heads.ood_score import OodScore, find_groups, fit_ood_score
from imagette.heads.ridge import fit_ridge
from imagette.images.batches import batches

NEAR_DUPLICATE = 0.95
"""Images of a class whose features have at least this cosine are left out together. Half of the
images that were cropped by a tenth or compressed anew have more; 95 % of the images that
different people took of one sign of the hand have less."""
MOST_IN_GROUP = 500
MANY = 10_000
DEFAULT_TEMPERATURE = 0.25
"""Where no class has two images; that of people's photographs is 0.16 to 0.27."""
_MOST_SCORES = 10_000_000
BOUNDS = (1e-3, 10.0)
"""Between these lies any head's temperature."""


@dataclass(frozen=True)
class Head:
    """From features to probabilities and familiarity, an out-of-distribution (OOD) score.

    Attributes:
        kernel: float32 `(features, classes)`, for the directions of features (see `directions`).
        bias: float32 `(classes,)`.
        temperature: what the scores are divided by before the softmax.
        ood_score: what familiarity is computed from.
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]
    temperature: float
    ood_score: OodScore

    def predict(
        self, features: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Probabilities `(n, classes)` and familiarity `(n,)` of features `(n, features)`."""
        probabilities = np.empty((len(features), len(self.bias)), np.float32)
        familiarity = np.empty(len(features), np.float32)
        for batch in batches(len(features), MANY):
            towards = directions(features[batch]).astype(np.float32)
            scores = towards @ self.kernel + self.bias
            probabilities[batch] = softmax(scores / self.temperature)
            familiarity[batch] = self.ood_score.familiarity(towards)
        return probabilities, familiarity


@dataclass(frozen=True)
class LeftOut:
    """What each image would be answered had it not been learned.

    Attributes:
        probabilities: float32 `(n, classes)`.
        familiarity: float32 `(n,)`.
        groups: positions of near duplicates, which were left out together.
        left_in: how many images have more near duplicates than could be left out with them.
    """

    probabilities: NDArray[np.float32]
    familiarity: NDArray[np.float32]
    groups: list[NDArray[np.int64]]
    left_in: int


def fit_head(
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    classes: int,
    spread: Spread = map,
) -> tuple[Head, LeftOut]:
    """Fit a head; all classes count alike, however many images each has.

    Args:
        features: `(n, features)`, none below 0 (what follows a ReLU).
        labels: `(n,)`, at least one image of every class.
        classes: number of classes.
        spread: does, for parts of the images, what takes long where there are many.

    Returns:
        The head, and how it answers about images that it has not learned.
    """
    rows = directions(features)
    labels = labels.astype(np.int64)
    counts = np.bincount(labels, minlength=classes)
    groups, left_in = find_groups(rows, labels, NEAR_DUPLICATE, MOST_IN_GROUP, spread)
    fit = fit_ridge(rows, labels, classes, groups, spread)
    # The answer without the only image of a class says nothing of the head.
    counted = np.where(counts[labels] > 1, fit.weights, 0)
    temperature = fit_temperature(fit.loo_scores, labels, counted)
    ood_score, familiarity = fit_ood_score(rows, labels, groups)
    # As bundles store it.
    kernel = fit.kernel.astype(np.float16).astype(np.float32)
    head = Head(kernel, fit.bias.astype(np.float32), temperature, ood_score)
    return head, LeftOut(softmax(fit.loo_scores / temperature), familiarity, groups, left_in)


def directions(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Square roots of features, brought to length 1: float32, of a great many float16.

    Power normalisation keeps a few large features from deciding alone (Perronnin, Sánchez &
    Mensink, *Improving the Fisher Kernel for Large-Scale Image Classification*, 2010, section 3.1).
    """
    kind = np.float32 if len(features) < MANY else np.float16
    found = np.empty(features.shape, kind)
    for batch in batches(len(features), MANY):
        roots = np.sqrt(np.maximum(features[batch], 0), dtype=np.float32)
        lengths = np.linalg.norm(roots, axis=1, keepdims=True)
        found[batch] = roots / np.maximum(lengths, 1e-6)
    return found


def root_directions(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Fourth roots of features, brought to length 1: which features there are counts more yet.

    In a network trained on, that tells other things from the classes better than square roots do
    (docs/reference/figures.md).
    """
    return directions(np.sqrt(np.maximum(features, 0)))


def softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities `(n, classes)`."""
    powers = scores - scores.max(axis=1, keepdims=True)
    np.exp(powers, out=powers)  # in place: of many classes, each copy takes a gigabyte
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def fit_temperature(
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    bounds: tuple[float, float] = BOUNDS,
) -> float:
    """The temperature with the lowest cross-entropy, by golden-section search.

    As in Platt scaling, the true class counts a little less than all, so that a few images that
    are all right do not make the head certain (Guo et al., *On Calibration of Modern Neural
    Networks*, 2017, section 4.2; Platt, *Probabilistic Outputs for Support Vector Machines*, 1999,
    section 2.2).
    """
    step = -(-scores.size // _MOST_SCORES)
    some = np.flatnonzero(weights)[::step]
    if not len(some):
        return DEFAULT_TEMPERATURE
    scores, labels, weights = scores[some], labels[some], weights[some]
    count, classes = scores.shape
    wrong = 1 / (count + 2)
    centred = scores - scores.max(axis=1, keepdims=True)
    of_true = centred[np.arange(count), labels]
    expected = (1 - wrong) * of_true + wrong * (centred.sum(axis=1) - of_true) / (classes - 1)

    def cross_entropy(logarithm: float) -> float:
        temperature = np.exp(logarithm)
        total = np.log(np.exp(centred / temperature).sum(axis=1))
        return float(weights @ (total - expected / temperature))

    low, high = np.log(bounds)
    ratio = (np.sqrt(5) - 1) / 2
    while high - low > 1e-3:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if cross_entropy(left) < cross_entropy(right) else (left, high)
    return float(np.exp((low + high) / 2))
