"""Temperature and calibration error, on answers whose truth is known by construction."""

import numpy as np
import pytest

from imagette.evaluation.calibration import expected_calibration_error, fit_temperature


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
