"""The sums over images that a ridge regression is solved from; they can be added up in parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from imagette.images.batches import batches

Spread = Callable[..., Iterable[Any]]
"""Calls a function for each item of an iterable (or several), as `map` does, in this process or on
several machines; results come in the items' order."""

_BATCH = 4096
_PART = 4 * _BATCH
"""Images whose sums one call adds up: the sums travel once for so many."""


@dataclass
class Moments:
    """Weighted sums over images, in float64.

    Attributes:
        counts: `(classes,)`, the weight of each class.
        class_sums: `(classes, features)`, the sum of each class.
        products: `(features, features)`, the weighted Gram matrix X'WX.
    """

    counts: NDArray[np.float64]
    class_sums: NDArray[np.float64]
    products: NDArray[np.float64]

    @classmethod
    def of_none(cls, features: int, classes: int) -> Self:
        """Those of no image."""
        square = np.zeros((features, features))
        return cls(np.zeros(classes), np.zeros((classes, features)), square)

    def merge(self, other: "Moments") -> None:
        """Take in the sums over other images."""
        self.counts += other.counts
        self.class_sums += other.class_sums
        self.products += other.products


def add_up(
    rows: NDArray[np.floating],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    classes: int,
    spread: Spread = map,
) -> Moments:
    """The sums over images `(n, features)` with labels `(n,)` and weights `(n,)`.

    Products, too, are computed in float64: in what order a processor or its threads add them up
    changes them by 1e-15 of their size, which no weight that is solved for shows.
    """
    parts = list(batches(len(rows), _PART))
    found = Moments.of_none(rows.shape[1], classes)
    of_parts = ([array[part] for part in parts] for array in (rows, labels, weights))
    for one in spread(partial(_of_part, classes), *of_parts):
        found.merge(one)
    return found


def _of_part(
    classes: int,
    rows: NDArray[np.floating],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> Moments:
    """A batch at a time, so that many images take little memory."""
    found = Moments.of_none(rows.shape[1], classes)
    for batch in batches(len(rows), _BATCH):
        x, y, w = rows[batch].astype(np.float64), labels[batch], weights[batch]
        found.counts += np.bincount(y, w, classes)
        np.add.at(found.class_sums, y, x * w[:, None])
        x *= np.sqrt(w)[:, None]
        found.products += x.T @ x  # symmetric, so that NumPy computes half of it
    return found
