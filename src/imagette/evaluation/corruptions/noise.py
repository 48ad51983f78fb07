"""Noise: each value by itself."""

import numpy as np

from imagette.evaluation.corruptions.pixels import Pixels


def gaussian_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    deviation = np.float32((0.04, 0.06, 0.08, 0.09, 0.10)[level])
    return x + deviation * random.standard_normal(x.shape, np.float32)


def shot_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    photons = (500, 250, 100, 75, 50)[level]
    return random.poisson(x * photons).astype(np.float32) / photons


def impulse_noise(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    share = (0.01, 0.02, 0.03, 0.05, 0.07)[level]
    drawn = random.random(x.shape, np.float32)
    return np.where(drawn < share, np.where(drawn < share / 2, np.float32(0), np.float32(1)), x)
