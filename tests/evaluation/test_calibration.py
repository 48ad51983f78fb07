"""Temperature and calibration error, on answers whose truth is known by construction."""

import numpy as np
import pytest

from imagette.evaluation.calibration import (
    brier_score,
    entropy_temperatures,
    expected_calibration_error,
    fit_entropy_temperatures,
    fit_temperature,
    reliability,
)


def drawn(count: int, temperature: float):
    """Logits, and labels drawn as often as these logits divided by the temperature say."""
    random = np.random.default_rng(0)
    logits = random.normal(size=(count, 4)).astype(np.float32) * 5
    chances = np.exp(logits / temperature)
    chances /= chances.sum(axis=1, keepdims=True)
    labels = (chances.cumsum(axis=1) > random.random((count, 1))).argmax(axis=1)
    return logits, labels, chances.astype(np.float32)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    logits, labels, _ = drawn(20_000, temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_a_few_right_answers_make_no_certainty():
    logits = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1]] * 8
    temperature = fit_temperature(logits, np.array([0, 1, 2, 3, 0, 1]))
    most = np.exp(logits / temperature)
    # Of 6 right ones, as many are taken for wrong as one in 8.
    assert (most / most.sum(axis=1, keepdims=True)).max() == pytest.approx(7 / 8, abs=0.01)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy():
    certain = np.tile(np.array([1.0, 0.0], np.float32), (10, 1))
    labels = np.array([0] * 7 + [1] * 3)
    assert expected_calibration_error(certain, labels) == pytest.approx(0.3)
    honest = np.tile(np.array([0.7, 0.3], np.float32), (10, 1))
    assert expected_calibration_error(honest, labels) == pytest.approx(0, abs=1e-6)
    # Half too sure by 0.3, half honest.
    both, twice = np.concatenate([certain, honest]), np.concatenate([labels, labels])
    assert expected_calibration_error(both, twice) == pytest.approx(0.15)


def test_what_is_fitted_calibrates():
    logits, labels, chances = drawn(20_000, 2.5)
    raw, fitted = (
        np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True)
        for scaled in (logits, logits / fit_temperature(logits, labels))
    )
    assert expected_calibration_error(raw, labels) > 0.1
    assert expected_calibration_error(fitted, labels) < 0.015
    assert np.abs(fitted - chances).max() < 0.02


def test_reliability_by_hand():
    probabilities = np.array([[0.62, 0.38], [0.66, 0.34], [0.05, 0.95], [1, 0]], np.float32)
    bins = reliability(probabilities, np.array([0, 1, 1, 0]), bins=10)
    filled = {number: row for number, row in enumerate(bins) if row["count"]}
    assert len(bins) == 10
    assert filled.keys() == {6, 9}
    assert filled[6] == {"confidence": pytest.approx(0.64), "accuracy": 0.5, "count": 2}
    assert filled[9] == {"confidence": pytest.approx(0.975), "accuracy": 1.0, "count": 2}
    assert bins[0] == {"confidence": None, "accuracy": None, "count": 0}


def test_the_calibration_error_is_the_mean_gap_of_the_bins():
    _, labels, probabilities = drawn(3000, 0.5)
    bins = [row for row in reliability(probabilities, labels) if row["count"]]
    gaps = [row["count"] * abs(row["confidence"] - row["accuracy"]) for row in bins]
    assert sum(row["count"] for row in bins) == 3000
    assert expected_calibration_error(probabilities, labels) == pytest.approx(sum(gaps) / 3000)


def test_brier_score_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0, 1, 0], [0, 0, 1]], np.float32)
    # Half right, all right, all wrong.
    expected = ((0.3**2 + 0.2**2 + 0.1**2) + 0 + 2) / 3
    assert brier_score(probabilities, np.array([0, 1, 0])) == pytest.approx(expected, abs=1e-6)
    assert probabilities[1, 1] == 1  # what was given is left as it was


def cross_entropy(logits, labels):
    logarithms = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return -logarithms[np.arange(len(labels)), labels].mean()


def test_one_temperature_is_found_where_one_will_do():
    logits, labels, _ = drawn(20_000, 3.0)
    factor, exponent = fit_entropy_temperatures(logits, labels)
    assert exponent == pytest.approx(0, abs=0.03)
    assert factor == pytest.approx(3, rel=0.06)


def test_undecided_answers_that_are_too_sure_get_a_temperature_of_their_own():
    logits, labels, _ = drawn(20_000, 2.5)
    logits /= 2.5
    logits *= np.where(np.ptp(logits, axis=1, keepdims=True) > 4, 1, 3)
    factor, exponent = fit_entropy_temperatures(logits, labels)
    both = cross_entropy(logits / entropy_temperatures(logits, factor, exponent), labels)
    one = cross_entropy(logits / fit_temperature(logits, labels), labels)
    assert both < one - 0.005
    assert both < cross_entropy(logits, labels)


@pytest.mark.parametrize("scale", [1e-3, 1, 1e4])
def test_extreme_answers_give_usable_numbers(scale):
    logits = np.eye(10, dtype=np.float32)[np.arange(40) % 10] * scale
    factor, exponent = fit_entropy_temperatures(logits, np.arange(40) % 10)
    temperatures = entropy_temperatures(logits, factor, exponent)
    assert temperatures.shape == (40, 1)
    assert np.isfinite(temperatures).all()
    assert (temperatures > 0).all()
