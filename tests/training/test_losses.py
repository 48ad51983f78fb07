"""Losses: a teacher's answers, and what each class weighs."""

import numpy as np
import torch

from imagette.data import Split
from imagette.training.losses import compute_class_weights, distillation_loss


def test_the_distillation_loss_is_lowest_where_the_answers_agree():
    taught = torch.randn(50, 10, generator=torch.Generator().manual_seed(0))
    student = taught.clone().requires_grad_()
    loss = distillation_loss(student, taught, 3.0)
    loss.backward()
    assert student.grad.abs().max() < 1e-6
    assert distillation_loss(taught + torch.randn(50, 10), taught, 3.0) > loss
    # Answers are compared by what they say, not by how large their logits are.
    assert torch.isclose(distillation_loss(taught + 5, taught, 3.0), loss)


def test_classes_of_different_sizes_count_alike(digits):
    """Of the loss: what a class weighs together does not hang on how many pictures it has."""
    even = Split(digits.train.images[:60], np.repeat([0, 1], 30))
    assert compute_class_weights(even, 2) is None
    uneven = Split(digits.train.images[:60], np.repeat([0, 1], [50, 10]))
    weights = compute_class_weights(uneven, 2)
    assert weights.tolist() == [60 / 100, 60 / 20]
    assert (weights * [50, 10]).tolist() == [30, 30]
    # A third class, of which there is none.
    assert compute_class_weights(uneven, 3).tolist() == [60 / 150, 60 / 30, 60 / 3]
