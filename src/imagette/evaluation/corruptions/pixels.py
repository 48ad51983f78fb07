"""What several corruptions do to pixels: blur, directional_blur, zoom, and look between them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.floating]
"""float32 `(n, height, width, 3)`, 0–1; results may lie outside and are clipped by `corrupt`."""

SIDE = 32
"""The strengths are for images of this side, in pixels."""


def to_uint8(pixels: NDArray) -> NDArray[np.uint8]:
    """Pixels 0–1, clipped, as 0–255."""
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


def scale(x: Pixels) -> float:
    """How many times as large the images are as those the strengths are for."""
    return min(x.shape[1:3]) / SIDE


def gaussian_blur(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur of `(n, height, width, …)` in height and width."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, sigma, mode="nearest", axes=(1, 2))


def gather(
    x: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Pixels `x[i, rows[i], columns[i]]` of `(n, height, width, …)`, for rows and columns that
    broadcast to `(n, height, width)`; outside the image its edge goes on."""
    count, height, width = x.shape[:3]
    which = np.arange(count)[:, np.newaxis, np.newaxis]
    return x[which, rows.clip(0, height - 1), columns.clip(0, width - 1)]


def directional_blur(
    x: NDArray[np.float32], radius: float, sigma: float, angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Blur each image along a line that starts at the pixel and fades as half a Gaussian.

    Args:
        x: `(n, height, width, …)`.
        radius: half the length of the line, in pixels.
        sigma: of the Gaussian, in pixels.
        angles: direction for each image, in radians.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights = (weights / weights.sum()).astype(np.float32)
    height, width = x.shape[1:3]
    total = np.zeros_like(x)
    for step, weight in zip(steps, weights, strict=True):
        if weight > 1e-4:
            down = np.rint(step * np.sin(angles)).astype(np.int64)[:, np.newaxis, np.newaxis]
            right = np.rint(step * np.cos(angles)).astype(np.int64)[:, np.newaxis, np.newaxis]
            rows, columns = np.arange(height)[:, np.newaxis] + down, np.arange(width) + right
            total += weight * gather(x, rows, columns)
    return total


def zoom(x: NDArray[np.float32], factors: Sequence[float]) -> NDArray[np.float32]:
    """The mean of enlargements of `(n, height, width, …)` around the middle, by factors of at least
    1; computed as one sparse matrix on all pixels."""
    from scipy.sparse import kron

    count, height, width = x.shape[:3]
    matrix = sum(kron(_stretch(height, factor), _stretch(width, factor)) for factor in factors)
    pixels = x.reshape(count, height * width, -1).transpose(1, 0, 2).reshape(height * width, -1)
    zoomed = (matrix.tocsr().astype(np.float32) / np.float32(len(factors))) @ pixels
    return zoomed.reshape(height * width, count, -1).transpose(1, 0, 2).reshape(x.shape)


def _stretch(size: int, factor: float):  # type: ignore[no-untyped-def]
    """The sparse `(size, size)` matrix that enlarges a line of pixels around its middle."""
    from scipy.sparse import coo_matrix

    middle = (size - 1) / 2
    places = middle + (np.arange(size) - middle) / factor
    before = np.floor(places).astype(int).clip(0, max(size - 2, 0))
    after = np.minimum(before + 1, size - 1)
    share, line = places - before, np.arange(size)
    entries = np.concatenate([1 - share, share])
    where = np.concatenate([line, line]), np.concatenate([before, after])
    return coo_matrix((entries, where), (size, size))
