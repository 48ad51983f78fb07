"""How weights change: the optimizers, over the weights of a Keras model, and their schedule."""

import math
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
    """The recipe's optimizer over the model's trainable weights.

    Muon is for the kernels of hidden layers. Biases, normalisation and the last layer learn by
    SGD with Nesterov momentum 0.85, with step sizes for each picture of the batch.
    """
    groups = _by_layer(model, recipe)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adam":
        # Keras' defaults, which the classic recipe had.
        return [torch.optim.Adam(groups, rate, eps=1e-7, fused=True)]
    if recipe.optimizer == "adamw":
        return [torch.optim.AdamW(groups, rate, weight_decay=decay, fused=True)]
    if recipe.optimizer == "sgd":
        return [
            torch.optim.SGD(
                groups, rate, momentum=recipe.momentum, weight_decay=decay, nesterov=True
            )
        ]
    parameters = [weight.value for weight in model.trainable_weights]
    head = [weight.value for weight in model.get_layer("logits").trainable_weights]
    heads = {id(parameter) for parameter in head}
    rest = [parameter for parameter in parameters if id(parameter) not in heads]
    biases = [parameter for parameter in rest if parameter.ndim == 1]
    groups = [
        {"params": biases, "lr": recipe.batch_size * recipe.bias_learning_rate},
        {"params": head, "lr": recipe.batch_size * recipe.head_learning_rate},
    ]
    hidden = [parameter for parameter in rest if parameter.ndim > 1]
    return [
        Muon(hidden, rate, recipe.momentum, precision),
        torch.optim.SGD(groups, momentum=0.85, nesterov=True),
    ]


def _by_layer(model: "keras.Model", recipe: Recipe) -> list[dict[str, Any]]:
    """Groups of weights with the same step size: one for each layer, the smaller the earlier.

    Where all are alike, one group holds them all.
    """
    if recipe.layer_decay == 1:
        return [{"params": [weight.value for weight in model.trainable_weights]}]
    layers = [layer for layer in model.layers if layer.trainable_weights]
    return [
        {
            "params": [weight.value for weight in layer.trainable_weights],
            "lr": recipe.learning_rate * recipe.layer_decay**depth,
        }
        for depth, layer in enumerate(reversed(layers))
    ]


def set_rates(optimizers: list[torch.optim.Optimizer], factor: float) -> None:
    """Set every learning rate to `factor` times what it was made with."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = factor * group.setdefault("full_lr", group["lr"])


def schedule(recipe: Recipe, done: float) -> float:
    """The factor of the learning rate after a share `done` (0 to 1) of the training."""
    if done < recipe.warmup:
        return done / recipe.warmup
    left = (1 - done) / (1 - recipe.warmup)
    if recipe.schedule == "linear":
        return left
    if recipe.schedule == "cosine":
        return (1 - math.cos(math.pi * left)) / 2
    return 1.0
