"""In which order images are learned: drawn from the recipe's seed and the epoch's number alone."""

import numpy as np
import torch
from torch import Tensor


def first_mirrored(seed: int, count: int) -> Tensor:
    """Which images an alternating flip mirrors in the first epoch: about half, bool `(count,)`."""
    return torch.rand(count, generator=_seed_epoch(seed, 0)) < 0.5


def epoch_order(seed: int, epoch: int, count: int, repeats: int) -> Tensor:
    """The order of an epoch's images, int64 `(repeats * count,)`, each once in every pass.

    Seeds PyTorch's global generators for what the epoch draws, too.
    """
    generator = _seed_epoch(seed, epoch)
    return torch.cat([torch.randperm(count, generator=generator) for _ in range(repeats)])


def _seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Seed what an epoch draws, and return a generator for the order of its images."""
    global_seed, order_seed = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    # PyTorch takes seeds below 2**63.
    torch.manual_seed(int(global_seed >> np.uint64(1)))
    return torch.Generator().manual_seed(int(order_seed >> np.uint64(1)))
