"""Ridge regression on features, with the exact leave-one-out answer for every picture.

A class is a target of +1 against -1 for all others (a regularised least-squares classifier: Rifkin,
Yeo & Poggio, *Regularized Least-Squares Classification*, 2003). One decomposition gives the
solution for every strength of the regularisation, and what each picture would be answered had it
not been learned (Allen's PRESS; Golub, Heath & Wahba, *Generalized Cross-Validation as a Method for
Choosing a Good Ridge Parameter*, Technometrics 21, 1979). Pictures are weighted, so that classes of
uneven size count alike.

What is learned from are sums over pictures (`Moments`): they can be added up in any order, in parts
and on several machines, and merged. Few pictures are decomposed directly, which is faster.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[np.floating]
"""`(pictures, features)`, of any floating type; float16 of many pictures is half as large."""
Labels = NDArray[np.int64]

STRENGTHS = np.logspace(-4, 1, 21)
"""Those that are tried, for features whose mean squared distance from their mean is 1."""
UNKNOWN_STRENGTH = 1e-2
"""Where no class has two pictures."""
_AT_ONCE = 4096
_MOST_ANSWERS_AT_ONCE = 4_000_000
_MOST_TO_CHOOSE_BY = 4_000
_MOST_ANSWERS_TO_CHOOSE_BY = 1_000_000
"""The strength is chosen by at most so many pictures, and so many answers about them."""


class Moments:
    """The weighted sums over pictures that a ridge regression is solved from.

    Args:
        features: length of a picture's features.
        classes: number of classes.
    """

    def __init__(self, features: int, classes: int) -> None:
        self.pictures = 0
        self.weight = 0.0
        self.sum = np.zeros(features)
        self.products = np.zeros((features, features))
        self.class_weights = np.zeros(classes)
        self.class_sums = np.zeros((classes, features))

    def add(self, rows: Rows, labels: Labels, weights: Array) -> None:
        """Take pictures in.

        Args:
            rows: `(n, features)`.
            labels: `(n,)`, positions of the classes.
            weights: `(n,)`, how much each picture counts.
        """
        for start in range(0, len(rows), _AT_ONCE):
            x = rows[start : start + _AT_ONCE].astype(np.float32)
            y, w = labels[start : start + _AT_ONCE], weights[start : start + _AT_ONCE]
            weighted = x * w[:, None].astype(np.float32)
            self.pictures += len(x)
            self.weight += float(w.sum())
            self.sum += weighted.sum(axis=0, dtype=np.float64)
            self.products += weighted.T @ x
            self.class_weights += np.bincount(y, w, len(self.class_weights))
            np.add.at(self.class_sums, y, weighted)

    def merge(self, other: "Moments") -> None:
        """Take in what another has added up."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Decomposition:
    """A ridge regression, solved for every strength at once.

    Attributes:
        mean: `(features,)`, weighted mean.
        target_mean: `(classes,)`, that of the targets.
        spread: mean squared distance of the features from their mean.
        values: `(rank,)`, eigenvalues of the weighted covariance, divided by `spread`.
        vectors: `(features, rank)`, its eigenvectors.
        products: `(rank, classes)`, of the features along them with the targets.
        weight: sum of the pictures' weights.
    """

    mean: Array
    target_mean: Array
    spread: float
    values: Array
    vectors: Array
    products: Array
    weight: float

    def solve(self, strength: float) -> tuple[Array, Array]:
        """Kernel `(features, classes)` and bias `(classes,)`."""
        kernel = self.vectors @ (self.products / (self.values + strength)[:, None])
        kernel /= self.spread
        return kernel, self.target_mean - self.mean @ kernel

    def project(self, rows: Rows) -> Array:
        """Features along the eigenvectors, `(n, rank)`, scaled as the eigenvalues are."""
        centred = rows.astype(np.float64) - self.mean
        return centred @ self.vectors / np.sqrt(self.spread)

    def fitted(self, projected: Array, strength: float) -> Array:
        """Answers `(n, classes)` to pictures from their projections."""
        gains = (self.products / np.sqrt(self.spread)) / (self.values + strength)[:, None]
        return projected @ gains + self.target_mean


