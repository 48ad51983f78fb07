"""Keras' own files, some of them damaged, hostile, or no classifiers at all."""

import json
from pathlib import Path

import h5py
import pytest
from support.keras_models import functional

from imagette import ImagetteError
from imagette.models.backend import load_keras
from imagette.training.export import export


@pytest.mark.parametrize("format", ["h5", "keras"])
def test_a_file_that_carries_code_is_refused(tmp_path, format):
    trace, path = str(tmp_path / "trace"), tmp_path / f"evil.{format}"
    functional(load_keras().layers.Lambda(lambda x: (Path(trace).touch(), x)[1])).save(path)
    Path(trace).unlink()  # building the model ran the code
    with pytest.raises(ImagetteError, match="carries program code"):
        export(path, "onnx")
    assert not Path(trace).exists()
    assert not path.with_suffix(".onnx").exists()


def test_damaged_and_missing_files_are_named(tmp_path):
    (tmp_path / "broken.h5").write_bytes(b"nonsense")
    with pytest.raises(ImagetteError, match=r"broken\.h5 is no Keras file"):
        export(tmp_path / "broken.h5", "onnx")
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.attrs["model_config"] = "{"
    with pytest.raises(ImagetteError, match=r"odd\.h5 cannot be read as a Keras model"):
        export(tmp_path / "odd.h5", "onnx")
    layers = [
        {"class_name": "InputLayer", "config": {"batch_input_shape": [None, 8, 8, 3]}},
        {"class_name": "GlobalAveragePooling1D", "config": {"name": "mean"}},
    ]
    described = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
    with h5py.File(tmp_path / "odd.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(described)
        file.attrs["keras_version"] = "2.15.0"
    with pytest.raises(ImagetteError, match=r"odd\.h5, written by Keras 2\.15\.0, has layers that"):
        export(tmp_path / "odd.h5", "onnx")
    with pytest.raises(ImagetteError, match=r"no file .*absent\.h5"):
        export(tmp_path / "absent.h5", "onnx")
    with pytest.raises(ImagetteError, match="is no run"):
        export(tmp_path, "h5")
