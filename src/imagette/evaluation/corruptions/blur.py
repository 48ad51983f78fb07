"""Blur: of a lens, of frosted glass, of motion and of zooming."""

import numpy as np
from numpy.typing import NDArray

from imagette.evaluation.corruptions.pixels import (
    Pixels,
    directional_blur,
    gather,
    gaussian_blur,
    scale,
    zoom,
)


def defocus_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    radius, softness = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[level]
    return _correlate(x, _disk(radius * scale(x), softness))


def _disk(radius: float, softness: float) -> NDArray[np.float32]:
    """A lens' circle of confusion, its edge softened by a Gaussian of 3×3."""
    from scipy.ndimage import convolve1d

    reach = int(radius) + 1
    line = np.arange(-reach, reach + 1)
    disk = (line[:, np.newaxis] ** 2 + line**2 <= radius**2).astype(np.float32)
    bell = np.exp(-(np.array([-1, 0, 1]) ** 2) / (2 * softness**2))
    for axis in (0, 1):
        disk = convolve1d(disk, bell, axis, mode="constant")
    return disk / disk.sum()


def _correlate(x: Pixels, kernel: NDArray[np.float32]) -> Pixels:
    """Weighted sum of the neighbours; images are mirrored at their edges."""
    reach, (height, width) = len(kernel) // 2, x.shape[1:3]
    around = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    wide = np.pad(x, around, "reflect" if min(height, width) > 1 else "edge")
    total = np.zeros_like(x)
    for (row, column), weight in np.ndenumerate(kernel):
        if weight > 1e-6:
            total += weight * wide[:, row : row + height, column : column + width]
    return total


def glass_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Each pixel takes the place of one near it, between two light blurs.

    The paper's program means to swap neighbours; what CIFAR-10-C holds is that each pixel is
    overwritten by a neighbour above or to the left, which comes to the same look.
    """
    sigma, times = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[level]
    reach = max(1, round(scale(x)))
    count, height, width = x.shape[:3]
    x = gaussian_blur(x, sigma * scale(x))
    for _ in range(times):
        down, right = random.integers(-reach, reach, (2, count, height, width))
        x = gather(x, np.arange(height)[:, np.newaxis] + down, np.arange(width) + right)
    return gaussian_blur(x, sigma * scale(x))


def motion_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    angles = np.deg2rad(random.uniform(-45, 45, len(x)))
    return directional_blur(x, radius * scale(x), sigma * scale(x), angles)


def zoom_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    farthest = (1.06, 1.11, 1.16, 1.21, 1.26)[level]
    return zoom(x, [1, *np.arange(1, farthest, 0.01)])
