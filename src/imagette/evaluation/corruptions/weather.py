"""Weather: snow, frost, fog and bright light."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.evaluation.corruptions.pixels import SIDE, Pixels, directional_blur, scale, zoom


def snow(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    mean, deviation, enlargement, least, radius, sigma, kept = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[level]
    flakes = zoom(random.normal(mean, deviation, x.shape[:3]).astype(np.float32), [enlargement])
    flakes = np.where(flakes < least, 0, flakes.clip(0, 1))
    angles = np.deg2rad(random.uniform(-135, -45, len(x)))
    flakes = directional_blur(flakes, radius * scale(x), sigma * scale(x), angles)[..., np.newaxis]
    grey = (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., np.newaxis]
    # Snow light: the world turns paler, its dark parts most.
    x = kept * x + (1 - kept) * np.maximum(x, 1.5 * grey + 0.5)
    return x + flakes + np.rot90(flakes, 2, axes=(1, 2))


def frost(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    kept, added = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[level]
    count, height, width = x.shape[:3]
    textures = _frost_textures(4 * max(height, width))
    side = textures.shape[1]
    which = random.integers(len(textures), size=(count, 1, 1))
    rows = random.integers(side - height + 1, size=(count, 1, 1)) + np.arange(height)[:, np.newaxis]
    columns = random.integers(side - width + 1, size=(count, 1, 1)) + np.arange(width)
    return kept * x + added * textures[which, rows, columns]


@lru_cache(maxsize=1)
def _frost_textures(side: int) -> NDArray[np.float32]:
    """Window panes of frost, always the same: needles of ice in all directions over a haze.

    Returns:
        float32 `(6, side, side, 3)`, 0–1; a pale blue, 0.55 on average.
    """
    random, drawn = np.random.default_rng(0), 4 * SIDE
    ice = np.zeros((6, drawn, drawn), np.float32)
    haze = _plasma(*ice.shape[:2], 1.3, random)
    for share, length in ((0.004, drawn / 5), (0.012, drawn / 12), (0.03, drawn / 30)):
        for _ in range(6):
            seeds = (random.random(ice.shape) < share).astype(np.float32)
            needles = directional_blur(
                seeds, length, length / 2, random.uniform(0, 2 * np.pi, len(ice))
            )
            ice += needles / needles.max()
    ice = np.sqrt(ice / ice.max(axis=(1, 2), keepdims=True))
    pane = 0.55 * haze + 0.75 * ice
    pane *= 0.55 / pane.mean(axis=(1, 2), keepdims=True)
    if side != drawn:
        panes = [Image.fromarray(one).resize((side, side)) for one in pane]
        pane = np.stack([np.asarray(one) for one in panes])
    return (pane[..., np.newaxis] * np.array([0.92, 1.0, 1.08], np.float32)).clip(0, 1)


def fog(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    thickness, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[level]
    count, height, width = x.shape[:3]
    mist = _plasma(count, max(height, width), decay, random)[:, :height, :width, np.newaxis]
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    return (x + thickness * mist) * brightest / (brightest + thickness)


def _plasma(
    count: int, side: int, decay: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Clouds by the diamond-square algorithm (Fournier, Fussell & Carpenter, 1982): float32
    `(count, side, side)`, from 0 to 1 in each. Each finer scale is calmer by the square of `decay`:
    the larger, the smoother."""
    size = max(2, 1 << (side - 1).bit_length())
    clouds = np.zeros((count, size, size), np.float32)
    step, unrest = size, 1.0

    def mean(*four: NDArray[np.float32]) -> NDArray[np.float32]:
        return sum(four) / 4 + unrest * random.uniform(-1, 1, four[0].shape).astype(np.float32)

    while step >= 2:
        half = step // 2
        corners = clouds[:, ::step, ::step]
        below, beside = np.roll(corners, -1, axis=1), np.roll(corners, -1, axis=2)
        centres = mean(corners, below, beside, np.roll(below, -1, axis=2))
        clouds[:, half::step, half::step] = centres
        clouds[:, ::step, half::step] = mean(corners, beside, centres, np.roll(centres, 1, axis=1))
        clouds[:, half::step, ::step] = mean(corners, below, centres, np.roll(centres, 1, axis=2))
        step, unrest = half, unrest / decay**2
    clouds = clouds[:, :side, :side]
    clouds -= clouds.min(axis=(1, 2), keepdims=True)
    return clouds / clouds.max(axis=(1, 2), keepdims=True).clip(1e-6)


def brightness(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Raise the value of hue, saturation and value, which scales all three channels alike."""
    more = np.float32((0.05, 0.1, 0.15, 0.2, 0.3)[level])
    value = x.max(axis=3, keepdims=True)
    raised = np.minimum(value + more, 1)
    return np.where(value > 0, x * (raised / value.clip(1e-6)), raised)
