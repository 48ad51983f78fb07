"""A small bundle made without any training framework."""

from pathlib import Path

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
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from imagette.inference.bundle import BundleMetadata

    classes = len(class_names)
    weights = np.random.default_rng(0).normal(0, 0.02, (3, classes)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["pixels", "axes"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=-1),
        ],
        "mean-colour",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", classes])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    metadata = BundleMetadata(
        class_names=tuple(class_names), class_names_fr=tuple(class_names_fr), model="mean-colour"
    )
    helper.set_model_props(model, metadata.to_properties())
    onnx.save(model, path)
    return path
