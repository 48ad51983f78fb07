"""What a file is that people take for a Keras model, told by what is in it."""

import json
import re
import zipfile
from pathlib import Path

from imagette.errors import ImagetteError

_KERAS_AGAIN = (
    "Use the Keras file that it was made of; Teachable Machine gives one under Export Model,"
    " Tensorflow, Keras."
)
_ONNX = "Write it as ONNX where it was trained (torch.onnx.export), and export that file."
_WHOLE = "Build the model in Python, load the weights into it, and save it whole: model.save(...)."

_KINDS = {
    "empty": ("{path} is empty.", "Copy or download it again."),
    "pointer": (
        "{path} is a pointer of Git LFS: the model itself was not downloaded.",
        "Run `git lfs pull` where it comes from, or download the file itself.",
    ),
    "page": ("{path} is a web page, not the file that it links to.", "Download the file itself."),
    "cut": ("{path} is cut off: its end is missing.", "Copy or download it again."),
    "pytorch": ("{path} is a file of PyTorch, which holds program code; it was not opened.", _ONNX),
    "pickle": ("{path} is a pickle of Python, which holds program code; it was not opened.", _ONNX),
    "safetensors": ("{path} holds weights alone, without the layers that they belong to.", _ONNX),
    "weights": ("{path} holds weights alone, without the layers that they belong to.", _WHOLE),
    "layers": ("{path} holds the layers alone, without their weights.", _WHOLE),
    "tflite": ("{path} is a model of TensorFlow Lite, which cannot be turned back.", _KERAS_AGAIN),
    "tfjs": (
        "{path} is a model of TensorFlow.js.",
        "Turn it into a Keras file: tensorflowjs_converter --input_format tfjs_layers_model"
        " --output_format keras model.json model.h5; or, from Teachable Machine, choose"
        " Tensorflow, Keras under Export Model.",
    ),
    "saved_model": (
        "{path} is a SavedModel of TensorFlow.",
        "Save it as one file with the TensorFlow that wrote it:"
        " tf.keras.models.load_model(FOLDER).save('model.h5'); or, from Teachable Machine, choose"
        " Tensorflow, Keras under Export Model.",
    ),
}


def refuse_other_formats(path: Path) -> None:
    """Say what a file or a folder is, where it is known and no whole Keras model.

    Raises:
        ImagetteError: it is.
    """
    names = [each.name for each in path.rglob("*")] if path.is_dir() else []
    kind = _kind_by_names(names) if path.is_dir() else _kind_of_file(path)
    if kind:
        problem, remedy = _KINDS[kind]
        raise ImagetteError(problem.format(path=path), remedy)


def _kind_of_file(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(4096)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n")
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return _kind_by_names(archive.namelist())
    beginnings = {
        b"version https://git-lfs": "pointer", b"PK": "cut", b"\x80": "pickle",
    }  # fmt: skip
    for beginning, kind in beginnings.items():
        if text.startswith(beginning):
            return kind
    if not start:
        return "empty"
    if re.search(rb"<(!doctype )?html", text[:1024], re.IGNORECASE):
        return "page"
    if start[4:8] == b"TFL3":
        return "tflite"
    if text.startswith(b"{"):
        return _kind_of_json(path)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < path.stat().st_size:
        return "safetensors"
    if start.startswith(b"\x89HDF"):
        return _kind_of_hdf5(path)
    return "saved_model" if path.name == "saved_model.pb" else None


def _kind_by_names(names: list[str]) -> str | None:
    """What an archive or a folder is by the names of the files in it."""
    last = {name.replace("\\", "/").rpartition("/")[2] for name in names}
    if "data.pkl" in last:
        return "pytorch"
    if "saved_model.pb" in last:
        return "saved_model"
    if any(name.endswith(".tflite") for name in last):
        return "tflite"
    return "tfjs" if "model.json" in last else None


def _kind_of_json(path: Path) -> str | None:
    try:
        keys = set(json.loads(path.read_bytes()))
    except ValueError:
        return None
    return "tfjs" if "modelTopology" in keys else "layers" if "class_name" in keys else None


def _kind_of_hdf5(path: Path) -> str | None:
    import h5py

    try:
        with h5py.File(path) as file:
            return None if "model_config" in file.attrs else "weights"
    except OSError:
        return "cut"
