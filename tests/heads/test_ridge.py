"""Ridge regression: equal to its definition, leave-one-out equal to leaving out."""

import numpy as np
import pytest

from imagette.heads import ridge
from imagette.heads.ridge import balanced_weights, choose_strength, decompose

CLASSES, STRENGTH = 4, 0.03


def data(images: int, features: int):
    random = np.random.default_rng(images)
    rows = random.normal(size=(images, features)) + random.normal(size=features)
    labels = random.integers(0, CLASSES, images)
    return rows, labels, balanced_weights(labels, CLASSES)


def solve(rows, labels, weights, ridge_term):
    """The definition: weighted least squares with a penalty, the mean fitted too."""
    targets = ridge.make_targets(labels, CLASSES)
    mean, target_mean = weights @ rows / weights.sum(), weights @ targets / weights.sum()
    x, y = rows - mean, targets - target_mean
    products = (x * weights[:, None]).T @ x + ridge_term * np.eye(rows.shape[1])
    kernel = np.linalg.solve(products, (x * weights[:, None]).T @ y)
    return kernel, target_mean - mean @ kernel


@pytest.mark.parametrize(("images", "features"), [(40, 60), (90, 30)])
def test_it_is_the_solution_and_each_image_is_left_out_exactly(images, features):
    rows, labels, weights = data(images, features)
    found = decompose(rows, labels, weights, CLASSES)
    penalty = STRENGTH * found.variance * weights.sum()
    kernel, bias = found.solve(STRENGTH)
    for mine, expected in zip((kernel, bias), solve(rows, labels, weights, penalty), strict=True):
        assert np.allclose(mine, expected, atol=1e-6)
    group = np.array([3, 4, 5])
    answers = ridge.leave_one_out(found, rows, labels, weights, STRENGTH, [group])
    for number in range(9):
        others = np.ones(images, bool)
        others[group if number in group else number] = False
        kernel, bias = solve(rows[others], labels[others], weights[others], penalty)
        assert np.allclose(answers[number], rows[number] @ kernel + bias, atol=1e-4)


def test_the_strength_suits_the_noise(monkeypatch):
    random = np.random.default_rng(0)
    labels = np.arange(200) % CLASSES
    clean = np.eye(CLASSES)[labels] @ random.normal(size=(CLASSES, 50))
    chosen = []
    for noise in (0.1, 3.0):
        rows = clean + noise * random.normal(size=clean.shape)
        weights = balanced_weights(labels, CLASSES)
        found = decompose(rows, labels, weights, CLASSES)
        groups = [np.array([0, 4]), np.array([8, 13])]
        chosen.append(choose_strength(found, rows, labels, weights, groups))
    assert chosen[0] < chosen[1]
    monkeypatch.setattr(ridge, "_MOST_TO_CHOOSE_BY", 50)  # a quarter of them will do
    assert choose_strength(found, rows, labels, weights, groups) > chosen[0]


def test_classes_of_uneven_size_count_alike():
    labels = np.array([0] * 90 + [1] * 10)
    weights = balanced_weights(labels, 2)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)
    # Noise teaches nothing but how many there are of each, and that is made even.
    rows = np.random.default_rng(0).normal(size=(100, 20))
    found = decompose(rows, labels, weights, 2)
    assert np.allclose(found.target_mean, 0)
    assert not np.allclose(decompose(rows, labels, np.ones(100), 2).target_mean, 0)
