"""Imagette: from labelled pictures to a classifier that people really use.

    >>> import imagette
    >>> imagette.Classifier().predict("cat.jpg").label
    'cat'

The public names below are loaded on first use, so that `import imagette` is quick and brings
in neither Keras nor PyTorch until something is trained.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# From 1.29 on, ONNX Runtime tells its makers of every session, and keeps an id of the machine for
# that, unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from imagette.data import Dataset, load_dataset
    from imagette.errors import ImageError, ImagetteError
    from imagette.evaluation.evaluate import evaluate
    from imagette.inference.classifier import Classifier, Prediction
    from imagette.models import build_model
    from imagette.training.recipe import Recipe
    from imagette.training.run import train

_HOMES = {
    "Classifier": "imagette.inference.classifier",
    "Dataset": "imagette.data",
    "ImagetteError": "imagette.errors",
    "ImageError": "imagette.errors",
    "Prediction": "imagette.inference.classifier",
    "Recipe": "imagette.training.recipe",
    "build_model": "imagette.models",
    "evaluate": "imagette.evaluation",
    "load_dataset": "imagette.data",
    "train": "imagette.training.run",
}

__all__ = [
    "Classifier",
    "Dataset",
    "ImageError",
    "ImagetteError",
    "Prediction",
    "Recipe",
    "build_model",
    "evaluate",
    "load_dataset",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'imagette' has no attribute {name!r}")


def __dir__() -> list[str]:
    # What is imported above for this module itself is nobody else's concern.
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
