"""Bundles that open and must not be let in: what their graphs do shows only when they run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from support.tiny_bundle import write_bundle


def _constant(model: onnx.ModelProto, name: str, value) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array(value), name))


def _then(model: onnx.ModelProto, *nodes: onnx.NodeProto) -> None:
    """Let the probabilities go through further operations; the first takes `before`."""
    model.graph.node[-1].output[0] = "before"
    model.graph.node.extend(nodes)


def answers_infinity(model: onnx.ModelProto) -> None:
    """Each probability is divided by nothing."""
    _constant(model, "zero", np.float32(0))
    _then(model, helper.make_node("Div", ["before", "zero"], ["probabilities"]))


def adds_up_to_two(model: onnx.ModelProto) -> None:
    """Each probability is doubled, and none is more than 1 where there are many classes."""
    _constant(model, "two", np.float32(2))
    _then(model, helper.make_node("Mul", ["before", "two"], ["probabilities"]))


def fails_on_grey(model: onnx.ModelProto) -> None:
    """Not a number for a picture of the mean colour 100, and well for any other."""
    _constant(model, "hundred", np.float32(100))
    _constant(model, "channels", [1])
    _then(
        model,
        helper.make_node("ReduceMean", ["colour", "channels"], ["mean"], keepdims=1),
        helper.make_node("Sub", ["mean", "hundred"], ["off"]),
        helper.make_node("Div", ["off", "off"], ["one"]),
        helper.make_node("Mul", ["before", "one"], ["probabilities"]),
    )


def never_ends(model: onnx.ModelProto) -> None:
    """An endless loop."""
    take, give = helper.make_tensor_value_info, helper.make_node
    body = helper.make_graph(
        [give("Identity", ["go"], ["go_on"]), give("Identity", ["rows"], ["same"])],
        "body",
        [take("turn", TensorProto.INT64, []), take("go", TensorProto.BOOL, []),
         take("rows", TensorProto.FLOAT, None)],
        [take("go_on", TensorProto.BOOL, []), take("same", TensorProto.FLOAT, None)],
    )  # fmt: skip
    _constant(model, "true", np.bool_(True))
    _then(model, helper.make_node("Loop", ["", "true", "before"], ["probabilities"], body=body))


def takes_all_memory(model: onnx.ModelProto) -> None:
    """Eight gigabytes of zeros, added up and onto each probability."""
    _constant(model, "many", [2_000_000_000])
    _constant(model, "first", [0])
    _then(
        model,
        helper.make_node("ConstantOfShape", ["many"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros", "first"], ["none"], keepdims=1),
        helper.make_node("Add", ["before", "none"], ["probabilities"]),
    )


def takes_huge_pictures(model: onnx.ModelProto) -> None:
    """50,000 × 50,000 pixels."""
    for axis in (1, 2):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 50_000


def write_hostile(path: Path, change: Callable[[onnx.ModelProto], None]) -> Path:
    """The tiny bundle, changed by one of the functions above."""
    write_bundle(path)
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    return path
