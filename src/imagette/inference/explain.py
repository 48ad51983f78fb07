"""Why: where in a picture lies what its answer rests on.

A part of the picture is covered, and the network asked again: where that takes most confidence
away, it had looked (occlusion sensitivity; Zeiler & Fergus, *Visualizing and Understanding
Convolutional Networks*, 2014, section 4.2). That needs nothing but answers, so any bundle can be
explained, and what the map claims is what was seen to happen.
"""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

GRID = 4
"""Windows across and down: each costs an answer."""
WINDOW = 3 / 8
"""Side of a window, as a share of the picture's."""
LONGER_SIDE = 64
"""Of the heat map of a whole picture, in pixels."""

_SMALLEST_PROBABILITY = 1e-6
# From what mattered little to what mattered most: dark violet, red, yellow.
_COLOURS = np.array([[68, 1, 84], [190, 30, 70], [250, 120, 30], [255, 235, 80]], np.float64)


Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From uint8 `(n, height, width, 3)` to probabilities, float32 `(n, classes)`."""


def heat_maps(
    answer: Answer, images: NDArray[np.uint8], indices: NDArray[np.integer]
) -> NDArray[np.float32]:
    """How much each part of each picture speaks for a class.

    Args:
        answer: of the network.
        images: uint8 `(n, height, width, 3)`.
        indices: `(n,)`, for each picture the class to explain.

    Returns:
        float32 `(n, height, width)` in 0–1: 1 where covering takes most from the class, 0 where it
        takes nothing, and 0 everywhere if it takes nothing anywhere.
    """
    return np.stack([_heat_map(answer, *each) for each in zip(images, indices, strict=True)])


def spread(
    heat: NDArray[np.float32], box: tuple[float, float, float, float], aspect: float
) -> NDArray[np.float32]:
    """The heat map of a part of a picture as one of the whole: 0 around that part.

    Args:
        heat: `(height, width)` in 0–1.
        box: left, top, right and bottom of the part, as shares of the picture's width and height.
        aspect: the picture's width by its height.

    Returns:
        float32 `(rows, columns)` in 0–1, of the picture's proportions, 64 the longer side.
    """
    columns, rows = (max(1, round(LONGER_SIDE * min(1.0, share))) for share in (aspect, 1 / aspect))
    left, right = (round(share * columns) for share in (box[0], box[2]))
    top, bottom = (round(share * rows) for share in (box[1], box[3]))
    size = max(1, right - left), max(1, bottom - top)
    whole = np.zeros((rows, columns), np.float32)
    part = Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR)
    whole[top : top + size[1], left : left + size[0]] = np.asarray(part)
    return whole


def heat_png(heat: NDArray[np.float32]) -> bytes:
    """A heat map as a picture to lay over another: coloured, and clear where little mattered.

    Args:
        heat: `(rows, columns)` in 0–1.

    Returns:
        A PNG file of that size, with an alpha channel.
    """
    file = io.BytesIO()
    _coloured(heat).save(file, format="PNG")
    return file.getvalue()


def overlay(image: Image.Image, heat: NDArray[np.float32], opacity: float = 0.7) -> Image.Image:
    """A picture with a heat map laid over it.

    Args:
        image: RGB.
        heat: `(rows, columns)` in 0–1, for the whole picture.
        opacity: of the map, 0–1.
    """
    colours = _coloured(heat).resize(image.size, Image.Resampling.BICUBIC)
    mask = colours.getchannel("A").point(lambda value: round(value * opacity))
    return Image.composite(colours.convert("RGB"), image.convert("RGB"), mask)


def _coloured(heat: NDArray[np.float32]) -> Image.Image:
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(heat, stops, colours) for colours in _COLOURS.T]
    alpha = 230 * np.clip(heat, 0, 1) ** 0.7
    return Image.fromarray(np.stack([*channels, alpha], axis=2).round().astype(np.uint8))


def _heat_map(answer: Answer, image: NDArray[np.uint8], index: int) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    windows = [(rows, columns) for rows in _windows(height) for columns in _windows(width)]
    covered = np.repeat(image[np.newaxis], len(windows) + 1, axis=0)
    mean = image.mean(axis=(0, 1)).round().astype(np.uint8)
    for one, window in zip(covered, windows, strict=False):  # the last stays as it is
        one[window] = mean
    probabilities = answer(covered)[:, index].clip(_SMALLEST_PROBABILITY, 1 - 1e-6)
    # In log-odds, 99.9 % and 99 % are as far apart as 50 % and 9 %.
    odds = np.log(probabilities / (1 - probabilities))
    lost = odds[-1] - odds[:-1]
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for window, loss in zip(windows, lost, strict=True):
        total[window] += loss
        times[window] += 1
    return _smooth(total / times)


def _windows(size: int) -> list[slice]:
    """Windows over a side, evenly, the outer ones cut off so that no middle counts more."""
    half = max(0.5, size * WINDOW / 2)
    centres = (np.arange(GRID) + 0.5) * size / GRID
    return [slice(max(0, round(at - half)), min(size, round(at + half))) for at in centres]


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Without the windows' edges, and scaled to 0–1."""
    side = max(1, round(min(values.shape) / GRID / 2))
    heat = np.pad(values, side, mode="edge")
    box = np.full(side + 1, 1 / (side + 1))
    for axis in (0, 1):
        heat = np.apply_along_axis(np.convolve, axis, heat, np.convolve(box, box), mode="valid")
    heat = np.maximum(heat, 0)
    return (heat / max(heat.max(), 1e-9)).astype(np.float32)
