"""How much arithmetic a training needs, and how much this machine can do."""

import functools
import json
import time

import torch

from imagette.models import build_model
from imagette.models.backend import load_torch_keras
from imagette.training.hardware import choose_device
from imagette.training.recipe import Recipe
from imagette.training.torch_graph import TorchNetwork


def training_flops(plan: Recipe, shape: tuple[int, int, int], classes: int) -> float:
    """Floating-point operations to learn an image once, forward and backward, on the average.

    `plan` is a resolved recipe, `shape` that of the images, `(height, width, channels)`. Operations
    of a teacher, where the recipe has one, are not among them.
    """
    options = json.dumps(plan.model_options)  # text, by which the results are remembered
    small = (plan.progressive_size, plan.progressive_size, shape[2])
    flops = (1 - plan.progressive_share) * _flops_of_a_step(plan.model, options, shape, classes)
    if plan.progressive_share:
        flops += plan.progressive_share * _flops_of_a_step(plan.model, options, small, classes)
    return flops


@functools.cache
def _flops_of_a_step(
    model_name: str, options: str, shape: tuple[int, int, int], classes: int
) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    load_torch_keras()
    model = build_model(model_name, input_shape=shape, classes=classes, **json.loads(options))
    images = torch.zeros(2, *shape, device=choose_device())
    with FlopCounterMode(display=False) as counter:
        TorchNetwork(model, until="logits")(images, training=True).sum().backward()
    return counter.get_total_flops() / len(images)


def matrix_peak(precision: torch.dtype) -> float:
    """Operations a second of this machine at its best: those of matrix products."""
    device = choose_device()
    # Large enough to keep a GPU busy, and several, because it is asked for the end of each round.
    size, products = (8192, 10) if device.type == "cuda" else (2048, 1)
    matrix = torch.randn(size, size, device=device).to(precision)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        for _ in range(products):
            result = matrix @ matrix
        float(result[0, 0])  # a GPU has finished when a value is there
        times.append((time.perf_counter() - start) / products)
    return 2 * size**3 / min(times)
