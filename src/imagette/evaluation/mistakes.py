"""The mistakes a report shows: each picture as it came, and what spoke for the wrong answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.data.dataset import Split
from imagette.data.originals import Original, Originals
from imagette.images.views import ViewName, cut_views
from imagette.inference.explain import overlay, spread
from imagette.reports.html import PHOTOGRAPH_SIDE, file_url, pixels_url

MOST_MISTAKES = 24
MOST_LARGE_MISTAKES = 8
"""Of photographs, each of which takes the network a tenth of a second to explain."""
MOST_PIXELS = 400
"""Of the longer side of a picture shown."""


def most_confident_mistakes(
    examples: Split,
    probabilities: NDArray[np.float32],
    heat_maps: Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]],
    view: ViewName,
    originals: Originals,
    folder: Path,
) -> list[dict[str, Any]]:
    """The images whose wrong answer the model was surest of, the surest first.

    Args:
        examples: the images measured on, as the network saw them.
        probabilities: float32 `(n, classes)`, what the model answered.
        heat_maps: tells what speaks for a class in images, see `Classifier.heat_maps`.
        view: what of each image the network saw.
        originals: finds the images as they came.
        folder: of the page, for links to their files.

    Returns:
        For each its `position` among the images and its `path` (None where it comes from no file),
        `link` to its file (None where there is none), positions of its `true` class and the
        `predicted` one with its `confidence`, and data URLs: `image`, as it came, and `heat`, the
        same under a map of what spoke for the wrong class; `small` where its pixels are few.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != examples.labels)
    most = MOST_LARGE_MISTAKES if examples.images.shape[1] >= PHOTOGRAPH_SIDE else MOST_MISTAKES
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    if not len(surest):
        return []
    images = examples.images[surest]
    heats = heat_maps(images, predicted[surest])
    mistakes = []
    for position, image, heat in zip(surest, images, heats, strict=True):
        path = examples.paths[position] if examples.paths is not None else None
        original = originals.find(path, image, MOST_PIXELS)
        mistakes.append(
            {
                "image": pixels_url(original.pixels),
                "heat": pixels_url(_under_heat(original, heat, view)),
                "small": max(original.pixels.shape) < PHOTOGRAPH_SIDE,
                "position": int(position),
                "path": path,
                "link": file_url(original.file, folder) if original.file else None,
                "true": int(examples.labels[position]),
                "predicted": int(predicted[position]),
                "confidence": float(confidence[position]),
            }
        )
    return mistakes


def _under_heat(original: Original, heat: NDArray[np.float32], view: ViewName) -> NDArray[np.uint8]:
    """A picture under the heat map of what a network saw of it."""
    image = Image.fromarray(original.pixels)
    height, width = heat.shape
    seen = cut_views(image, height, width, view)[0]
    return np.asarray(overlay(image, spread(heat, seen.box, seen.aspect)))
