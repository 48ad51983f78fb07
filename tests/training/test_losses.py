"""Losses: a teacher's answers, and what each class weighs."""

import numpy as np
import torch

from imagette import Recipe, build_model
from imagette.data import Split
from imagette.models.backend import load_torch_keras
from imagette.training import losses, outputs
from imagette.training.losses import compute_class_weights, distillation_loss
from imagette.training.state import State
from imagette.training.trainer import train_epochs


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
    """Of the loss: what a class weighs together does not depend on how many pictures it has."""
    even = Split(digits.train.images[:60], np.repeat([0, 1], 30))
    assert compute_class_weights(even, 2) is None
    uneven = Split(digits.train.images[:60], np.repeat([0, 1], [50, 10]))
    weights = compute_class_weights(uneven, 2)
    assert weights.tolist() == [60 / 100, 60 / 20]
    assert (weights * [50, 10]).tolist() == [30, 30]
    # A third class, of which there is none.
    assert compute_class_weights(uneven, 3).tolist() == [60 / 150, 60 / 30, 60 / 3]


def test_a_rare_class_is_learned(monkeypatch):
    """Where nothing tells two classes apart, all that is learned is how much each counts."""

    def share_of_the_rare_class() -> float:
        random = np.random.default_rng(0)
        labels = np.repeat([0, 1], [190, 10])[random.permutation(200)]
        train = Split(random.integers(0, 256, (200, 32, 32, 3), np.uint8), labels)
        load_torch_keras().utils.set_random_seed(0)
        model = build_model("sprint", classes=2, widths=[8, 16])
        recipe = Recipe.load("sprint-80").change(
            epochs=5, progressive_share=0.0, batch_size=50, min_steps=0, precision="float32"
        )
        *_, _ = train_epochs(model, train, train, recipe, State())
        logits = outputs.compute_logits(model, random.integers(0, 256, (99, 32, 32, 3), np.uint8))
        return float(torch.tensor(logits).softmax(1)[:, 1].mean())

    weighed = share_of_the_rare_class()
    monkeypatch.setattr(losses, "IMBALANCE_RATIO", float("inf"))
    assert share_of_the_rare_class() < 0.25 < weighed
