"""How accuracy holds when pictures are noisy, blurred, weathered or compressed."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path

import numpy as np

from imagette.data.dataset import Split
from imagette.evaluation.corruptions import NAMES, SEVERITIES, corrupt
from imagette.evaluation.evaluated_model import resize_for
from imagette.files import write_json
from imagette.images.open_image import PREPROCESS_VERSION
from imagette.inference.classifier import Classifier

_VERSION = 2
"""Raised when a corruption gives other pixels than before, so that no old figure is reused."""


def measure_robustness(
    classifier: Classifier,
    examples: Split,
    file: Path,
    say: Callable[[str], None],
) -> dict[str, list[float]]:
    """Accuracy under each corruption of `imagette.evaluation.corruptions` at each severity.

    Every corruption measured is kept in `file` at once, and what is there already of the same
    model and pictures is not measured again: stopped, this goes on where it was.

    Args:
        classifier: the model.
        examples: pictures in the size that they are to be corrupted in, labels in the model's class
            order.
        file: the JSON file to keep the figures in.
        say: called with a line of progress for each corruption.

    Returns:
        By the corruption's name, the top-1 accuracies at severities 1 to 5.
    """
    key = _key(classifier, examples)
    found = _read(file, key)
    begin, missing = time.monotonic(), [name for name in NAMES if name not in found]
    for number, name in enumerate(missing, 1):
        found[name] = [_accuracy(classifier, examples, name, severity) for severity in SEVERITIES]
        write_json(file, {"key": key, "accuracy": found})
        left = (time.monotonic() - begin) / number * (len(missing) - number)
        shares = ", ".join(f"{accuracy:.1%}" for accuracy in found[name])
        say(f"{name.replace('_', ' ')}: {shares}; about {left:.0f} s left")
    return {name: found[name] for name in NAMES}


def _accuracy(classifier: Classifier, examples: Split, name: str, severity: int) -> float:
    corrupted = replace(examples, images=corrupt(examples.images, name, severity))
    images = resize_for(classifier, corrupted).images
    return float(np.mean(classifier.predict_proba(images).argmax(axis=1) == examples.labels))


def _key(classifier: Classifier, examples: Split) -> str:
    """A digest of all that the figures depend on."""
    digest = blake2b(classifier.path.read_bytes(), digest_size=16)
    digest.update(f"{examples.fingerprint()} {_VERSION} {PREPROCESS_VERSION}".encode())
    return digest.hexdigest()


def _read(file: Path, key: str) -> dict[str, list[float]]:
    """The figures kept; none where they are of something else, or damaged."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        return dict(kept["accuracy"]) if kept["key"] == key else {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
