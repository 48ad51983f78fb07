"""How pictures suffer: the 15 common corruptions, each at five severities.

Hendrycks & Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations*, ICLR 2019, section 3 and appendix B. Strengths are those of CIFAR-10-C, for pictures
of 32×32 pixels; in larger and smaller pictures, lengths (radii, shifts) grow and shrink with the
shorter side. Two things differ from the published files: random draws are our own, and frost is
drawn by a formula (`_frost_textures`), where the paper lays photographs of frost over the picture,
so that figures of frost compare only with our own.
"""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.images.batches import batches

Pixels = NDArray[np.floating]
"""float32 `(n, height, width, 3)`, 0–1; results may lie outside and are clipped by `corrupt`."""

SEVERITIES = (1, 2, 3, 4, 5)

_SIDE = 32
"""The strengths are for pictures of this side, in pixels."""

_PIXELS_AT_ONCE = 1_000_000
"""Portions of this size stay in a few dozen megabytes."""


def corrupt(
    images: NDArray[np.uint8], name: str, severity: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Corrupt pictures; the same arguments give the same pixels.

    Args:
        images: uint8 `(n, height, width, 3)`.
        name: one of `NAMES`.
        severity: 1 to 5.
        seed: what the random draws flow from.

    Returns:
        uint8 `(n, height, width, 3)`.
    """
    found = np.empty_like(images)
    for number, portion in enumerate(_portions(images)):
        random = np.random.default_rng([seed, NAMES.index(name), severity, number])
        pixels = images[portion].astype(np.float32) / 255
        found[portion] = _to_uint8(_CORRUPTIONS[name](pixels, severity - 1, random))
    return found


def _portions(images: NDArray[np.uint8]) -> Iterator[slice]:
    size = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    return batches(len(images), size)


def _to_uint8(pixels: NDArray) -> NDArray[np.uint8]:
    return np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)


# Noise ----------------------------------------------------------------------------------------


def _gaussian_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    deviation = np.float32((0.04, 0.06, 0.08, 0.09, 0.10)[level])
    return x + deviation * random.standard_normal(x.shape, np.float32)


def _shot_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    photons = (500, 250, 100, 75, 50)[level]
    return random.poisson(x * photons).astype(np.float32) / photons


def _impulse_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[level]
    drawn = random.random(x.shape, np.float32)
    return np.where(drawn < share, np.where(drawn < share / 2, np.float32(0), np.float32(1)), x)


# Blur -----------------------------------------------------------------------------------------


def _defocus_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    radius, softness = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[level]
    return _correlate(x, _disk(radius * _scale(x), softness))


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
    """Weighted sum of the neighbours; pictures are mirrored at their edges."""
    reach, (height, width) = len(kernel) // 2, x.shape[1:3]
    around = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    wide = np.pad(x, around, "reflect" if min(height, width) > 1 else "edge")
    total = np.zeros_like(x)
    for (row, column), weight in np.ndenumerate(kernel):
        if weight > 1e-6:
            total += weight * wide[:, row : row + height, column : column + width]
    return total


def _glass_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Each pixel takes the place of one near it, between two light blurs.

    The paper's program means to swap neighbours; what CIFAR-10-C holds is that each pixel is
    overwritten by a neighbour above or to the left, which comes to the same look.
    """
    sigma, times = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[level]
    reach = max(1, round(_scale(x)))
    count, height, width = x.shape[:3]
    x = _soften(x, sigma * _scale(x))
    for _ in range(times):
        down, right = random.integers(-reach, reach, (2, count, height, width))
        x = _take(x, np.arange(height)[:, np.newaxis] + down, np.arange(width) + right)
    return _soften(x, sigma * _scale(x))


def _soften(x: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """A Gaussian blur of `(n, height, width, …)` in height and width."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, sigma, mode="nearest", axes=(1, 2))


def _take(
    x: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Pixels `x[i, rows[i], columns[i]]`; outside the picture its edge goes on.

    Args:
        x: `(n, height, width, …)`.
        rows: whole numbers that broadcast to `(n, height, width)`.
        columns: the same.
    """
    count, height, width = x.shape[:3]
    pictures = np.arange(count)[:, np.newaxis, np.newaxis]
    return x[pictures, rows.clip(0, height - 1), columns.clip(0, width - 1)]


def _motion_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    radius, sigma = ((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5))[level]
    angles = np.deg2rad(random.uniform(-45, 45, len(x)))
    return _drag(x, radius * _scale(x), sigma * _scale(x), angles)


def _drag(
    x: NDArray[np.float32], radius: float, sigma: float, angles: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Blur each picture along a line that starts at the pixel and fades as half a Gaussian.

    Args:
        x: `(n, height, width, …)`.
        radius: half the length of the line, in pixels.
        sigma: of the Gaussian, in pixels.
        angles: direction for each picture, in radians.
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
            total += weight * _take(x, rows, columns)
    return total


def _zoom_blur(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    farthest = (1.06, 1.11, 1.16, 1.21, 1.26)[level]
    return _zoom(x, [1, *np.arange(1, farthest, 0.01)])


def _zoom(x: NDArray[np.float32], factors: Sequence[float]) -> NDArray[np.float32]:
    """The mean of enlargements around the middle, as one sparse matrix on all pixels.

    Args:
        x: `(n, height, width, …)`.
        factors: how often the middle of the picture is enlarged, each at least 1.
    """
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


# Weather --------------------------------------------------------------------------------------


def _snow(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    mean, deviation, zoom, least, radius, sigma, kept = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[level]
    flakes = _zoom(random.normal(mean, deviation, x.shape[:3]).astype(np.float32), [zoom])
    flakes = np.where(flakes < least, 0, flakes.clip(0, 1))
    angles = np.deg2rad(random.uniform(-135, -45, len(x)))
    flakes = _drag(flakes, radius * _scale(x), sigma * _scale(x), angles)[..., np.newaxis]
    grey = (x @ np.array([0.299, 0.587, 0.114], np.float32))[..., np.newaxis]
    # Snow light: the world turns paler, its dark parts most.
    x = kept * x + (1 - kept) * np.maximum(x, 1.5 * grey + 0.5)
    return x + flakes + np.rot90(flakes, 2, axes=(1, 2))


def _frost(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
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
    random, drawn = np.random.default_rng(0), 4 * _SIDE
    ice = np.zeros((6, drawn, drawn), np.float32)
    haze = _plasma(*ice.shape[:2], 1.3, random)
    for share, length in ((0.004, drawn / 5), (0.012, drawn / 12), (0.03, drawn / 30)):
        for _ in range(6):
            seeds = (random.random(ice.shape) < share).astype(np.float32)
            needles = _drag(seeds, length, length / 2, random.uniform(0, 2 * np.pi, len(ice)))
            ice += needles / needles.max()
    ice = np.sqrt(ice / ice.max(axis=(1, 2), keepdims=True))
    pane = 0.55 * haze + 0.75 * ice
    pane *= 0.55 / pane.mean(axis=(1, 2), keepdims=True)
    if side != drawn:
        panes = [Image.fromarray(one).resize((side, side)) for one in pane]
        pane = np.stack([np.asarray(one) for one in panes])
    return (pane[..., np.newaxis] * np.array([0.92, 1.0, 1.08], np.float32)).clip(0, 1)


def _fog(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    thickness, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[level]
    count, height, width = x.shape[:3]
    mist = _plasma(count, max(height, width), decay, random)[:, :height, :width, np.newaxis]
    brightest = x.max(axis=(1, 2, 3), keepdims=True)
    return (x + thickness * mist) * brightest / (brightest + thickness)


def _plasma(
    count: int, side: int, decay: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Clouds by the diamond-square algorithm (Fournier, Fussell & Carpenter, 1982).

    Args:
        count: how many.
        side: their height and width, in pixels.
        decay: each finer scale is calmer by its square; the larger, the smoother.
        random: where the draws come from.

    Returns:
        float32 `(count, side, side)`, from 0 to 1 in each.
    """
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


def _brightness(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Raise the value of hue, saturation and value, which scales all three channels alike."""
    more = np.float32((0.05, 0.1, 0.15, 0.2, 0.3)[level])
    value = x.max(axis=3, keepdims=True)
    raised = np.minimum(value + more, 1)
    return np.where(value > 0, x * (raised / value.clip(1e-6)), raised)


# Digital --------------------------------------------------------------------------------------


def _contrast(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    kept = np.float32((0.75, 0.5, 0.4, 0.3, 0.15)[level])
    means = x.mean(axis=(1, 2), keepdims=True)
    return (x - means) * kept + means


def _elastic_transform(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    """Turn and shear a little, then let every pixel waver."""
    strength, smoothness, shift = (
        (0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05), (0.1, 0.03, 0.03),
    )[level]  # fmt: skip
    count, height, width = x.shape[:3]
    side = min(height, width)
    x = _shear(x, shift * side, random)
    if not strength:
        return x
    waves = random.uniform(-1, 1, (2, count, height, width)).astype(np.float32)
    down, right = (strength * side * _soften(wave, smoothness * side) for wave in waves)
    rows, columns = np.indices((height, width), np.float32)
    return _sample(x, rows + down, columns + right)


def _shear(x: Pixels, most: float, random: np.random.Generator) -> Pixels:
    """The affine map that moves three corners of the middle of each picture by up to `most`."""
    count, height, width = x.shape[:3]
    third, middle = max(1, min(height, width) // 3), np.array([height // 2, width // 2])
    corners = middle + third * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = corners + random.uniform(-most, most, (count, 3, 2))
    # (rows, columns, 1) of the result times this matrix are the places in the picture.
    homogeneous = np.concatenate([moved, np.ones((count, 3, 1))], axis=2)
    back = np.linalg.solve(homogeneous, np.broadcast_to(corners.astype(float), moved.shape))
    back = back.astype(np.float32)
    row, column = np.indices((height, width), np.float32)
    rows, columns = (
        back[:, 0, axis, None, None] * row
        + back[:, 1, axis, None, None] * column
        + back[:, 2, axis, None, None]
        for axis in (0, 1)
    )
    return _sample(x, rows, columns)


def _sample(x: Pixels, rows: NDArray[np.float32], columns: NDArray[np.float32]) -> Pixels:
    """Pixels between pixels, bilinearly; outside, the picture is mirrored.

    Args:
        x: `(n, height, width, 3)`.
        rows: places `(n, height, width)`.
        columns: the same.
    """
    height, width = x.shape[1:3]
    rows, columns = _mirrored(rows, height), _mirrored(columns, width)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    above = (1 - right) * _take(x, top, left) + right * _take(x, top, left + 1)
    below = (1 - right) * _take(x, top + 1, left) + right * _take(x, top + 1, left + 1)
    return (1 - down) * above + down * below


def _mirrored(places: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Places on a line of `size` pixels, folded back at its ends."""
    last = max(size - 1, 1)
    return (last - np.abs(np.abs(places) % (2 * last) - last)).clip(0, size - 1)


def _pixelate(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level]
    height, width = x.shape[1:3]
    small = max(1, int(width * share)), max(1, int(height * share))
    box = Image.Resampling.BOX
    return _each(x, lambda image: image.resize(small, box).resize((width, height), box))


def _jpeg_compression(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    quality = (80, 65, 58, 50, 40)[level]

    def through_jpeg(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return _each(x, through_jpeg)


def _each(x: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    images = [np.asarray(change(Image.fromarray(image))) for image in _to_uint8(x)]
    return np.stack(images).astype(np.float32) / 255


def _scale(x: Pixels) -> float:
    """How many times as large the pictures are as those the strengths are for."""
    return min(x.shape[1:3]) / _SIDE


_CORRUPTIONS: dict[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "defocus_blur": _defocus_blur,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic_transform": _elastic_transform,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}

NAMES = tuple(_CORRUPTIONS)
"""The corruptions, in the paper's order: noise, blur, weather, digital."""
