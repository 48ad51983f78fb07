"""Which library Keras computes with: PyTorch, unless somebody chose another."""

import os
import sys
from types import ModuleType

from imagette.errors import ImagetteError

OLDEST_KERAS = (3, 15)
"""Older ones ran code hidden in `.h5` files in spite of safe mode (CVE-2025-9905)."""


def load_keras() -> ModuleType:
    """Import Keras, on PyTorch where the user has not set `KERAS_BACKEND`.

    Raises:
        ImagetteError: the Keras that is installed is too old.
    """
    # Without this Keras would look for TensorFlow, even where only PyTorch is installed.
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "torch")
        if sys.platform == "darwin":
            # Keras would put weights on Apple's GPU, where our training does not run.
            os.environ.setdefault("KERAS_TORCH_DEVICE", "cpu")
    import keras

    if tuple(int(number) for number in keras.__version__.split(".")[:2]) < OLDEST_KERAS:
        raise ImagetteError(
            f"Keras {keras.__version__} is too old to be safe with files from elsewhere.",
            "Upgrade with `pip install --upgrade 'imagette[train]'`.",
        )
    return keras


def load_torch_keras() -> ModuleType:
    """Import Keras where it must run on PyTorch.

    Raises:
        ImagetteError: another backend was chosen, or Keras is too old.
    """
    # Asked before the import, because the other backend may not even be installed.
    chosen = os.environ.get("KERAS_BACKEND", "torch")
    if "keras" in sys.modules:
        chosen = load_keras().backend.backend()
    if chosen != "torch":
        raise ImagetteError(
            f"Keras is set to run on {chosen}, and this needs it on PyTorch.",
            "Set the environment variable KERAS_BACKEND=torch, or unset it, before Python starts.",
        )
    return load_keras()
