"""Pictures changed a little each time they are learned: functions of a whole batch.

Pictures are uint8 `(batch, height, width, channels)` unless a function says otherwise. Random
numbers come from PyTorch's global generators: those for each picture from that of its device,
those for a whole batch from the CPU's, so that nothing waits for a GPU.
"""

import torch
from torch import Tensor
from torch.nn import functional


def flip(pictures: Tensor, which: Tensor) -> Tensor:
    """Mirror the pictures that `which`, bool `(batch,)`, marks, left to right."""
    return torch.where(which[:, None, None, None], pictures.flip(2), pictures)


def pad(pictures: Tensor, margin: int) -> Tensor:
    """Surround pictures by their own reflection, ready for `translate`."""
    height, width = pictures.shape[1:3]
    rows = _reflect(torch.arange(-margin, height + margin), height).to(pictures.device)
    columns = _reflect(torch.arange(-margin, width + margin), width).to(pictures.device)
    return pictures[:, rows][:, :, columns]


def translate(padded: Tensor, indices: Tensor, margin: int) -> Tensor:
    """Take pictures out of `pad`'s result, each shifted by up to `margin` pixels either way.

    Args:
        padded: all pictures, with the margin around each.
        indices: int64 `(batch,)`, the pictures to take.
        margin: what `pad` was given.
    """
    size = 2 * margin
    height, width = padded.shape[1] - size, padded.shape[2] - size
    down, right = torch.randint(0, size + 1, (2, len(indices)), device=padded.device)
    # All windows are views of the same memory; only the chosen ones are copied.
    windows = padded.unfold(1, height, 1).unfold(2, width, 1)
    return windows[indices, down, right].permute(0, 2, 3, 1)


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
    return pictures.masked_fill(covered[..., None], 128)


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
