"""The loss: of labels, each class with its weight, and of a teacher's answers (distillation)."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imagette.data.dataset import IMBALANCE_RATIO, Split
from imagette.training.recipe import Recipe


def compute_loss(
    logits: Tensor,
    targets: Tensor,
    recipe: Recipe,
    class_weights: Tensor | None = None,
    taught: Tensor | None = None,
) -> Tensor:
    """Mean loss of a batch: cross-entropy (nats) and, with a teacher, the distillation loss.

    Args:
        logits: float32 `(batch, classes)`.
        targets: class numbers, int64 `(batch,)`, or probabilities, float32 `(batch, classes)`.
        recipe: tells the label smoothing and the share of the teacher.
        class_weights: float32 `(classes,)`, how much each class counts; None for all alike.
        taught: the teacher's logits, `(batch, classes)`.
    """
    smoothing = recipe.label_smoothing
    loss = functional.cross_entropy(logits, targets, class_weights, label_smoothing=smoothing)
    if taught is None:
        return loss
    of_teacher = distillation_loss(logits, taught, recipe.distillation.temperature)
    return torch.lerp(loss, of_teacher, recipe.distillation.alpha)


def distillation_loss(logits: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """How far answers are from a teacher's, whose logits are `taught`, both `(batch, classes)`.

    Cross-entropy at a temperature, times its square, so that gradients are as large as
    those of labels (Hinton et al., *Distilling the Knowledge in a Neural Network*, 2015, section
    2). That the teacher sees each image with the same changes as the student follows Beyer et al.,
    *Knowledge distillation: A good teacher is patient and consistent*, 2022.
    """
    targets = functional.softmax(taught / temperature, dim=1)
    return temperature**2 * functional.cross_entropy(logits / temperature, targets)


def compute_class_weights(split: Split, classes: int) -> NDArray[np.float64] | None:
    """How much each class counts, `(classes,)`, so that all count alike together, 1 on average.

    None where no class has `IMBALANCE_RATIO` times as many images as another: all count alike
    then, too.
    """
    counts = np.bincount(split.labels, minlength=classes)
    if counts.max() < IMBALANCE_RATIO * counts.min():
        return None
    return len(split) / (classes * np.maximum(counts, 1))
