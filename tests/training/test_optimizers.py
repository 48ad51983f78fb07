"""Muon, and which weights go to which optimizer; schedules."""

import numpy as np
import pytest
import torch

from imagette import Recipe, build_model
from imagette.models.backend import load_torch_keras
from imagette.training.optimizers import Muon, make_optimizers, orthogonalise, set_rates
from imagette.training.recipe_tables import ScheduleConfig
from imagette.training.schedules import rate_factor


@pytest.mark.parametrize("shape", [(30, 30), (20, 50), (50, 20)])
def test_orthogonalise_brings_singular_values_near_one(shape):
    torch.manual_seed(0)
    # Well conditioned, as after the first of its few steps the small values would not be there yet.
    left, _, right = torch.linalg.svd(torch.randn(shape), full_matrices=False)
    matrix = left @ torch.diag(torch.linspace(0.5, 1, min(shape))) @ right
    values = torch.linalg.svdvals(orthogonalise(matrix, steps=5))
    assert values.min() > 0.6
    assert values.max() < 1.3
    # It turns nothing: the directions stay.
    again = left.t() @ orthogonalise(matrix, steps=5) @ right.t()
    assert torch.allclose(again, torch.diag(again.diagonal()), atol=1e-3)


def test_muon_goes_downhill_and_keeps_the_size_of_kernels():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(3, 3, 8, 16))
    aim = torch.randn(3, 3, 8, 16)
    aim *= 4 / aim.norm()
    optimizer = Muon([kernel], lr=0.05, momentum=0.6, precision=torch.float32)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((kernel - aim) ** 2).sum()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[1]
    assert 3 < kernel.norm() < 5  # the root of its 16 outputs is 4


def test_muon_goes_on_from_what_it_remembers():
    torch.manual_seed(0)
    start, gradients = torch.randn(4, 6), torch.randn(6, 4, 6)

    def run(before, some, remembered=None):
        kernel = torch.nn.Parameter(before.detach().clone())
        optimizer = Muon([kernel], 0.1, 0.6, torch.float32)
        if remembered:
            optimizer.load_state_dict(remembered)
        for gradient in some:
            kernel.grad = gradient.clone()
            optimizer.step()
        return kernel, optimizer.state_dict()

    whole, _ = run(start, gradients)
    first, remembered = run(start, gradients[:3])
    second, _ = run(first, gradients[3:], remembered)
    assert torch.equal(whole, second)


def test_muon_has_the_hidden_kernels_and_sgd_the_rest():
    load_torch_keras()
    model = build_model("sprint", widths=[8, 16])
    recipe = Recipe.load("sprint-80")
    muon, sgd = make_optimizers(model, recipe, torch.float32)
    shapes = [tuple(p.shape) for group in muon.param_groups for p in group["params"]]
    assert shapes == [(3, 3, 24, 8), (3, 3, 8, 8), (3, 3, 8, 16), (3, 3, 16, 16)]
    biases, head = ([tuple(p.shape) for p in group["params"]] for group in sgd.param_groups)
    assert sorted(biases) == [(8,), (8,), (16,), (16,)]
    assert head == [(16, 10)]  # the whitening, frozen, is nobody's
    assert sgd.param_groups[0]["lr"] == recipe.batch_size * recipe.optimizer.bias_learning_rate


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("constant", [0.0, 0.5, 1, 1, 1, 1]),
        ("linear", [0.0, 0.5, 1, 0.75, 0.5, 0]),
        ("cosine", [0.0, 0.5, 1, 0.8536, 0.5, 0]),
    ],
)
def test_schedules(kind, values):
    schedule = ScheduleConfig(name=kind, warmup=0.2)
    found = [rate_factor(schedule, done) for done in (0, 0.1, 0.2, 0.4, 0.6, 1)]
    assert np.allclose(found, values, atol=1e-4)


def test_rates_are_set_from_the_full_ones():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], 0.4)
    for factor in (0.5, 0.25):
        set_rates([optimizer], factor)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.4 * factor)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_early_layers_take_smaller_steps(optimizer):
    decaying = {"name": optimizer, "learning_rate": 0.1, "layer_decay": 0.5}
    recipe = Recipe.load("classic").change(optimizer=decaying)
    model = build_model("sprint", classes=2, widths=[4, 4])
    [made] = make_optimizers(model, recipe, torch.float32)
    layers = [layer for layer in model.layers if layer.trainable_weights]
    rates = {id(weight): group["lr"] for group in made.param_groups for weight in group["params"]}
    for depth, layer in enumerate(reversed(layers)):
        for weight in layer.trainable_weights:
            assert rates.pop(id(weight.value)) == pytest.approx(0.1 * 0.5**depth)
    assert not rates
