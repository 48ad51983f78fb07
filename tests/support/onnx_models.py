"""Small ONNX classifiers such as people export them elsewhere, made without any of their tools."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Step = tuple[str, list, dict]
"""An operation: its kind, what it takes besides (arrays), and its attributes."""

_MEAN_OF_COLOURS = 4


def onnx_classifier(
    path: Path,
    *,
    front: list[Step] = (),
    back: list[Step] = (),
    classes: int = 3,
    layout: str = "nchw",
    channels: int = 3,
    batch: int | str = "n",
    size: int | str = 32,
    dtype: int = TensorProto.FLOAT,
    opset: int = 17,
    first: Step | None = None,
    flatten: Step = ("Flatten", [], {}),
) -> Path:
    """Write pixels → `front` → a convolution → global average → linear → `back`.

    Args:
        path: the file.
        front: what comes before the first weights, in NCHW (or after `Transpose` of `nhwc`).
        back: what comes after the last.
        classes: outputs.
        layout: `nchw`, `nhwc`, or `open` for axes of any length.
        channels: of its pictures.
        batch: how many it takes, a number or a name.
        size: rows and columns, likewise.
        dtype: what it takes.
        opset: of the file.
        first: a layer with weights before the convolution.
        flatten: how the features of each channel become rows.
    """
    random = np.random.default_rng(7)
    kind = helper.tensor_dtype_to_np_dtype(dtype)
    kind = np.float32 if kind.kind in "iu" else kind
    kernel = random.normal(0, 0.5, (_MEAN_OF_COLOURS, channels, 3, 3)).astype(kind)
    linear = random.normal(0, 1.5, (_MEAN_OF_COLOURS, classes)).astype(kind)
    to_first = [("Transpose", [], {"perm": [0, 3, 1, 2]})] if layout == "nhwc" else []
    steps = [
        *to_first, *front, *([first] if first else []), ("Conv", [kernel], {}), ("Abs", [], {}),
        ("GlobalAveragePool", [], {}), flatten, ("MatMul", [linear], {}), *back,
    ]  # fmt: skip
    nodes, constants, tensor = [], [], "image"
    for number, (operation, arrays, attributes) in enumerate(steps):
        names = [f"c{number}_{each}" for each in range(len(arrays))]
        constants += map(numpy_helper.from_array, arrays, names)
        output = "probabilities" if number == len(steps) - 1 else f"t{number}"
        nodes.append(helper.make_node(operation, [tensor, *names], [output], **attributes))
        tensor = output
    shape = {
        "nchw": [batch, channels, size, size],
        "nhwc": [batch, size, size, channels],
        "open": [batch, "a", "b", "c"],
    }[layout]
    gives = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    graph = helper.make_graph(
        nodes, "theirs",
        # Names that a bundle has too, for other things.
        [helper.make_tensor_value_info("image", dtype, shape)],
        [helper.make_tensor_value_info("probabilities", gives, None)],
        constants,
    )  # fmt: skip
    opsets = [helper.make_opsetid("", opset)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


def scale(factor=1.0, offset=0.0) -> list[Step]:
    """`pixels * factor + offset`, each one number or one a channel."""
    arrays = [np.reshape(np.float32(each), (-1, 1, 1)) for each in (factor, offset)]
    return [("Mul", [arrays[0]], {}), ("Add", [arrays[1]], {})]


def normalise(mean, std) -> list[Step]:
    """`(pixels - mean) / std` of each channel."""
    arrays = [np.reshape(np.float32(each), (-1, 1, 1)) for each in (mean, std)]
    return [("Sub", [arrays[0]], {}), ("Div", [arrays[1]], {})]


def batch_norm(mean, std) -> Step:
    """A batch normalisation that has seen pixels of this mean and deviation."""
    ones = np.ones(3, np.float32)
    variance = np.float32(std) ** 2 * ones
    return "BatchNormalization", [ones, 0 * ones, np.float32(mean) * ones, variance], {}


def answers_of(path: Path, taken: np.ndarray) -> np.ndarray:
    """What ONNX Runtime itself makes of pictures as the model takes them, one at a time."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    rows = [session.run(None, {"image": taken[n : n + 1]})[0] for n in range(len(taken))]
    return np.stack(rows).astype(np.float32).reshape(len(taken), -1)
