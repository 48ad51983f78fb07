"""A small bundle made without any training framework."""

from pathlib import Path
from typing import Any

import numpy as np

# The order of the official files.
CIFAR10_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"
)  # fmt: skip
CIFAR10_NAMES_FR = (
    "avion", "voiture", "oiseau", "chat", "cerf", "chien", "grenouille", "cheval", "bateau",
    "camion",
)  # fmt: skip


def write_bundle(path: Path, class_names=CIFAR10_NAMES, class_names_fr=CIFAR10_NAMES_FR, size=32):
    """A real bundle with fixed random weights: mean colour of the picture → linear → softmax."""
    weights = np.random.default_rng(0).normal(0, 0.02, (3, len(class_names))).astype(np.float32)
    nodes = [
        ("Cast", ["image"], "pixels", {"to": 1}),  # float32
        ("ReduceMean", ["pixels", "axes"], "colour", {"keepdims": 0}),
        ("MatMul", ["colour", "weights"], "logits", {}),
    ]
    constants = {"weights": weights, "axes": np.array([1, 2])}
    return write_graph(path, nodes, constants, class_names, class_names_fr, size)


def write_graph(
    path: Path,
    nodes: list[tuple[str, list[str], str, dict[str, Any]]],
    constants: dict[str, np.ndarray],
    class_names,
    class_names_fr,
    size: int = 32,
) -> Path:
    """A bundle of a few operations that go from `image` to `logits`.

    Args:
        path: the file.
        nodes: kind, inputs, output and attributes of each operation.
        constants: what they take besides, by name.
        class_names: in English.
        class_names_fr: in French.
        size: height and width of the pictures, in pixels.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from imagette.inference.bundle import BundleMetadata

    shape = ["batch", len(class_names)]
    last = ("Softmax", ["logits"], "probabilities", {"axis": -1})
    graph = helper.make_graph(
        [helper.make_node(kind, x, [y], **more) for kind, x, y, more in [*nodes, last]],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    metadata = BundleMetadata(
        class_names=tuple(class_names), class_names_fr=tuple(class_names_fr), model="mean-colour"
    )
    helper.set_model_props(model, metadata.to_properties())
    onnx.save(model, path)
    return path
