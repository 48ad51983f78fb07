"""Images that are nearly the same: another crop, size, brightness or file of one photograph.

Two steps. Small thumbnails, cleared of brightness and contrast, propose for each image the
likeliest of the others; every pair is looked at, as products of matrices. Then each pair proposed
is shifted over itself for the best match of its outlines. Outlines, because what two images
share that show a pale sky over a dark sea is no sign of a common origin.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.images.batches import batches

THRESHOLD = 0.85
"""Similarity from which a pair counts. Chosen on CIFAR-10, test beside train: see
docs/explanation/data.md."""

_THUMBNAIL, _SIDE = 8, 32
_PROPOSED = 3
_LEAST_ALIKE = 0.85
_SHIFT = 3
_OUTLINES = (0.7, 2.5)
_AT_ONCE = 500


class Pair(NamedTuple):
    """An image and the one most like it among others.

    Attributes:
        position: of the image.
        other: position of the one among the others.
        similarity: correlation of their outlines, at most 1.
    """

    position: int
    other: int
    similarity: float


def find_near_duplicates(
    images: NDArray[np.uint8], others: NDArray[np.uint8], threshold: float = THRESHOLD
) -> list[Pair]:
    """For each image the nearest of the others, where it is near enough.

    Mirrored and turned images are not found, nor crops that take off more than a tenth.

    Args:
        images: uint8 `(n, height, width, 3)`.
        others: uint8 `(m, height, width, 3)`.
        threshold: least similarity of a pair.

    Returns:
        Pairs, each image in one at most, the most alike first.
    """
    positions, candidates = _propose(_thumbnails(images), _thumbnails(others))
    similarity = np.empty(len(positions), np.float32)
    for batch in batches(len(positions), _AT_ONCE):
        similarity[batch] = _compare(images[positions[batch]], others[candidates[batch]])
    best: dict[int, Pair] = {}
    for pair in map(Pair, positions.tolist(), candidates.tolist(), similarity.tolist()):
        if pair.similarity >= max(threshold, best.get(pair.position, pair).similarity):
            best[pair.position] = pair
    return sorted(best.values(), key=lambda pair: -pair.similarity)


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors `(n, 192)`: their products are correlations, and 0 for a plain image."""
    return _unit(_resized(images, _THUMBNAIL).astype(np.float32))


def _resized(images: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """By the mean of the pixels that fall together; the same image where the size is right."""
    if images.shape[1:3] == (side, side):
        return images
    size, box = (side, side), Image.Resampling.BOX
    return np.stack([np.asarray(Image.fromarray(image).resize(size, box)) for image in images])


def _unit(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The values around their means, those of each image as a vector of length 1."""
    x = (x - x.mean(axis=(1, 2), keepdims=True)).reshape(len(x), -1)
    return x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-6)


def _propose(
    vectors: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The pairs worth a closer look."""
    number = min(_PROPOSED, len(others))
    positions, candidates = [], []
    for batch in batches(len(vectors), _AT_ONCE):
        alike = vectors[batch] @ others.T
        nearest = np.argpartition(-alike, number - 1, axis=1)[:, :number]
        rows, columns = np.nonzero(np.take_along_axis(alike, nearest, axis=1) >= _LEAST_ALIKE)
        positions.append(rows + batch.start)
        candidates.append(nearest[rows, columns])
    return np.concatenate(positions), np.concatenate(candidates)


def _compare(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The best correlation of each pair's outlines over small shifts."""
    x, y = _outlines(images), _outlines(others)
    inner = _SIDE - 2 * _SHIFT
    middle = _unit(x[:, _SHIFT:-_SHIFT, _SHIFT:-_SHIFT])
    best = np.full(len(x), -1, np.float32)
    for down in range(2 * _SHIFT + 1):
        for right in range(2 * _SHIFT + 1):
            shifted = _unit(y[:, down : down + inner, right : right + inner])
            best = np.maximum(best, np.einsum("ij,ij->i", middle, shifted))
    return best


def _outlines(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The difference of two blurs of the greys: neither noise nor broad shades are left."""
    from scipy.ndimage import gaussian_filter

    x = _resized(images, _SIDE) @ np.array([0.299, 0.587, 0.114], np.float32)
    fine, broad = (gaussian_filter(x, sigma, axes=(1, 2)) for sigma in _OUTLINES)
    return fine - broad
