"""Digital: contrast, elastic deformation, coarse pixels and JPEG compression."""

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.evaluation.corruptions.pixels import Pixels, gather, gaussian_blur, to_uint8


def contrast(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    kept = np.float32((0.75, 0.5, 0.4, 0.3, 0.15)[level])
    means = x.mean(axis=(1, 2), keepdims=True)
    return (x - means) * kept + means


def elastic_transform(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
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
    down, right = (strength * side * gaussian_blur(wave, smoothness * side) for wave in waves)
    rows, columns = np.indices((height, width), np.float32)
    return _sample(x, rows + down, columns + right)


def _shear(x: Pixels, most: float, random: np.random.Generator) -> Pixels:
    """The affine map that moves three corners of the middle of each image by up to `most`."""
    count, height, width = x.shape[:3]
    third, middle = max(1, min(height, width) // 3), np.array([height // 2, width // 2])
    corners = middle + third * np.array([[1, 1], [1, -1], [-1, -1]])
    moved = corners + random.uniform(-most, most, (count, 3, 2))
    # (rows, columns, 1) of the result times this matrix are the places in the image.
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
    """Pixels between pixels, bilinearly, at places `(n, height, width)`; outside, the image is
    mirrored."""
    height, width = x.shape[1:3]
    rows, columns = _mirrored(rows, height), _mirrored(columns, width)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top)[..., np.newaxis], (columns - left)[..., np.newaxis]
    above = (1 - right) * gather(x, top, left) + right * gather(x, top, left + 1)
    below = (1 - right) * gather(x, top + 1, left) + right * gather(x, top + 1, left + 1)
    return (1 - down) * above + down * below


def _mirrored(places: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Places on a line of `size` pixels, folded back at its ends."""
    last = max(size - 1, 1)
    return (last - np.abs(np.abs(places) % (2 * last) - last)).clip(0, size - 1)


def pixelate(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    share = (0.95, 0.9, 0.85, 0.75, 0.65)[level]
    height, width = x.shape[1:3]
    small = max(1, int(width * share)), max(1, int(height * share))
    box = Image.Resampling.BOX
    return _each(x, lambda image: image.resize(small, box).resize((width, height), box))


def jpeg_compression(x: Pixels, level: int, random: np.random.Generator) -> Pixels:
    quality = (80, 65, 58, 50, 40)[level]

    def through_jpeg(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer)

    return _each(x, through_jpeg)


def _each(x: Pixels, change: Callable[[Image.Image], Image.Image]) -> Pixels:
    images = [np.asarray(change(Image.fromarray(image))) for image in to_uint8(x)]
    return np.stack(images).astype(np.float32) / 255
