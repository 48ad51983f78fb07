"""Keras' own files, `.keras` and `.h5`: read without running any code in them, and saved whole."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagette.errors import ImagetteError
from imagette.files import replacing
from imagette.models.backend import load_torch_keras

if TYPE_CHECKING:
    import keras


def save_keras(model: "keras.Model", path: Path) -> None:
    """Save as `.keras` or `.h5`, by the ending of `path`; all of it or nothing.

    Raises:
        ImagetteError: the file cannot be written.
    """
    with replacing(path) as temporary, warnings.catch_warnings():
        # Keras calls .h5 "legacy"; it is written here for scripts that read nothing else.
        warnings.filterwarnings("ignore", message=".*HDF5.*")
        with quiet("absl"):
            model.save(temporary)


def load_keras_file(path: Path) -> "keras.Model":
    """Load a `.keras` or `.h5` classifier, refusing any that carries code.

    Raises:
        ImagetteError: the file is missing, damaged, carries code, or is no image classifier.
    """
    if not path.is_file():
        raise ImagetteError(f"There is no file {path}.", "Check its name and folder.")
    if path.suffix == ".onnx":
        raise ImagetteError(
            f"{path} is a bundle, which cannot be turned back into a Keras model.",
            "Export the run or the Keras file that it was made of.",
        )
    keras = load_torch_keras()
    try:
        with quiet("absl"):
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
    # Keras raises nearly any exception on a damaged file or one made with custom code.
    except Exception as error:
        if any(word in str(error).lower() for word in ("lambda", "safe_mode", "unsafe")):
            raise ImagetteError(
                f"{path} carries program code (a Lambda layer or custom objects), which could do"
                " anything to this machine; it was not opened.",
                "Rebuild the model from Keras' stock layers and save it again.",
            ) from error
        raise ImagetteError(
            f"{path} cannot be read as a Keras model: it is damaged, or needs layers that Keras"
            " itself does not have.",
            "Save the whole model again with Keras 3, from stock layers: model.save(...).",
        ) from error
    _check_classifier(model, path)
    return model


def _check_classifier(model: "keras.Model", path: Path) -> None:
    """Refuse what is not one picture in, one row of classes out.

    Raises:
        ImagetteError: the model is no classifier of pictures.
    """
    takes = [tuple(tensor.shape) for tensor in model.inputs or []]
    gives = [tuple(tensor.shape) for tensor in model.outputs or []]
    match takes, gives:
        case [(_, _, _) | (_, _, _, _)], [(_, int())]:
            return
    raise ImagetteError(
        f"{path} is no classifier of pictures: it goes from {takes} to {gives}.",
        "Export a model that goes from (batch, height, width, channels) to (batch, classes).",
    )


@contextmanager
def quiet(logger_name: str) -> Iterator[None]:
    """Keep a library's log lines, which no user can act on, off the terminal."""
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
