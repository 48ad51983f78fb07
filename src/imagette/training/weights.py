"""The weights of a Keras model as PyTorch's tensors."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    import keras


def get_weights(model: "keras.Model") -> list[Tensor]:
    """Copies of every weight, on the CPU."""
    return [weight.value.detach().to("cpu", copy=True) for weight in model.weights]


def set_weights(model: "keras.Model", weights: list[Tensor]) -> None:
    """Put copies of `weights` into the model."""
    with torch.no_grad():
        for weight, value in zip(model.weights, weights, strict=True):
            weight.value.copy_(value)
