"""Keras' own files, `.keras` and `.h5`: read without running any code in them, and saved whole."""

import logging
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import h5py

from imagette.errors import ImagetteError
from imagette.files import replacing
from imagette.models.backend import load_torch_keras
from imagette.training.keras2 import keras_version, load_keras2
from imagette.training.keras2.layer_config import UnknownPartError
from imagette.training.keras2.weights import UnreadableWeightsError
from imagette.training.other_formats import refuse_other_formats

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
    if not path.exists():
        raise ImagetteError(f"There is no file {path}.", "Check its name and folder.")
    if path.suffix == ".onnx":
        raise ImagetteError(
            f"{path} is a bundle, which cannot be turned back into a Keras model.",
            "Export the run or the Keras file that it was made of.",
        )
    refuse_other_formats(path)
    if not (zipfile.is_zipfile(path) or h5py.is_hdf5(path)):
        raise ImagetteError(
            f"{path} is no Keras file: inside it is neither a zip (.keras) nor HDF5 (.h5).",
            "Name a .keras or .h5 file, or an ONNX file whose name ends in .onnx.",
        )
    load_torch_keras()
    with quiet("absl"):
        model = _load(path)
    _check_classifier(model, path)
    return model


def _load(path: Path) -> "keras.Model":
    """Open a whole model by Keras 3, or as one of Keras 2.

    Raises:
        ImagetteError: the file is damaged, carries code, or has what Keras 3 does not have.
    """
    import keras

    try:
        version = keras_version(path)
        if not version.startswith("3."):
            return load_keras2(path)
        try:
            return keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception:
            return load_keras2(path)
    # Keras raises nearly any exception on a damaged file or one made with custom code.
    except Exception as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> ImagetteError:
    unknown = error if isinstance(error, UnknownPartError) else None
    keras_says = str(error.__context__ if unknown else error).lower()
    code = re.search(r"\blambda\b|safe_mode|unsafe", keras_says)
    if code or (unknown and unknown.code):
        return ImagetteError(
            f"{path} carries program code (a Lambda layer or custom objects), which could do"
            " anything to this machine; it was not opened.",
            "Rebuild the model from Keras' stock layers and save it again.",
        )
    if isinstance(error, UnknownPartError | UnreadableWeightsError):
        version = keras_version(path)
        by = f", written by Keras {version}," if version else ""
        return ImagetteError(
            f"{path}{by} {error}.",
            "Build the model of Keras 3's own layers and save it whole: model.save(...).",
        )
    return ImagetteError(
        f"{path} cannot be read as a Keras model: it is damaged, or its layers do not fit each"
        " other.",
        "Copy or download it again, or save the whole model again: model.save(...).",
    )


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
        f"{path} is not an image classifier: it goes from {takes} to {gives}.",
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
