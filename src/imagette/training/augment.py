"""Data augmentation: images changed a little each time they are learned, a whole batch at once.

`augment_batch` applies what a recipe's table `augment` asks for; `AUGMENTATIONS` lists it in order.

Images are uint8 `(batch, height, width, channels)` unless a function says otherwise. Random
numbers come from PyTorch's global generators: those for each image from that of its device,
those for a whole batch from the CPU's, so that nothing waits for a GPU.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from imagette.training.recipe_tables import AugmentConfig
from imagette.training.trivial_augment import GREY, trivial_augment


class Batch(NamedTuple):
    """What is learned in one step.

    Attributes:
        images: uint8 `(batch, height, width, channels)`.
        targets: class numbers, int64 `(batch,)`, or probabilities, float32 `(batch, classes)`.
        classes: how many there are.
        mirrored: bool `(batch,)`, which images an alternating flip mirrors this time.
    """

    images: Tensor
    targets: Tensor
    classes: int
    mirrored: Tensor


def augment_batch(batch: Batch, config: AugmentConfig, at_the_end: bool = False) -> Batch:
    """A batch of the dataset changed as a recipe's table `augment` says.

    `at_the_end` is the training's last `no_aug_share`, which only shifts and flips.
    """
    for name, apply in AUGMENTATIONS.items():
        value = getattr(config, name)
        if value and value != "none" and (name in TO_THE_END or not at_the_end):
            batch = apply(batch, value)
    return batch


def _apply_flip(batch: Batch, kind: str) -> Batch:
    which = batch.mirrored
    if kind == "random":
        which = torch.rand(len(batch.images), device=batch.images.device) < 0.5
    return batch._replace(images=flip(batch.images, which))


def _apply_cutmix(batch: Batch, probability: float) -> Batch:
    if torch.rand(()) >= probability:
        return batch
    targets = functional.one_hot(batch.targets, batch.classes).float()
    images, targets = cutmix(batch.images, targets)
    return batch._replace(images=images, targets=targets)


def flip(images: Tensor, which: Tensor) -> Tensor:
    """Mirror the images that `which`, bool `(batch,)`, marks, left to right."""
    return torch.where(which[:, None, None, None], images.flip(2), images)


def pad(images: Tensor, margin: int) -> Tensor:
    """Surround images by their own reflection, ready for `random_shift`."""
    height, width = images.shape[1:3]
    rows = _reflect(torch.arange(-margin, height + margin), height).to(images.device)
    columns = _reflect(torch.arange(-margin, width + margin), width).to(images.device)
    return images[:, rows][:, :, columns]


def random_shift(images: Tensor, margin: int) -> Tensor:
    """Shift each image by up to `margin` pixels either way; its reflection fills the gap."""
    padded, (count, height, width) = pad(images, margin), images.shape[:3]
    down, right = torch.randint(0, 2 * margin + 1, (2, count), device=images.device)
    # All windows are views of the same memory; only the chosen ones are copied.
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)
    return windows[torch.arange(count), down, right].permute(0, 2, 3, 1)


def cutout(images: Tensor, side: int) -> Tensor:
    """Cover a square of `side` pixels in each image with grey.

    Its centre may be anywhere, so that a part of the square can lie outside (DeVries & Taylor,
    *Improved Regularization of Convolutional Neural Networks with Cutout*, 2017).
    """
    (count, tall, wide), device = images.shape[:3], images.device
    top = torch.randint(0, tall, (count, 1), device=device) - side // 2
    left = torch.randint(0, wide, (count, 1), device=device) - side // 2
    rows, columns = torch.arange(tall, device=device), torch.arange(wide, device=device)
    in_rows = (rows >= top) & (rows < top + side)
    in_columns = (columns >= left) & (columns < left + side)
    covered = in_rows[:, :, None] & in_columns[:, None, :]
    return images.masked_fill(covered[..., None], GREY)


def cutmix(images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Put a rectangle of another image of the batch into each (Yun et al., *CutMix*, 2019).

    The share that stays is drawn from Beta(1, 1) once a batch, as in the paper. Targets, class
    probabilities in float32 `(batch, classes)`, are blended by area.
    """
    tall, wide = images.shape[1:3]
    stays = float(torch.distributions.Beta(1.0, 1.0).sample())
    side, other = (1 - stays) ** 0.5, torch.randperm(len(images), device=images.device)
    y, x = (int(torch.randint(0, size, ())) for size in (tall, wide))
    half_tall, half_wide = round(side * tall / 2), round(side * wide / 2)
    rows = slice(max(y - half_tall, 0), y + half_tall)
    columns = slice(max(x - half_wide, 0), x + half_wide)
    mixed = images.clone()
    mixed[:, rows, columns] = images[other][:, rows, columns]
    taken = len(range(tall)[rows]) * len(range(wide)[columns]) / (tall * wide)
    return mixed, torch.lerp(targets, targets[other], taken)


def shrink(images: Tensor, side: int) -> Tensor:
    """Images of `side` by `side` pixels, smoothed before they shrink.

    Returns:
        uint8 for uint8 on a CPU, which is quickest there, float32 otherwise.
    """
    first = images.permute(0, 3, 1, 2)
    if first.dtype != torch.uint8 or first.device.type != "cpu":
        first = first.float()
    small = functional.interpolate(first, size=(side, side), mode="bilinear", antialias=True)
    return small.permute(0, 2, 3, 1)


def _reflect(positions: Tensor, size: int) -> Tensor:
    """Positions beyond either end, mirrored at the outermost pixel until they are inside."""
    if size == 1:
        return torch.zeros_like(positions)
    positions = positions % (2 * size - 2)
    return torch.minimum(positions, 2 * size - 2 - positions)


def _to_images(change: Callable[[Tensor, Any], Tensor]) -> Callable[[Batch, Any], Batch]:
    return lambda batch, value: batch._replace(images=change(batch.images, value))


AUGMENTATIONS: dict[str, Callable[[Batch, Any], Batch]] = {
    "random_shift": _to_images(random_shift),
    "flip": _apply_flip,
    "trivial_augment": _to_images(lambda images, _: trivial_augment(images)),
    "cutout": _to_images(cutout),
    "cutmix_prob": _apply_cutmix,
}
"""By the field of the table `augment`: what changes a batch, given the field's value. In order."""

TO_THE_END = {"random_shift", "flip"}
"""What goes on in the last `no_aug_share` of a training."""
