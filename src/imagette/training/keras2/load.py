"""Keras 2's files, `.h5` and `.keras`: brought up to date, and read without running code.

A file's layers are built anew by Keras 3, from what it says of them (`model_config`), and take
its weights by their names (`weights`).
"""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py

from imagette.training.keras2.layer_config import UnknownPartError
from imagette.training.keras2.model_config import update_model
from imagette.training.keras2.weights import load_weights

if TYPE_CHECKING:
    import keras

_MAX_INFLATION = 200
"""How many times its size in the file a part of it may take in memory."""


def load_keras2(path: Path) -> "keras.Model":
    """Load a file of Keras 2, or one of Keras 3 with keys of Keras 2.

    Raises:
        UnknownPartError: it has something whose meaning Keras 3 cannot keep.
        UnreadableWeightsError: its weights are not those of its layers.
        Exception: nearly any, where the file is damaged.
    """
    import keras

    with _opened(path) as (file, archive):
        text = _text(_member(archive, "config.json") if archive else file.attrs["model_config"])
        if "hard_sigmoid" in text and keras_version(path).startswith("3."):
            raise UnknownPartError("has hard_sigmoid, another function in Keras 2 than in Keras 3")
        if _text(file.attrs.get("backend", "")) == "theano":
            raise UnknownPartError("was made with Theano, whose convolutions are mirrored")
        config, layers = update_model(_plain(json.loads(text)))
        try:
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
        except Exception as error:  # Keras raises nearly any
            raise UnknownPartError("has layers that Keras 3 cannot put together") from error
        load_weights(model, layers, file)
    return model


def keras_version(path: Path) -> str:
    """The version of Keras that a file says it was written by; "" where it says none.

    Raises:
        Exception: nearly any, where the file is damaged.
    """
    with _opened(path) as (file, archive):
        if archive:
            return str(json.loads(_member(archive, "metadata.json")).get("keras_version", ""))
        return _text(file.attrs.get("keras_version", ""))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[h5py.File, zipfile.ZipFile | None]]:
    """The HDF5 file with the weights, and the archive that it is in, if it is in one."""
    if not zipfile.is_zipfile(path):
        with h5py.File(path) as file:
            yield file, None
        return
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(_member(archive, "model.weights.h5"))
        with h5py.File(weights) as file:
            yield file, archive


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    info = archive.getinfo(name)
    if info.file_size > _MAX_INFLATION * max(info.compress_size, 1 << 16):
        raise zipfile.BadZipFile(f"{name} would take {info.file_size} bytes")
    return archive.read(info)


def _plain(value: Any) -> Any:
    """What JSON has no word for, as numbers and lists."""
    match value:
        case {"class_name": "TensorShape" | "__tuple__", "items": items}:
            return _plain(items)
        case {"type": "ndarray", "value": number}:
            return number
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
    return value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
