"""How images are corrupted: the 15 common corruptions, each at five severities.

Hendrycks & Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations*, ICLR 2019, section 3 and appendix B. Strengths are those of CIFAR-10-C, for images
of 32×32 pixels; in larger and smaller images, lengths (radii, shifts) grow and shrink with the
shorter side. Two things differ from the published files: random draws are our own, and frost is
drawn by a formula (`weather.frost`), where the paper lays photographs of frost over the image, so
that figures of frost compare only with our own.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from imagette.evaluation.corruptions import blur, digital, noise, weather
from imagette.evaluation.corruptions.pixels import Pixels, to_uint8
from imagette.images.batches import batches

SEVERITIES = (1, 2, 3, 4, 5)

_PIXELS_AT_ONCE = 1_000_000
"""Batches of this size stay in a few dozen megabytes."""

_CORRUPTIONS: dict[str, Callable[[Pixels, int, np.random.Generator], Pixels]] = {
    function.__name__: function
    for function in (
        noise.gaussian_noise, noise.shot_noise, noise.impulse_noise,
        blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur,
        weather.snow, weather.frost, weather.fog, weather.brightness,
        digital.contrast, digital.elastic_transform, digital.pixelate, digital.jpeg_compression,
    )
}  # fmt: skip
"""By name; each takes pixels, its level (the severity less 1) and where random draws come from."""

NAMES = tuple(_CORRUPTIONS)
"""The corruptions, in the paper's order: noise, blur, weather, digital."""


def corrupt(
    images: NDArray[np.uint8], name: str, severity: int, seed: int = 0
) -> NDArray[np.uint8]:
    """Corrupt images; the same arguments give the same pixels.

    Args:
        images: uint8 `(n, height, width, 3)`.
        name: one of `NAMES`.
        severity: 1 to 5.
        seed: what the random draws flow from.

    Returns:
        uint8 `(n, height, width, 3)`.
    """
    found = np.empty_like(images)
    size = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    for number, batch in enumerate(batches(len(images), size)):
        random = np.random.default_rng([seed, NAMES.index(name), severity, number])
        pixels = images[batch].astype(np.float32) / 255
        found[batch] = to_uint8(_CORRUPTIONS[name](pixels, severity - 1, random))
    return found