def decompose(rows: Rows, labels: Labels, weights: Array, classes: int) -> Decomposition:
    """Decompose the regression of some pictures.

    Args:
        rows: `(n, features)`.
        labels: `(n,)`.
        weights: `(n,)`, above 0.
        classes: number of classes.
    """
    if len(rows) > rows.shape[1]:
        moments = Moments(rows.shape[1], classes)
        moments.add(rows, labels, weights)
        return decompose_moments(moments)
    total = float(weights.sum())
    shares = weights / total
    mean, target_mean = shares @ rows.astype(np.float64), _target_mean(shares, labels, classes)
    root = np.sqrt(shares)[:, None]
    x = (rows.astype(np.float64) - mean) * root
    spread = _spread(float((x**2).sum()))
    values, left = np.linalg.eigh(x @ x.T / spread)
    kept = values > 1e-10 * max(values.max(), 1e-300)
    values, left = values[kept], left[:, kept]
    vectors = x.T @ (left / np.sqrt(values * spread))
    targets = (make_targets(labels, classes) - target_mean) * root
    products = np.sqrt(values * spread)[:, None] * (left.T @ targets)
    return Decomposition(mean, target_mean, spread, values, vectors, products, total)


def decompose_moments(moments: Moments) -> Decomposition:
    """The same from sums, which may come from many machines."""
    total = moments.weight
    mean, shares = moments.sum / total, moments.class_weights / total
    covariance = moments.products / total - np.outer(mean, mean)
    spread = _spread(float(np.trace(covariance)))
    values, vectors = np.linalg.eigh(covariance / spread)
    kept = values > 1e-7 * max(values.max(), 1e-300)  # what is less is rounding of the sums
    values, vectors = values[kept], vectors[:, kept]
    # The sum of x times a target of ±1: twice that over the class, less that over all.
    with_targets = 2 * (moments.class_sums / total - shares[:, None] * mean)
    products = vectors.T @ with_targets.T
    return Decomposition(mean, 2 * shares - 1, spread, values, vectors, products, total)


@dataclass(frozen=True)
class Fit:
    """A ridge regression of the strength that suits it, all classes counting alike.

    Attributes:
        kernel: `(features, classes)`.
        bias: `(classes,)`.
        weights: `(n,)`, how much each picture counted.
        answers: float32 `(n, classes)`, to each picture had it not been learned.
    """

    kernel: Array
    bias: Array
    weights: Array
    answers: NDArray[np.float32]


def fit_ridge(rows: Rows, labels: Labels, classes: int, groups: Sequence[Labels] = ()) -> Fit:
    """Decompose, choose the strength, solve, and leave each picture out.

    Args:
        rows: `(n, features)`.
        labels: `(n,)`.
        classes: number of classes.
        groups: as for `leave_one_out`.
    """
    weights = balanced_weights(labels, classes)
    found = decompose(rows, labels, weights, classes)
    strength = choose_strength(found, rows, labels, weights, groups)
    answers = leave_one_out(found, rows, labels, weights, strength, groups)
    return Fit(*found.solve(strength), weights, answers)


def balanced_weights(labels: Labels, classes: int) -> Array:
    """For each picture a weight by which all classes count alike; 1 on average."""
    counts = np.bincount(labels, minlength=classes)
    weights: Array = len(labels) / (np.count_nonzero(counts) * counts[labels].astype(np.float64))
    return weights


def make_targets(labels: Labels, classes: int) -> Array:
    """+1 for the class of each picture and -1 for the others, `(n, classes)`."""
    targets = np.full((len(labels), classes), -1.0)
    targets[np.arange(len(labels)), labels] = 1.0
    return targets


