"""Files and folders that people take for a Keras model: told for what they are."""

import json
import pickle
import zipfile

import numpy as np
import pytest
import torch
from support.keras_models import classic_model

from imagette import ImagetteError
from imagette.training.export import export


def zipped(*names):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"")

    return write


def saved_model(path):
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_bytes(b"\x08\x01")


def cut(path):
    classic_model().save(path)
    path.write_bytes(path.read_bytes()[:-3000])


def safetensors(path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def written(content):
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "write", "says"),
    [
        ("m.h5", written(b""), "is empty"),
        ("m.h5", written(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "Git LFS"),
        ("m.keras", written(b"\n<!DOCTYPE html><html>404</html>"), "a web page"),
        ("m.keras", cut, "is cut off"),
        ("m.h5", cut, "is cut off"),
        ("m.pt", lambda path: torch.save({"a": torch.zeros(1)}, path), "PyTorch"),
        ("m.h5", written(pickle.dumps(np.zeros(1))), "a pickle"),
        ("m.safetensors", safetensors, "weights alone"),
        ("m.weights.h5", lambda path: classic_model().save_weights(path), "weights alone"),
        ("m.json", lambda path: path.write_text(classic_model().to_json()), "layers alone"),
        ("model.json", written(b'{"modelTopology": {}, "weightsManifest": []}'), "TensorFlow.js"),
        ("tm-my-image-model.zip", zipped("model.json", "weights.bin"), "TensorFlow.js"),
        ("m.xml", written(b'<?xml version="1.0"?><net name="m"/>'), "no Keras file"),
        ("m.mlmodel", written(b"\x08\x04\x12\x22" + bytes(40)), "no Keras file"),
        ("m.tflite", written(b"\x1c\0\0\0TFL3" + bytes(40)), "TensorFlow Lite"),
        ("converted_tflite.zip", zipped("model_unquant.tflite", "labels.txt"), "TensorFlow Lite"),
        ("folder", saved_model, "SavedModel"),
        ("m.zip", zipped("model.savedmodel/saved_model.pb", "labels.txt"), "SavedModel"),
        ("m.zip", zipped("a.h5", "b.h5"), "several Keras files"),
        ("m.zip", zipped("notes.txt"), "no .keras or .h5 file"),
    ],
)
def test_what_is_no_keras_model_is_told_for_what_it_is(tmp_path, name, write, says):
    write(tmp_path / name)
    with pytest.raises(ImagetteError) as refused:
        export(tmp_path / name, "onnx", classes=["a", "b"])
    assert name in refused.value.problem
    assert says in refused.value.problem
