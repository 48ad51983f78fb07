"""Keras files for others: a run's network, or a Keras file, perhaps for another range of pixels."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.files import write_bytes
from imagette.training.foreign_models.compare import (
    MOST_DIFFERENCE,
    sample_pictures,
    to_greys,
)
from imagette.training.foreign_models.first_weights import infer_pixel_values
from imagette.training.foreign_models.keras_classifier import open_keras_classifier
from imagette.training.foreign_models.pixel_values import PixelValues, from_range
from imagette.training.keras_files import load_keras_file, save_keras
from imagette.training.teachable_machine import is_teachable_machine

if TYPE_CHECKING:
    import keras


def write_keras_file(
    source: Path, target: Path, pixels: str | int | None, of_run: bool
) -> tuple[str, ...]:
    """Write a network as `.keras` or `.h5`, by the ending of `target`.

    Args:
        source: the Keras file of the network.
        target: the file to write.
        pixels: the top of the range that the written file takes, 1 or 255; if None, 1 for `.h5`
            where it can be told what the network takes, otherwise what it takes.
        of_run: whether a run made it, and so for pixels in 0–255.

    Returns:
        What pixels the written file takes, in a sentence.

    Raises:
        ImagetteError: the network cannot be read, not be given such pixels, or not be written so
            that it answers alike.
    """
    if str(pixels) not in ("None", "1", "255"):
        raise ImagetteError(
            f"A {target.suffix} file is written for pixels in 0–1 or 0–255, not in {pixels}.",
            "Give --pixels 1 or --pixels 255, or leave it out.",
        )
    if source.suffix.lower() == ".onnx":
        raise ImagetteError(
            f"{source} is an ONNX file, which cannot be turned back into a Keras model.",
            "Export the run or the Keras file that it was made of, or make a bundle of it with"
            " --format onnx.",
        )
    model, notes = load_keras_file(source), []
    if is_teachable_machine(source):
        model = with_input_range(model, 1 / 127.5, offset=-1)
        notes.append("From Teachable Machine, whose models take pixels in −1…1.")
    top = int(pixels) if pixels else 1 if target.suffix == ".h5" else None
    takes = from_range(0, 255) if of_run else None
    if not of_run and top:
        takes = _range_of_file(model, source.name, needed=pixels is not None)
    written, gives = model, takes
    if takes and top:
        gives = from_range(0, top, takes.bgr)
        if gives != takes:
            factor = takes.factor[0] / gives.factor[0]
            written = with_input_range(model, factor, takes.offset[0])
    expected = _answers(model, takes)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / target.name
        save_keras(written, file)
        if not np.allclose(_answers(load_keras_file(file), gives), expected, 1e-4, MOST_DIFFERENCE):
            raise ImagetteError(
                f"The {target.suffix} file would not answer as {source.name} itself does."
                " Nothing was written.",
                "Export it to the other format of Keras, or to onnx.",
            )
        write_bytes(target, file.read_bytes())
    notes.append(
        f"It takes pixels in {gives.said}."
        if gives
        else f"It takes the same pixels as {source.name}."
    )
    return tuple(notes)


def _answers(model: "keras.Model", takes: PixelValues | None) -> NDArray[np.float32]:
    """What a network answers to real pictures; where it is not known what it takes, to some values
    of theirs."""
    [tensor] = model.inputs
    height, width = (side or 96 for side in tensor.shape[1:3])
    images = sample_pictures(height, width)
    images = to_greys(images) if tensor.shape[3] == 1 else images
    values = (takes or from_range(0, 1)).of(images)
    return np.asarray(model.predict_on_batch(values.astype(tensor.dtype)))


def _range_of_file(model: "keras.Model", name: str, needed: bool) -> PixelValues | None:
    """What pixels a Keras file takes, if its layers tell.

    Raises:
        ImagetteError: they do not, and it is needed.
    """
    [tensor] = model.inputs
    any_size = 96 if None in tensor.shape[1:3] else None  # what its layers tell holds for all
    values = None
    if tensor.dtype == "float32":  # to others, a Rescaling would give numbers that are rounded
        with suppress(ImagetteError):
            classifier = open_keras_classifier(model, name, None, any_size)
            values = infer_pixel_values(classifier.network, classifier.takes)
    if values is None and needed:
        raise ImagetteError(
            f"Which pixel values {name} expects cannot be found out, so they cannot be changed.",
            "Leave out --pixels: the file then takes the same values as now.",
        )
    return values


def with_input_range(model: "keras.Model", factor: float, offset: float = 0) -> "keras.Model":
    """The same network, taking pixels that are first multiplied by `factor`, then `offset` added.

    A factor of 255 makes a network of 0–255 take 0–1. Where the network begins with a Rescaling,
    that layer changes (or goes, if nothing is left for it to do), so that the saved file stays as
    plain as it was; otherwise a Rescaling comes before it.
    """
    import keras
    from keras import layers

    inputs = layers.Input(model.input_shape[1:], name="pixels")
    first, *rest = model.layers
    if not (isinstance(model, keras.Sequential) and isinstance(first, layers.Rescaling)):
        return keras.Model(inputs, model(layers.Rescaling(factor, offset)(inputs)), name=model.name)
    scale = np.asarray(first.scale) * factor
    shift = np.asarray(first.scale) * offset + first.offset
    plain = np.allclose(scale, 1) and np.allclose(shift, 0)
    rescaling = [] if plain else [layers.Rescaling(scale.tolist(), shift.tolist())]
    return keras.Sequential([inputs, *rescaling, *rest], name=model.name)