def choose_strength(
    found: Decomposition, rows: Rows, labels: Labels, weights: Array, groups: Sequence[Labels] = ()
) -> float:
    """The strength with the lowest squared error of leave-one-out answers.

    Those without the only picture of a class say nothing, and do not count.

    Args:
        found: of these pictures.
        rows: `(n, features)`.
        labels: `(n,)`.
        weights: `(n,)`.
        groups: as for `leave_one_out`.
    """
    classes = len(found.target_mean)
    most = max(1, min(_MOST_TO_CHOOSE_BY, _MOST_ANSWERS_TO_CHOOSE_BY // classes))
    some = np.arange(0, len(rows), -(-len(rows) // most))
    # Groups that are left out together count where all of their pictures have been chosen.
    chosen, whole = set(some.tolist()), []
    counted = np.where(np.bincount(labels)[labels] > 1, weights, 0.0)
    for group in groups:
        if chosen.issuperset(group.tolist()):
            whole.append(np.searchsorted(some, group))
        else:
            counted[group] = 0.0
    counted = counted[some]
    if not counted.any():
        return UNKNOWN_STRENGTH
    projected = found.project(rows[some])
    labels, weights = labels[some], weights[some]
    targets = make_targets(labels, classes)

    def error(strength: float) -> float:
        answers = _left_out(found, projected, targets, weights, strength, whole)
        return float((counted[:, None] * (answers - targets) ** 2).sum())

    return float(min(STRENGTHS, key=error))


def leave_one_out(
    found: Decomposition,
    rows: Rows,
    labels: Labels,
    weights: Array,
    strength: float,
    groups: Sequence[Labels] = (),
) -> NDArray[np.float32]:
    """What each picture would be answered had the regression not learned it.

    Args:
        found: of these pictures.
        rows: `(n, features)`.
        labels: `(n,)`.
        weights: `(n,)`.
        strength: of the regularisation.
        groups: positions of pictures that are left out together, such as near duplicates.

    Returns:
        float32 `(n, classes)`.
    """
    classes = len(found.target_mean)
    answers = np.empty((len(rows), classes), np.float32)
    for part in _parts(len(rows), classes):
        targets = make_targets(labels[part], classes)
        projected = found.project(rows[part])
        answers[part] = _left_out(found, projected, targets, weights[part], strength)
    for group in groups:
        targets = make_targets(labels[group], classes)
        projected = found.project(rows[group])
        alone = [np.arange(len(group))]
        answers[group] = _left_out(found, projected, targets, weights[group], strength, alone)
    return answers


def _left_out(
    found: Decomposition,
    projected: Array,
    targets: Array,
    weights: Array,
    strength: float,
    groups: Sequence[Labels] = (),
) -> Array:
    """Leave-one-out answers of pictures from their projections, `(n, classes)`.

    With H the matrix that takes targets to answers, those without the pictures of a group G are off
    their targets by (I − H_GG)⁻¹ times what the answers are off with them.
    """
    shares = weights / found.weight
    gains = 1 / (found.values + strength)
    residuals = targets - found.fitted(projected, strength)
    # 1 for the mean, which is fitted too.
    leverage = shares * (1 + projected**2 @ gains)
    answers = targets - residuals / np.maximum(1 - leverage, 1e-9)[:, None]
    for group in groups:
        x = projected[group]
        hat = (1 + (x * gains) @ x.T) * shares[group]
        solved = np.linalg.solve(np.eye(len(group)) * (1 + 1e-9) - hat, residuals[group])
        answers[group] = targets[group] - solved
    return answers


def _target_mean(shares: Array, labels: Labels, classes: int) -> Array:
    sums: Array = np.bincount(labels, shares, classes).astype(np.float64)
    return 2 * sums - 1


def _spread(total: float) -> float:
    """Of features that are all the same, 1, so that nothing is divided by 0."""
    return total if total > 1e-12 else 1.0


def _parts(count: int, classes: int) -> Iterator[slice]:
    at_once = min(_AT_ONCE, max(1, _MOST_ANSWERS_AT_ONCE // classes))
    for start in range(0, count, at_once):
        yield slice(start, start + at_once)
