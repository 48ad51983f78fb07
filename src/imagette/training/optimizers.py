"""How weights change: the optimizers, over the weights of a Keras model, by name."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from imagette.training.recipe import Recipe

if TYPE_CHECKING:
    import keras


class Muon(torch.optim.Optimizer):
    """Steps of the same size in every direction of a weight matrix.

    The momentum of a matrix is made nearly orthogonal before it is subtracted, so that rare
    directions are learned as fast as common ones (Jordan et al., *Muon: An optimizer for hidden
    layers in neural networks*, 2024). Each matrix is held to a mean output norm of 1, which is
    right for layers that a normalisation follows.

    Args:
        parameters: kernels in Keras' layout, the output channels last.
        lr: size of a step; the matrix that is subtracted has singular values near 1.
        momentum: of Nesterov's kind.
        precision: the type to make orthogonal in; bfloat16 is enough.
    """

    def __init__(
        self, parameters: list[Tensor], lr: float, momentum: float, precision: torch.dtype
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum})
        self.precision = precision

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for kernel in group["params"]:
                if kernel.grad is None:
                    continue
                state = self.state[kernel]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(kernel)
                momentum = state["momentum"].mul_(group["momentum"]).add_(kernel.grad)
                ahead = kernel.grad.add(momentum, alpha=group["momentum"])
                outputs = kernel.shape[-1]
                matrix = ahead.reshape(-1, outputs).to(self.precision)
                kernel.mul_(math.sqrt(outputs) / kernel.norm())
                change = orthogonalise(matrix).to(kernel.dtype).reshape(kernel.shape)
                kernel.sub_(change, alpha=group["lr"])


def orthogonalise(matrix: Tensor, steps: int = 3) -> Tensor:
    """Bring the singular values of a matrix near 1, by Newton–Schulz iterations.

    The quintic's coefficients (Jordan et al., 2024) are chosen for speed: values end between
    about 0.5 and 1.5, which trains as well as exactly 1. Small values need more steps.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrix.shape[0] < matrix.shape[1]
    x = matrix.t().contiguous() if wide else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x.t() @ x
        # x becomes a x + x (b gram + c gram²), each sum in one pass.
        x = torch.addmm(x, x, torch.addmm(gram, gram, gram, beta=b, alpha=c), beta=a)
    return x.t() if wide else x


def make_optimizers(
    model: "keras.Model", recipe: Recipe, precision: torch.dtype
) -> list[torch.optim.Optimizer]:
    """The optimizers of a resolved recipe over the model's trainable weights.

    `precision` is the type that the network computes in.
    """
    return OPTIMIZERS[recipe.optimizer.name](model, recipe, precision)


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every learning rate to `factor` times what it was made with."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group.setdefault("full_lr", group["lr"])


def _adam(model: "keras.Model", recipe: Recipe, _: torch.dtype) -> list[torch.optim.Optimizer]:
    groups, rate = _group_by_layer(model, recipe), recipe.optimizer.learning_rate
    # Keras' defaults, which the classic recipe had.
    return [torch.optim.Adam(groups, rate, eps=1e-7, fused=True)]


def _adamw(model: "keras.Model", recipe: Recipe, _: torch.dtype) -> list[torch.optim.Optimizer]:
    groups, config = _group_by_layer(model, recipe), recipe.optimizer
    decay = config.weight_decay
    return [torch.optim.AdamW(groups, config.learning_rate, weight_decay=decay, fused=True)]


def _sgd(model: "keras.Model", recipe: Recipe, _: torch.dtype) -> list[torch.optim.Optimizer]:
    groups, config = _group_by_layer(model, recipe), recipe.optimizer
    options = {"momentum": config.momentum, "weight_decay": config.weight_decay}
    return [torch.optim.SGD(groups, config.learning_rate, nesterov=True, **options)]


def _muon(
    model: "keras.Model", recipe: Recipe, precision: torch.dtype
) -> list[torch.optim.Optimizer]:
    """Muon for the kernels of hidden layers.

    Biases, normalisation and the last layer learn by SGD with Nesterov momentum 0.85, with step
    sizes for each picture of the batch.
    """
    config = recipe.optimizer
    head = [weight.value for weight in model.get_layer("logits").trainable_weights]
    heads = {id(parameter) for parameter in head}
    rest = [one.value for one in model.trainable_weights if id(one.value) not in heads]
    biases = [parameter for parameter in rest if parameter.ndim == 1]
    hidden = [parameter for parameter in rest if parameter.ndim > 1]
    groups = [
        {"params": biases, "lr": recipe.batch_size * config.bias_learning_rate},
        {"params": head, "lr": recipe.batch_size * config.head_learning_rate},
    ]
    return [
        Muon(hidden, config.learning_rate, config.momentum, precision),
        torch.optim.SGD(groups, momentum=0.85, nesterov=True),
    ]


def _group_by_layer(model: "keras.Model", recipe: Recipe) -> list[dict[str, Any]]:
    """Groups of weights with the same step size: one for each layer, the smaller the earlier.

    Where all are alike, one group holds them all.
    """
    config = recipe.optimizer
    if config.layer_decay == 1:
        return [{"params": [weight.value for weight in model.trainable_weights]}]
    layers = [layer for layer in model.layers if layer.trainable_weights]
    return [
        {
            "params": [weight.value for weight in layer.trainable_weights],
            "lr": config.learning_rate * config.layer_decay**depth,
        }
        for depth, layer in enumerate(reversed(layers))
    ]


Builder = Callable[["keras.Model", Recipe, torch.dtype], list[torch.optim.Optimizer]]

OPTIMIZERS: dict[str, Builder] = {"adam": _adam, "adamw": _adamw, "sgd": _sgd, "muon": _muon}
"""By the recipe's `optimizer.name`, which `OptimizerConfig` lists: what makes it."""
