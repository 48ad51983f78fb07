"""Pictures changed a little each time they are learned: functions of a whole batch.

Pictures are uint8 `(batch, height, width, channels)` unless a function says otherwise. Random
numbers come from PyTorch's global generators: those for each picture from that of its device,
those for a whole batch from the CPU's, so that nothing waits for a GPU.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

GREY = 128
"""What covers what is not shown."""


def flip(pictures: Tensor, which: Tensor) -> Tensor:
    """Mirror the pictures that `which`, bool `(batch,)`, marks, left to right."""
    return torch.where(which[:, None, None, None], pictures.flip(2), pictures)


def pad(pictures: Tensor, margin: int) -> Tensor:
    """Surround pictures by their own reflection, ready for `translate`."""
    height, width = pictures.shape[1:3]
    rows = _reflect(torch.arange(-margin, height + margin), height).to(pictures.device)
    columns = _reflect(torch.arange(-margin, width + margin), width).to(pictures.device)
    return pictures[:, rows][:, :, columns]


def translate(pictures: Tensor, margin: int) -> Tensor:
    """Shift each picture by up to `margin` pixels either way; its reflection fills the gap."""
    padded, (count, height, width) = pad(pictures, margin), pictures.shape[:3]
    down, right = torch.randint(0, 2 * margin + 1, (2, count), device=pictures.device)
    # All windows are views of the same memory; only the chosen ones are copied.
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)
    return windows[torch.arange(count), down, right].permute(0, 2, 3, 1)


def cutout(pictures: Tensor, side: int) -> Tensor:
    """Cover a square of `side` pixels in each picture with grey.

    Its centre may be anywhere, so that a part of the square can lie outside (DeVries & Taylor,
    *Improved Regularization of Convolutional Neural Networks with Cutout*, 2017).
    """
    (count, tall, wide), device = pictures.shape[:3], pictures.device
    top = torch.randint(0, tall, (count, 1), device=device) - side // 2
    left = torch.randint(0, wide, (count, 1), device=device) - side // 2
    rows, columns = torch.arange(tall, device=device), torch.arange(wide, device=device)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    covered = in_rows[:, :, None] & in_columns[:, None, :]
    return pictures.masked_fill(covered[..., None], GREY)


def mixup(pictures: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Blend each picture with another of the batch (Zhang et al., *mixup*, 2018).

    Args:
        pictures: of any type; the blend is float32.
        targets: class probabilities, float32 `(batch, classes)`, blended alike.
        alpha: the share is drawn from Beta(alpha, alpha), once a batch.
    """
    share, other = _share(alpha), _partners(pictures)
    blend = torch.lerp(pictures[other].float(), pictures.float(), share)
    return blend, torch.lerp(targets[other], targets, share)


