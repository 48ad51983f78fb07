"""The sums over images that a ridge regression is solved from: they add up over machines."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from imagette.images.batches import batches

Spread = Callable[..., Iterable[Any]]
"""Calls a function for the items of lists and gives what it returns, in order, as `map` does: in
this process or, the calls independent of one another, on several machines."""

_BATCH = 4096
_PART = 4 * _BATCH
"""Images whose sums are added up before they are added to those of the others: they are sent once
for so many. It does not depend on how many machines there are, nor does any sum."""


@dataclass
class Moments:
    """Weighted sums over images, in float64.

    Attributes:
        weight: sum of the weights.
        counts: `(classes,)`, that of each class.
        sums: `(features,)`.
        products: `(features, features)`, X'WX.
        class_sums: `(classes, features)`, the sums of each class.
    """

    weight: float
    counts: NDArray[np.float64]
    sums: NDArray[np.float64]
    products: NDArray[np.float64]
    class_sums: NDArray[np.float64]

    @classmethod
    def of_none(cls, features: int, classes: int) -> Self:
        """Those of no image."""
        square = np.zeros((features, features))
        return cls(
            0.0, np.zeros(classes), np.zeros(features), square, np.zeros((classes, features))
        )

    def merge(self, other: "Moments") -> None:
        """Take in the sums over other images."""
        self.weight += other.weight
        self.counts += other.counts
        self.sums += other.sums
        self.products += other.products
        self.class_sums += other.class_sums


def add_up(
    rows: NDArray[np.floating],
    labels: NDArray[np.int64],
    weights: NDArray[np.float64],
    classes: int,
    spread: Spread = map,
) -> Moments:
    """The sums over images `(n, features)` with labels `(n,)` and weights `(n,)`.

    They are added in the order of the images, so that they are the same, bit for bit, wherever
    each part was added up, as long as the processors are of one kind and as many threads compute.
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
        x, y, w = rows[batch].astype(np.float32), labels[batch], weights[batch]
        weighted = x * w[:, None].astype(np.float32)
        found.weight += float(w.sum())
        found.counts += np.bincount(y, w, classes)
        found.sums += weighted.sum(axis=0, dtype=np.float64)
        found.products += weighted.T @ x
        np.add.at(found.class_sums, y, weighted)
    return found
