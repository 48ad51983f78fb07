"""`familiarity`, an out-of-distribution (OOD) score: how much an image is like those learned.

It is the cosine between an image's features and the nearest ones that were learned (Sun, Ming, Zhu
& Li, *Out-of-Distribution Detection with Deep Nearest Neighbors*, 2022, arXiv:2204.06507), brought
to 0–1 so that the threshold, which 95 % of such images reach, is 0.5.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from imagette.heads.moments import Spread

Directions = NDArray[np.floating]
"""`(n, features)`, each of length 1."""

KNOWN_SHARE = 0.95
"""Share of the images of the classes that are to be called known, by the threshold."""
THRESHOLD = 0.5
"""The familiarity from which on an image is called known."""
MOST_REFERENCES = 1_200
"""No more images than this are compared with, but one of each class: each takes 1.3 KB of the
bundle."""
METHOD = "cosine to the nearest of the pictures learned, by their features"
HIGHEST_THRESHOLD = 0.9
"""Of the similarity, where each image is compared with all others: those of one moment are more
alike than later ones of the thing will be."""
_AT_ONCE = 1024
_SMALLEST_SCALE = 1e-3


@dataclass(frozen=True)
class OodScore:
    """What familiarity is computed from.

    Attributes:
        references: int8 `(m, features)`, directions of images that were learned, in 1/127 of
            each one's largest number.
        lengths: float32 `(m,)`, what divides a product with them to make it a cosine.
        threshold: the similarity that is 0.5 of familiarity.
        scale: the difference of similarity that a unit of its log-odds stands for.
    """

    references: NDArray[np.int8]
    lengths: NDArray[np.float32]
    threshold: float
    scale: float

    def similarity(self, directions: Directions) -> NDArray[np.float32]:
        """Cosine to the nearest reference, float32 `(n,)`."""
        cosines = directions @ self.references.T.astype(np.float32) / self.lengths
        return cosines.max(axis=1)

    def familiarity(self, directions: Directions) -> NDArray[np.float32]:
        """In 0–1, float32 `(n,)`."""
        return self.to_familiarity(self.similarity(directions))

    def to_familiarity(self, similarity: NDArray[np.float32]) -> NDArray[np.float32]:
        """Similarities `(n,)` brought to 0–1."""
        odds = np.clip((similarity - self.threshold) / self.scale, -80, 80)
        return (1 / (1 + np.exp(-odds))).astype(np.float32)


def fit_ood_score(
    directions: Directions, labels: NDArray[np.int64], groups: list[NDArray[np.int64]]
) -> tuple[OodScore, NDArray[np.float32]]:
    """Choose references and set the threshold by leaving each image out.

    Args:
        directions: of the images learned.
        labels: `(n,)`, by which the references are spread over the classes.
        groups: positions of images that are left out together, such as near duplicates.

    Returns:
        The score, and the familiarity `(n,)` of each image to all others.
    """
    chosen = choose_references(labels)
    references, lengths = _to_8_bits(directions[chosen])
    place = np.full(len(directions), -1)
    place[chosen] = np.arange(len(chosen))
    together = {int(one): place[group] for group in groups for one in group}
    similarity = np.empty(len(directions), np.float32)
    others = references.T.astype(np.float32) / lengths
    for start in range(0, len(directions), _AT_ONCE):
        cosines = directions[start : start + _AT_ONCE] @ others
        for row, number in enumerate(range(start, start + len(cosines))):
            left_out = together.get(number, place[number : number + 1])
            cosines[row, left_out[left_out >= 0]] = -1
        similarity[start : start + _AT_ONCE] = cosines.max(axis=1)
    # Without the only image of its class, an image is like none of its class.
    of_several = np.bincount(labels)[labels] > 1
    judged = similarity[of_several] if of_several.any() else similarity
    lowest, scale = _threshold_and_scale(judged)
    score = OodScore(references, lengths, min(lowest, HIGHEST_THRESHOLD), scale)
    return score, score.to_familiarity(similarity)


def fit_ood_score_held_out(learned: Directions, held_out: Directions) -> OodScore:
    """A score whose threshold is set by other images than those that were learned.

    Args:
        learned: directions of images that were learned, all of which are compared with.
        held_out: directions of others of their classes; they set the threshold.
    """
    references, lengths = _to_8_bits(learned)
    similarity = OodScore(references, lengths, threshold=0, scale=1).similarity(held_out)
    return OodScore(references, lengths, *_threshold_and_scale(similarity))


def _threshold_and_scale(similarity: NDArray[np.float32]) -> tuple[float, float]:
    """What `KNOWN_SHARE` of the similarities reach, and the scale by which the median's familiarity
    is 0.88."""
    lowest, middle = np.quantile(similarity, [1 - KNOWN_SHARE, 0.5])
    return float(lowest), max(float(middle - lowest) / 2, _SMALLEST_SCALE)


def find_groups(
    directions: Directions,
    labels: NDArray[np.int64],
    cosine: float,
    most: int,
    spread: Spread = map,
) -> tuple[list[NDArray[np.int64]], int]:
    """Images of a class that are nearly the same, as groups of two and more.

    Args:
        directions: `(n, features)`, of length 1.
        labels: `(n,)`.
        cosine: from which two images are.
        most: larger groups are left alone, and those of more than half a class: they are what the
            class is like.
        spread: looks at the images of several classes.

    Returns:
        The groups, and how many images are in those that are left alone.
    """
    groups, left_alone = [], 0
    of_class = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    largest_of = [min(most, len(places) // 2) for places in of_class]
    joined = spread(partial(_join, cosine), (directions[one] for one in of_class), largest_of)
    for places, largest, found in zip(of_class, largest_of, joined, strict=True):
        for group in found:
            if 1 < len(group) <= largest:
                groups.append(places[group])
            elif len(group) > max(largest, 2):
                left_alone += len(group)
    return groups, left_alone


def _join(cosine: float, directions: Directions, most: int) -> list[NDArray[np.int64]]:
    """Connected components of the pairs that are alike.

    Of an image that is like more than `most` others only so many pairs are joined: its component
    is too large in any case.
    """
    root = np.arange(len(directions))

    def find(one: int) -> int:
        while root[one] != one:
            root[one] = root[root[one]]
            one = root[one]
        return one

    for start in range(0, len(directions), _AT_ONCE):
        block = directions[start : start + _AT_ONCE].astype(np.float32)
        for after in range(start, len(directions), _AT_ONCE):
            alike = block @ directions[after : after + _AT_ONCE].astype(np.float32).T >= cosine
            for row in np.flatnonzero(alike.any(axis=1)):
                others = np.flatnonzero(alike[row]) + after
                for other in others[others > start + row][:most].tolist():
                    root[find(start + int(row))] = find(other)
    roots = np.array([find(one) for one in range(len(root))], np.int64)
    order = np.argsort(roots, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(roots[order])) + 1)


def choose_references(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Positions of the images that others are compared with, by the classes `(n,)` of all."""
    return spread_over_classes(labels, max(MOST_REFERENCES, len(np.unique(labels))))


def spread_over_classes(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Positions of at most so many images, as many of each class as there is room for, drawn at
    random but always the same ones."""
    if len(labels) <= most:
        return np.arange(len(labels))
    order = np.random.default_rng(0).permutation(len(labels))
    _, of_class, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    rank = np.empty(len(labels), np.int64)  # first, second, … of its class
    by_class = np.argsort(of_class, kind="stable")
    rank[by_class] = np.concatenate([np.arange(count) for count in counts])
    return np.sort(order[np.argsort(rank, kind="stable")[:most]])


def _to_8_bits(directions: Directions) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    largest = np.maximum(np.abs(directions).max(axis=1, keepdims=True), 1e-9)
    whole = np.rint(directions / largest * 127).astype(np.int8)
    lengths = np.linalg.norm(whole.astype(np.float32), axis=1)
    return whole, np.maximum(lengths, 1e-6).astype(np.float32)
