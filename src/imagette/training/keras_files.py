"""Keras' own files, `.keras` and `.h5`: read without running any code in them, and saved whole."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

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
    load_torch_keras()
    with quiet("absl"):
        model = _load(path)
    _check_classifier(model, path)
    return model


def input_range(model: "keras.Model", path: Path) -> Literal[1, 255]:
    """The top of the range of pixels a model takes, by the first layer that cares.

    255 if that layer scales them down, 1 if it has weights or scales otherwise. Data augmentation
    and the like, which have no weights, come before it in some models.

    Raises:
        ImagetteError: that layer is a Normalization, which tells nothing.
    """
    from keras import layers

    for layer in flat_layers(model):
        if isinstance(layer, layers.Rescaling):
            return 255 if np.max(layer.scale) < 0.1 else 1
        if isinstance(layer, layers.Normalization):
            raise ImagetteError(
                f"The range of pixels that the model of {path} takes cannot be told: it normalises"
                " them by means and deviations of its own.",
                "Export it to onnx, and say the range with --pixels 1 or --pixels 255.",
            )
        if layer.trainable_weights:
            break
    return 1


def with_input_range(model: "keras.Model", factor: float) -> "keras.Model":
    """The same network, taking pixels that are first multiplied by `factor`.

    A factor of 255 makes a network of 0–255 take 0–1. Where the network begins with a Rescaling,
    that layer changes (or goes, if nothing is left for it to do), so that the saved file stays as
    plain as it was; otherwise a Rescaling comes before it.
    """
    import keras
    from keras import layers

    inputs = layers.Input(model.input_shape[1:], name="pixels")
    first, *rest = model.layers
    if not (isinstance(model, keras.Sequential) and isinstance(first, layers.Rescaling)):
        return keras.Model(inputs, model(layers.Rescaling(factor)(inputs)), name=model.name)
    scale = np.asarray(first.scale) * factor
    plain = np.allclose(scale, 1) and np.allclose(first.offset, 0)
    rescaling = [] if plain else [layers.Rescaling(scale.tolist(), first.offset)]
    return keras.Sequential([inputs, *rescaling, *rest], name=model.name)


def flat_layers(model: "keras.Model") -> Iterator[Any]:
    """The layers in order, those of nested models in their place, Inputs left out."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


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
    """Refuse what is not one image in, one row of classes out."""
    takes = [tuple(tensor.shape) for tensor in model.inputs or []]
    gives = [tuple(tensor.shape) for tensor in model.outputs or []]
    match takes, gives:
        case [(_, int(), int(), 3)], [(_, int(classes))] if classes > 1:
            return
    raise ImagetteError(
        f"{path} is no classifier of colour pictures: it goes from {takes} to {gives}.",
        "It must go from (batch, height, width, 3) to (batch, classes).",
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
