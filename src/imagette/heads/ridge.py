"""Ridge regression on features, with exact leave-one-out scores for every image.

A class is a target of +1 against -1 for all others (a regularised least-squares classifier: Rifkin,
Yeo & Poggio, *Regularized Least-Squares Classification*, 2003). One eigendecomposition gives the
solution for every strength of the regularisation, and the score that each image would get had it
not been learned (Allen's PRESS; Golub, Heath & Wahba, *Generalized Cross-Validation as a Method for
Choosing a Good Ridge Parameter*, Technometrics 21, 1979). Images are weighted, so that classes of
uneven size count alike.

With more images than features, the covariance is decomposed; with fewer, the Gram matrix of the
images, which is smaller then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imagette.heads.moments import Moments, Spread, add_up
from imagette.images.batches import batches

Array = NDArray[np.float64]
Rows = NDArray[np.floating]
"""`(images, features)`, of any floating type; float16 of many images is half as large."""
Labels = NDArray[np.int64]

STRENGTHS = np.logspace(-4, 1, 21)
"""Those that are tried, for features whose mean squared distance from their mean is 1."""
DEFAULT_STRENGTH = 1e-2
"""Where no class has two images."""
_LEAST_EIGENVALUE = 1e-10
"""As a share of the largest; smaller ones are rounding."""
_BATCH = 4096
_MOST_SCORES_A_BATCH = 4_000_000
_MOST_TO_CHOOSE_BY = 4_000
_MOST_SCORES_TO_CHOOSE_BY = 1_000_000
"""The strength is chosen by at most so many images, and so many scores of them."""


@dataclass(frozen=True)
class Decomposition:
    """A ridge regression, solved for every strength at once.

    Attributes:
        mean: `(features,)`, weighted mean.
        target_mean: `(classes,)`, that of the targets.
        variance: total variance, the mean squared distance of the features from their mean.
        eigenvalues: `(rank,)`, of the weighted covariance divided by `variance`.
        eigenvectors: `(features, rank)`.
        cross_covariance: `(rank, classes)`, of features along the eigenvectors with the targets.
        weight: sum of the images' weights.
    """

    mean: Array
    target_mean: Array
    variance: float
    eigenvalues: Array
    eigenvectors: Array
    cross_covariance: Array
    weight: float

    def solve(self, strength: float) -> tuple[Array, Array]:
        """Kernel `(features, classes)` and bias `(classes,)`."""
        kernel = self.eigenvectors @ (
            self.cross_covariance / (self.eigenvalues + strength)[:, None]
        )
        kernel /= self.variance
        return kernel, self.target_mean - self.mean @ kernel

    def project(self, rows: Rows) -> Array:
        """Features along the eigenvectors, `(n, rank)`, scaled as the eigenvalues are."""
        centred = rows.astype(np.float64) - self.mean
        return centred @ self.eigenvectors / np.sqrt(self.variance)

    def fitted(self, projected: Array, strength: float) -> Array:
        """Scores `(n, classes)` of images from their projections."""
        scaled = self.cross_covariance / np.sqrt(self.variance)
        return projected @ (scaled / (self.eigenvalues + strength)[:, None]) + self.target_mean


def decompose(
    rows: Rows, labels: Labels, weights: Array, classes: int, spread: Spread = map
) -> Decomposition:
    """Decompose the regression of some images, whose weights are `(n,)`, above 0."""
    if len(rows) <= rows.shape[1]:
        return _decompose_gram(rows, labels, weights, classes)
    return decompose_moments(add_up(rows, labels, weights, classes, spread))


def _decompose_gram(rows: Rows, labels: Labels, weights: Array, classes: int) -> Decomposition:
    total = float(weights.sum())
    shares = weights / total
    mean = shares @ rows.astype(np.float64)
    target_mean = 2 * np.bincount(labels, shares, classes).astype(np.float64) - 1
    root = np.sqrt(shares)[:, None]
    x = (rows.astype(np.float64) - mean) * root
    variance = _safe_variance(float((x**2).sum()))
    values, left = np.linalg.eigh(x @ x.T / variance)
    kept = values > _LEAST_EIGENVALUE * max(values.max(), 1e-300)
    values, left = values[kept], left[:, kept]
    vectors = x.T @ (left / np.sqrt(values * variance))
    targets = (make_targets(labels, classes) - target_mean) * root
    cross = np.sqrt(values * variance)[:, None] * (left.T @ targets)
    return Decomposition(mean, target_mean, variance, values, vectors, cross, total)


def decompose_moments(moments: Moments) -> Decomposition:
    """The same from sums over the images, wherever they were added up."""
    total = float(moments.counts.sum())
    mean, shares = moments.class_sums.sum(axis=0) / total, moments.counts / total
    covariance = moments.products / total - np.outer(mean, mean)
    variance = _safe_variance(float(np.trace(covariance)))
    values, vectors = np.linalg.eigh(covariance / variance)
    kept = values > _LEAST_EIGENVALUE * max(values.max(), 1e-300)
    values, vectors = values[kept], vectors[:, kept]
    # The sum of x times a target of ±1: twice that over the class, less that over all.
    with_targets = 2 * (moments.class_sums / total - shares[:, None] * mean)
    cross = vectors.T @ with_targets.T
    return Decomposition(mean, 2 * shares - 1, variance, values, vectors, cross, total)


def _safe_variance(variance: float) -> float:
    """Of features that are all the same, 1, so that nothing is divided by 0."""
    return variance if variance > 1e-12 else 1.0


@dataclass(frozen=True)
class Fit:
    """A ridge regression of the strength that suits it, all classes counting alike.

    Attributes:
        kernel: `(features, classes)`.
        bias: `(classes,)`.
        weights: `(n,)`, how much each image counted.
        loo_scores: float32 `(n, classes)`, leave-one-out: of each image had it not been learned.
    """

    kernel: Array
    bias: Array
    weights: Array
    loo_scores: NDArray[np.float32]


def fit_ridge(
    rows: Rows,
    labels: Labels,
    classes: int,
    groups: Sequence[Labels] = (),
    spread: Spread = map,
) -> Fit:
    """Decompose, choose the strength, solve, and leave each image out, with `groups` as in
    `leave_one_out`."""
    weights = balanced_weights(labels, classes)
    decomposition = decompose(rows, labels, weights, classes, spread)
    strength = choose_strength(decomposition, rows, labels, weights, groups)
    scores = leave_one_out(decomposition, rows, labels, weights, strength, groups, spread)
    return Fit(*decomposition.solve(strength), weights, scores)


def balanced_weights(labels: Labels, classes: int) -> Array:
    """For each image a weight by which all classes count alike; 1 on average."""
    counts = np.bincount(labels, minlength=classes)
    weights: Array = len(labels) / (np.count_nonzero(counts) * counts[labels].astype(np.float64))
    return weights


def make_targets(labels: Labels, classes: int) -> Array:
    """+1 for the class of each image and -1 for the others, `(n, classes)`."""
    targets = np.full((len(labels), classes), -1.0)
    targets[np.arange(len(labels)), labels] = 1.0
    return targets


def choose_strength(
    decomposition: Decomposition,
    rows: Rows,
    labels: Labels,
    weights: Array,
    groups: Sequence[Labels] = (),
) -> float:
    """The strength with the lowest squared error of leave-one-out scores (see `leave_one_out`).

    Those without the only image of a class say nothing, and do not count.
    """
    classes = len(decomposition.target_mean)
    most = max(1, min(_MOST_TO_CHOOSE_BY, _MOST_SCORES_TO_CHOOSE_BY // classes))
    some = np.arange(0, len(rows), -(-len(rows) // most))
    # Groups that are left out together count where all of their images have been chosen.
    chosen, whole = set(some.tolist()), []
    counted = np.where(np.bincount(labels)[labels] > 1, weights, 0.0)
    for group in groups:
        if chosen.issuperset(group.tolist()):
            whole.append(np.searchsorted(some, group))
        else:
            counted[group] = 0.0
    counted = counted[some]
    if not counted.any():
        return DEFAULT_STRENGTH
    projected = decomposition.project(rows[some])
    labels, weights = labels[some], weights[some]
    targets = make_targets(labels, classes)

    def error(strength: float) -> float:
        scores = _left_out(decomposition, projected, targets, weights, strength, whole)
        return float((counted[:, None] * (scores - targets) ** 2).sum())

    return float(min(STRENGTHS, key=error))


def leave_one_out(
    decomposition: Decomposition,
    rows: Rows,
    labels: Labels,
    weights: Array,
    strength: float,
    groups: Sequence[Labels] = (),
    spread: Spread = map,
) -> NDArray[np.float32]:
    """The scores that each image would get had the regression not learned it.

    Args:
        decomposition: of these images.
        rows: `(n, features)`.
        labels: `(n,)`.
        weights: `(n,)`, as in `decompose`.
        strength: of the regularisation.
        groups: positions of images that are left out together, such as near duplicates.
        spread: does it for parts of the images.

    Returns:
        float32 `(n, classes)`.
    """
    classes = len(decomposition.target_mean)
    scores = np.empty((len(rows), classes), np.float32)
    parts = list(batches(len(rows), min(_BATCH, max(1, _MOST_SCORES_A_BATCH // classes))))
    leave_out = partial(_leave_out, decomposition, strength, False)
    of_parts = ([array[part] for part in parts] for array in (rows, labels, weights))
    for part, found in zip(parts, spread(leave_out, *of_parts), strict=True):
        scores[part] = found
    for group in groups:
        scores[group] = _leave_out(
            decomposition, strength, True, rows[group], labels[group], weights[group]
        )
    return scores


def _leave_out(
    decomposition: Decomposition,
    strength: float,
    together: bool,
    rows: Rows,
    labels: Labels,
    weights: Array,
) -> NDArray[np.float32]:
    """Scores of images that are left out one by one, or all together."""
    targets = make_targets(labels, len(decomposition.target_mean))
    groups = [np.arange(len(rows))] if together else []
    projected = decomposition.project(rows)
    found = _left_out(decomposition, projected, targets, weights, strength, groups)
    return found.astype(np.float32)


def _left_out(
    decomposition: Decomposition,
    projected: Array,
    targets: Array,
    weights: Array,
    strength: float,
    groups: Sequence[Labels],
) -> Array:
    """Leave-one-out scores of images from their projections, `(n, classes)`.

    With H the hat matrix, which takes targets to scores, those without the images of a group G are
    off their targets by (I − H_GG)⁻¹ times what the scores are off with them.
    """
    shares = weights / decomposition.weight
    shrunk = 1 / (decomposition.eigenvalues + strength)
    residuals = targets - decomposition.fitted(projected, strength)
    # 1 for the mean, which is fitted too.
    leverage = shares * (1 + projected**2 @ shrunk)
    scores = targets - residuals / np.maximum(1 - leverage, 1e-9)[:, None]
    for group in groups:
        x = projected[group]
        hat = (1 + (x * shrunk) @ x.T) * shares[group]
        solved = np.linalg.solve(np.eye(len(group)) * (1 + 1e-9) - hat, residuals[group])
        scores[group] = targets[group] - solved
    return scores
