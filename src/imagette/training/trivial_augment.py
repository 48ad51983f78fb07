"""TrivialAugment: each image changed by one operation, of random kind and strength.

Müller & Hutter, *TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation*, 2021, section
3. Each operation computes what Pillow's ImageOps, ImageEnhance or Image.transform does, to a level
or so; it takes uint8 images `(n, height, width, 3)` and float32 strengths `(n, 1, 1, 1)`.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

GREY = 128
"""What covers what is not shown."""


def trivial_augment(images: Tensor) -> Tensor:
    """Change each of the images `(batch, height, width, 3)` by one of `OPERATIONS`."""
    # Which images an operation gets is shuffled on their device. How many it gets is drawn on
    # the CPU, so that nothing waits for a GPU to know the sizes.
    drawn = torch.randint(len(OPERATIONS), (len(images),))
    sizes = drawn.bincount(minlength=len(OPERATIONS)).tolist()
    order = torch.randperm(len(images), device=images.device)
    changed = torch.empty_like(images)
    for (change, low, high), which in zip(OPERATIONS.values(), order.split(sizes), strict=True):
        if len(which):
            strengths = torch.rand(len(which), 1, 1, 1, device=images.device).mul(high - low)
            changed[which] = change(images[which], strengths + low)
    return changed


def _stretch_contrast(images: Tensor, _: Tensor) -> Tensor:
    """The darkest value of each channel becomes 0, the brightest 255."""
    low = images.amin((1, 2), keepdim=True).float()
    high = images.amax((1, 2), keepdim=True).float()
    # A channel of a single value stays as it is.
    low, scale = torch.where(high > low, low, 0), torch.where(high > low, 255 / (high - low), 1)
    return to_levels((images - low) * scale)


def _equalize(images: Tensor, _: Tensor) -> Tensor:
    """Each channel's values spread so that all are about equally frequent."""
    values = images.flatten(1, 2).transpose(1, 2).long()  # (n, channels, pixels)
    counts = values.new_zeros(*values.shape[:2], 256)
    counts.scatter_add_(2, values, torch.ones_like(values))
    brightest = counts.gather(2, values.amax(2, keepdim=True))
    # Pixels a level of the result, as Pillow counts them; with less than one, nothing changes.
    step = (values.shape[2] - brightest) // 255
    darker = counts.cumsum(2) - counts
    spread = ((darker + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, spread, torch.arange(256, device=images.device))
    return table.gather(2, values).transpose(1, 2).reshape(images.shape).to(torch.uint8)


def _change_contrast(images: Tensor, factors: Tensor) -> Tensor:
    mean = _luminance(images).mean((1, 2), keepdim=True).round()
    return to_levels(torch.lerp(mean, images.float(), factors))


def _change_colour(images: Tensor, factors: Tensor) -> Tensor:
    return to_levels(torch.lerp(_luminance(images), images.float(), factors))


def _sharpen(images: Tensor, factors: Tensor) -> Tensor:
    """Away from each pixel's mean with its neighbours, in which it counts five times."""
    exact = images.float()
    mean = functional.avg_pool2d(exact.permute(0, 3, 1, 2), 3, 1, padding=1).permute(0, 2, 3, 1)
    smooth = exact.clone()  # the edges, which lack neighbours, stay
    smooth[:, 1:-1, 1:-1] = ((mean * 9 + exact * 4) / 13).round()[:, 1:-1, 1:-1]
    return to_levels(torch.lerp(smooth, exact, factors))


def _posterize(images: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of each value."""
    return images & (256 - 2 ** (8 - bits.round())).to(torch.uint8)


def _solarize(images: Tensor, thresholds: Tensor) -> Tensor:
    """Values from the threshold up become their negative."""
    return torch.where(images < thresholds, images, 255 - images)


def _rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """About the centre, counter-clockwise."""
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    x, y = images.shape[2] / 2, images.shape[1] / 2
    return _sample(images, [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y])


def _translate_x(images: Tensor, shares: Tensor) -> Tensor:
    return _sample(images, [1, 0, (shares * images.shape[2]).round(), 0, 1, 0])


def _translate_y(images: Tensor, shares: Tensor) -> Tensor:
    return _sample(images, [1, 0, 0, 0, 1, (shares * images.shape[1]).round()])


def _sample(images: Tensor, affine: list[Tensor | float]) -> Tensor:
    """Each pixel from the one nearest to where an affine function of its place points.

    Args:
        images: uint8 `(n, height, width, channels)`.
        affine: the numbers a to f of Pillow's `Image.transform`, each `(n, 1, 1, 1)` or the same
            for all: the pixel at (x, y) comes from (a x + b y + c, d x + e y + f).
    """
    height, width = images.shape[1:3]
    a, b, c, d, e, f = affine
    y = torch.arange(height, device=images.device).add(0.5).view(1, -1, 1, 1)
    x = torch.arange(width, device=images.device).add(0.5).view(1, 1, -1, 1)
    # PyTorch has -1 and 1 at the image's edges.
    columns, rows = (a * x + b * y + c) * (2 / width) - 1, (d * x + e * y + f) * (2 / height) - 1
    places = torch.cat(torch.broadcast_tensors(columns, rows), 3)
    # It fills with zeros, so that these must mean grey.
    values = images.permute(0, 3, 1, 2).float() - GREY
    found = functional.grid_sample(values, places, "nearest", align_corners=False)
    return (found + GREY).permute(0, 2, 3, 1).to(torch.uint8)


def _luminance(images: Tensor) -> Tensor:
    """Whole numbers, float32 `(n, height, width, 1)`, by the weights of ITU-R BT.601."""
    red, green, blue = images.float().split(1, 3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).round()


def to_levels(values: Tensor) -> Tensor:
    """Values as uint8: held to 0–255, and what is behind the point cut off."""
    return values.clamp(0, 255).to(torch.uint8)


OPERATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "identity": (lambda images, _: images, 0, 0),
    "autocontrast": (_stretch_contrast, 0, 0),
    "equalize": (_equalize, 0, 0),
    "brightness": (lambda images, factors: to_levels(images * factors), 0.01, 2),
    "contrast": (_change_contrast, 0.01, 2),
    "colour": (_change_colour, 0.01, 2),
    "sharpness": (_sharpen, 0.01, 2),
    "posterize": (_posterize, 2, 8),
    "solarize": (_solarize, 0, 256),
    "rotate": (_rotate, -135, 135),
    "shear-x": (lambda images, slopes: _sample(images, [1, slopes, 0, 0, 1, 0]), -0.99, 0.99),
    "shear-y": (lambda images, slopes: _sample(images, [1, 0, 0, slopes, 1, 0]), -0.99, 0.99),
    "translate-x": (_translate_x, -0.45, 0.45),
    "translate-y": (_translate_y, -0.45, 0.45),
}
"""By name: what changes images, and between which strengths.

Ranges are those of TrivialAugment's wide space, but for translations: its 32 pixels would leave
nothing of a small image, so they are AutoAugment's 150 of 331 pixels, as shares of the side.
"""
