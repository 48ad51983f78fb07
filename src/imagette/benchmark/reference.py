"""The reference of the benchmark: the classic recipe by plain Keras `fit`, as tutorials have it."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from imagette.benchmark.plot import Curve
from imagette.data import Dataset
from imagette.errors import ImagetteError
from imagette.files import write_text

REFERENCE = "classic-fit"
EPOCHS, PATIENCE = 50, 5
FIT = Path(__file__).with_name("classic_fit.py")


def find_tensorflow(python: str | Path | None) -> str | None:
    """A Python that has TensorFlow."""
    if python is not None:
        return str(python)
    return sys.executable if importlib.util.find_spec("tensorflow") else None


def train_reference(python: str, data: Dataset, seed: int, printed: Path) -> None:
    """Train the classic recipe by `fit` in a process of its own, by a Python that has TensorFlow.

    What it prints goes into the file `printed`, which is there only when it has finished.

    Raises:
        ImagetteError: that Python cannot do it.
    """
    assert data.test is not None
    order = np.arange(len(data.train))
    if data.name != "cifar10":
        # Keras holds out the last images. CIFAR-10 comes mixed, folders sorted by class.
        order = np.random.default_rng(seed).permutation(order)
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "images.npz"
        np.savez(
            arrays,
            train=data.train.images[order], train_labels=data.train.labels[order],
            test=data.test.images, test_labels=data.test.labels,
        )  # fmt: skip
        try:
            answer = subprocess.run(
                [python, FIT, arrays, *map(str, (seed, EPOCHS, PATIENCE))],
                env=os.environ | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"},
                capture_output=True, text=True,
            )  # fmt: skip
        except OSError as error:
            raise ImagetteError(
                f"{python} cannot be run: {error.strerror}.",
                "Name a Python that has TensorFlow with --tensorflow.",
            ) from error
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        raise ImagetteError(
            f"The reference could not be trained by {python}: {last}",
            "Name a Python that has TensorFlow with --tensorflow, or leave it out.",
        )
    write_text(printed, answer.stdout)


def reference_row(printed: Path) -> tuple[dict[str, Any], Curve]:
    """A training's row of the results, and its curve."""
    *epochs, end = map(json.loads, printed.read_text(encoding="utf-8").splitlines())
    row = {
        "name": REFERENCE,
        "seed": int(printed.stem.removeprefix("seed-")),
        "accuracy": end["accuracy"],
        "flip_averaged": None,
        "loss": end["loss"],
        "seconds": end["seconds"],
        "preparation_seconds": None,
        "validation_seconds": None,
        "pictures_per_second": end["pictures"] * len(epochs) / end["seconds"],
        "gflops_per_second": None,
        "peak_gflops_per_second": None,
    }
    curve = Curve(REFERENCE, [e["seconds"] for e in epochs], [e["val_accuracy"] for e in epochs])
    return row, curve