def cutmix(pictures: Tensor, targets: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Put a rectangle of another picture of the batch into each (Yun et al., *CutMix*, 2019).

    Args:
        pictures: of any type.
        targets: class probabilities, float32 `(batch, classes)`, blended by area.
        alpha: the share that stays is drawn from Beta(alpha, alpha), once a batch.
    """
    tall, wide = pictures.shape[1:3]
    side, other = (1 - _share(alpha)) ** 0.5, _partners(pictures)
    y, x = (int(torch.randint(0, size, ())) for size in (tall, wide))
    half_tall, half_wide = round(side * tall / 2), round(side * wide / 2)
    rows = slice(max(y - half_tall, 0), y + half_tall)
    columns = slice(max(x - half_wide, 0), x + half_wide)
    mixed = pictures.clone()
    mixed[:, rows, columns] = pictures[other][:, rows, columns]
    taken = len(range(tall)[rows]) * len(range(wide)[columns]) / (tall * wide)
    return mixed, torch.lerp(targets, targets[other], taken)


def shrink(pictures: Tensor, side: int) -> Tensor:
    """Pictures of `side` by `side` pixels, smoothed before they shrink.

    Returns:
        uint8 for uint8 on a CPU, which is quickest there, float32 otherwise.
    """
    first = pictures.permute(0, 3, 1, 2)
    if first.dtype != torch.uint8 or first.device.type != "cpu":
        first = first.float()
    small = functional.interpolate(first, size=(side, side), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1)


def apply_random_operations(pictures: Tensor, count: int) -> Tensor:
    """Change each picture by `count` operations in turn, each drawn at random, like its strength.

    One operation is TrivialAugment (Müller & Hutter, *TrivialAugment: Tuning-free Yet
    State-of-the-Art Data Augmentation*, 2021, section 3), more are like RandAugment (Cubuk et al.,
    *RandAugment: Practical automated data augmentation with a reduced search space*, 2020), with
    strengths that are drawn too. `OPERATIONS` lists what is drawn from.

    Args:
        pictures: `(batch, height, width, 3)`.
        count: 0 or more.
    """
    for _ in range(count):
        pictures = _apply_one_each(pictures)
    return pictures


def _apply_one_each(pictures: Tensor) -> Tensor:
    # Which pictures an operation gets is shuffled on their device. How many it gets is drawn on
    # the CPU, so that nothing waits for a GPU to know the sizes.
    drawn = torch.randint(len(OPERATIONS), (len(pictures),))
    sizes = drawn.bincount(minlength=len(OPERATIONS)).tolist()
    order = torch.randperm(len(pictures), device=pictures.device)
    changed = torch.empty_like(pictures)
    for (change, low, high), which in zip(OPERATIONS.values(), order.split(sizes), strict=True):
        if len(which):
            strengths = torch.rand(len(which), 1, 1, 1, device=pictures.device).mul(high - low)
            changed[which] = change(pictures[which], strengths + low)
    return changed


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions beyond either end, mirrored at the outermost pixel until they are inside."""
    if size == 1:
        return torch.zeros_like(positions)
    positions = positions % (2 * size - 2)
    return torch.minimum(positions, 2 * size - 2 - positions)


def _share(alpha: float) -> float:
    return float(torch.distributions.Beta(alpha, alpha).sample())


def _partners(pictures: Tensor) -> Tensor:
    return torch.randperm(len(pictures), device=pictures.device)


# --- operations: uint8 pictures `(n, height, width, 3)`, float32 strengths `(n, 1, 1, 1)` --------
# Each computes what Pillow's ImageOps, ImageEnhance or Image.transform does, to a level or so.


def _leave(pictures: Tensor, _: Tensor) -> Tensor:
    return pictures


def _stretch_contrast(pictures: Tensor, _: Tensor) -> Tensor:
    """The darkest value of each channel becomes 0, the brightest 255."""
    low = pictures.amin((1, 2), keepdim=True).float()
    high = pictures.amax((1, 2), keepdim=True).float()
    # A channel of a single value stays as it is.
    low, scale = torch.where(high > low, low, 0), torch.where(high > low, 255 / (high - low), 1)
    return _levels((pictures - low) * scale)


def _equalize(pictures: Tensor, _: Tensor) -> Tensor:
    """Each channel's values spread so that all are about equally frequent."""
    values = pictures.flatten(1, 2).transpose(1, 2).long()  # (n, channels, pixels)
    counts = values.new_zeros(*values.shape[:2], 256)
    counts.scatter_add_(2, values, torch.ones_like(values))
    brightest = counts.gather(2, values.amax(2, keepdim=True))
    # Pixels a level of the result, as Pillow counts them; with less than one, nothing changes.
    step = (values.shape[2] - brightest) // 255
    darker = counts.cumsum(2) - counts
    spread = ((darker + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, spread, torch.arange(256, device=pictures.device))
    return table.gather(2, values).transpose(1, 2).reshape(pictures.shape).to(torch.uint8)


def _brighten(pictures: Tensor, factors: Tensor) -> Tensor:
    return _levels(pictures * factors)


def _change_contrast(pictures: Tensor, factors: Tensor) -> Tensor:
    mean = _luminance(pictures).mean((1, 2), keepdim=True).round()
    return _levels(torch.lerp(mean, pictures.float(), factors))


def _change_colour(pictures: Tensor, factors: Tensor) -> Tensor:
    return _levels(torch.lerp(_luminance(pictures), pictures.float(), factors))


def _sharpen(pictures: Tensor, factors: Tensor) -> Tensor:
    """Away from each pixel's mean with its neighbours, in which it counts five times."""
    exact = pictures.float()
    mean = functional.avg_pool2d(exact.permute(0, 3, 1, 2), 3, 1, padding=1).permute(0, 2, 3, 1)
    smooth = exact.clone()  # the edges, which lack neighbours, stay
    smooth[:, 1:-1, 1:-1] = ((mean * 9 + exact * 4) / 13).round()[:, 1:-1, 1:-1]
    return _levels(torch.lerp(smooth, exact, factors))


def _posterize(pictures: Tensor, bits: Tensor) -> Tensor:
    """Keep the highest bits of each value."""
    return pictures & (256 - 2 ** (8 - bits.round())).to(torch.uint8)


def _solarize(pictures: Tensor, thresholds: Tensor) -> Tensor:
    """Values from the threshold up become their negative."""
    return torch.where(pictures < thresholds, pictures, 255 - pictures)


def _rotate(pictures: Tensor, degrees: Tensor) -> Tensor:
    """About the centre, counter-clockwise."""
    angle = degrees * (math.pi / 180)
    cos, sin = angle.cos(), angle.sin()
    x, y = pictures.shape[2] / 2, pictures.shape[1] / 2
    return _sample(pictures, [cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y])


def _shear_x(pictures: Tensor, slopes: Tensor) -> Tensor:
    return _sample(pictures, [1, slopes, 0, 0, 1, 0])


def _shear_y(pictures: Tensor, slopes: Tensor) -> Tensor:
    return _sample(pictures, [1, 0, 0, slopes, 1, 0])


def _translate_x(pictures: Tensor, shares: Tensor) -> Tensor:
    return _sample(pictures, [1, 0, (shares * pictures.shape[2]).round(), 0, 1, 0])


def _translate_y(pictures: Tensor, shares: Tensor) -> Tensor:
    return _sample(pictures, [1, 0, 0, 0, 1, (shares * pictures.shape[1]).round()])


def _sample(pictures: Tensor, affine: list[Tensor | float]) -> Tensor:
    """Each pixel from the one nearest to where an affine function of its place points.

    Args:
        pictures: uint8 `(n, height, width, channels)`.
        affine: the numbers a to f of Pillow's `Image.transform`, each `(n, 1, 1, 1)` or the same
            for all: the pixel at (x, y) comes from (a x + b y + c, d x + e y + f).
    """
    height, width = pictures.shape[1:3]
    a, b, c, d, e, f = affine
    y = torch.arange(height, device=pictures.device).add(0.5).view(1, -1, 1, 1)
    x = torch.arange(width, device=pictures.device).add(0.5).view(1, 1, -1, 1)
    # PyTorch has -1 and 1 at the picture's edges.
    columns, rows = (a * x + b * y + c) * (2 / width) - 1, (d * x + e * y + f) * (2 / height) - 1
    places = torch.cat(torch.broadcast_tensors(columns, rows), 3)
    # It fills with zeros, so that these must mean grey.
    values = pictures.permute(0, 3, 1, 2).float() - GREY
    found = functional.grid_sample(values, places, "nearest", align_corners=False)
    return (found + GREY).permute(0, 2, 3, 1).to(torch.uint8)


def _luminance(pictures: Tensor) -> Tensor:
    """Whole numbers, float32 `(n, height, width, 1)`, by the weights of ITU-R BT.601."""
    red, green, blue = pictures.float().split(1, 3)
    return (0.299 * red + 0.587 * green + 0.114 * blue).round()


def _levels(values: Tensor) -> Tensor:
    return values.clamp(0, 255).to(torch.uint8)


OPERATIONS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], float, float]] = {
    "identity": (_leave, 0, 0),
    "autocontrast": (_stretch_contrast, 0, 0),
    "equalize": (_equalize, 0, 0),
    "brightness": (_brighten, 0.01, 2),
    "contrast": (_change_contrast, 0.01, 2),
    "colour": (_change_colour, 0.01, 2),
    "sharpness": (_sharpen, 0.01, 2),
    "posterize": (_posterize, 2, 8),
    "solarize": (_solarize, 0, 256),
    "rotate": (_rotate, -135, 135),
    "shear-x": (_shear_x, -0.99, 0.99),
    "shear-y": (_shear_y, -0.99, 0.99),
    "translate-x": (_translate_x, -0.45, 0.45),
    "translate-y": (_translate_y, -0.45, 0.45),
}
"""By name: what changes pictures, and between which strengths.

Ranges are those of TrivialAugment's wide space, but for translations: its 32 pixels would leave
nothing of a small picture, so they are AutoAugment's 150 of 331 pixels, as shares of the side.
"""
