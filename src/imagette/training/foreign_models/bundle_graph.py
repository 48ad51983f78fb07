"""A foreign network's graph with what makes it a bundle's before and behind it."""

from typing import TYPE_CHECKING

import numpy as np

from imagette.heads.head_graph import GraphBuilder
from imagette.inference.bundle import BundleMetadata
from imagette.training.foreign_models.last_layer import Answers
from imagette.training.foreign_models.picture_input import PictureInput
from imagette.training.foreign_models.pixel_values import PixelValues

if TYPE_CHECKING:
    import onnx

_NETWORK = "network/"
"""How all names inside the foreign graph begin."""


def build_foreign_bundle(
    network: "onnx.ModelProto",
    takes: PictureInput,
    pixels: PixelValues,
    answers: Answers,
    metadata: BundleMetadata,
    one_by_one: bool = False,
) -> "onnx.ModelProto":
    """Make the bundle of a network.

    Args:
        network: from what it takes to what it gives, its one output.
        takes: what it takes.
        pixels: in which values.
        answers: what it gives.
        metadata: what the bundle is to say of itself.
        one_by_one: let it see one picture at a time, where it cannot take several.

    Returns:
        A graph from `image`, uint8 `(batch, height, width, 3)`, to `probabilities`, float32
        `(batch, classes)`.
    """
    import onnx

    inner = onnx.compose.add_prefix(network, _NETWORK)
    graph = onnx.GraphProto(name="bundle")
    image = ["batch", takes.height, takes.width, 3]
    graph.input.append(onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, image))
    nodes = GraphBuilder(graph, "imagette")
    prepared = _prepare(nodes, takes, pixels)
    outputs = len(metadata.class_names) if answers not in ("sigmoid", "logit") else 1
    given = (_each_picture if one_by_one else _all_pictures)(
        nodes, inner.graph, prepared, takes, outputs
    )
    _answer(nodes, given, answers, metadata)
    proto = onnx.helper.make_model(
        graph, opset_imports=network.opset_import, ir_version=network.ir_version
    )
    onnx.helper.set_model_props(proto, metadata.to_properties())
    return proto


def _prepare(nodes: GraphBuilder, takes: PictureInput, pixels: PixelValues) -> str:
    """From the image to what the network takes, as `PixelValues.of` and `PictureInput.arrange`."""
    from onnx import TensorProto, helper

    x = nodes.add("Cast", ["image"], "levels", to=TensorProto.FLOAT)
    if takes.channels == 1:
        x = _to_grey(nodes, x)
    elif pixels.bgr:
        x = nodes.add("Gather", [x, nodes.constant("bgr", [2, 1, 0])], "blue_first", axis=3)
    if any(each != 1 for each in pixels.factor):
        x = nodes.add("Mul", [x, nodes.constant("factor", np.array(pixels.factor))], "scaled")
    if any(pixels.offset):
        x = nodes.add("Add", [x, nodes.constant("offset", np.array(pixels.offset))], "shifted")
    if takes.layout == "nchw":
        x = nodes.add("Transpose", [x], "channels_first", perm=[0, 3, 1, 2])
    elif takes.layout == "nhw":
        shape = nodes.constant("greys", [-1, takes.height, takes.width])
        x = nodes.add("Reshape", [x, shape], "without_channel")
    if takes.dtype != np.float32:
        x = nodes.add("Cast", [x], "as_taken", to=helper.np_dtype_to_tensor_dtype(takes.dtype))
    return x


def _to_grey(nodes: GraphBuilder, image: str) -> str:
    """The luma that Pillow's mode L has, and Keras' `color_mode="grayscale"`; exact in float32."""
    weights = nodes.constant("luma", np.array([[19595.0], [38470.0], [7471.0]]))
    luma = nodes.add("MatMul", [image, weights], "luma_65536")
    luma = nodes.add("Add", [luma, nodes.constant("half", np.array([32768.0]))], "luma_rounded")
    luma = nodes.add("Mul", [luma, nodes.constant("step", np.array([1 / 65536]))], "luma_levels")
    return nodes.add("Floor", [luma], "grey")


def _all_pictures(
    nodes: GraphBuilder, inner: "onnx.GraphProto", prepared: str, takes: PictureInput, outputs: int
) -> str:
    """Run the network on all pictures at once; returns what it gives, `(batch, outputs)`."""
    from onnx import helper

    # Under the name that it has inside, for graphs within the graph use it too.
    graph = nodes.graph
    graph.node.append(helper.make_node("Identity", [prepared], [inner.input[0].name]))
    graph.node.extend(inner.node)
    graph.initializer.extend(inner.initializer)
    graph.sparse_initializer.extend(inner.sparse_initializer)
    return _rows(nodes, inner.output[0].name, [-1, outputs], "rows")


def _each_picture(
    nodes: GraphBuilder, inner: "onnx.GraphProto", prepared: str, takes: PictureInput, outputs: int
) -> str:
    """The same, one picture at a time: for networks of which something holds for one alone."""
    from onnx import TensorProto, helper

    one = takes.constant(0, 1)
    dtype = helper.np_dtype_to_tensor_dtype(takes.dtype)
    taken = helper.make_tensor_value_info("imagette/one", dtype, one.shape[1:])
    body = helper.make_graph([], "one_picture", [taken], [], inner.initializer)
    body.sparse_initializer.extend(inner.sparse_initializer)
    inside = GraphBuilder(body, "imagette/inside")
    shape = inside.constant("shape", list(one.shape))
    body.node.append(helper.make_node("Reshape", ["imagette/one", shape], [inner.input[0].name]))
    body.node.extend(inner.node)
    row = _rows(inside, inner.output[0].name, [outputs], "row")
    body.output.append(helper.make_tensor_value_info(row, TensorProto.FLOAT, [outputs]))
    return nodes.add("Scan", [prepared], "rows", body=body, num_scan_inputs=1)


def _rows(nodes: GraphBuilder, given: str, shape: list[int], name: str) -> str:
    from onnx import TensorProto

    given = nodes.add("Cast", [given], f"{name}_float32", to=TensorProto.FLOAT)
    return nodes.add("Reshape", [given, nodes.constant(f"{name}_shape", shape)], name)


def _answer(nodes: GraphBuilder, given: str, answers: Answers, metadata: BundleMetadata) -> None:
    """From what the network gives to probabilities, as `last_layer.to_probabilities`."""
    if answers in ("sigmoid", "logit"):
        second = nodes.add("Sigmoid", [given], "second") if answers == "logit" else given
        first = nodes.add("Sub", [nodes.constant("one", np.array([1.0])), second], "first")
        kind, inputs, attributes = "Concat", [first, second], {"axis": 1}
    else:
        kind, attributes = {
            "probabilities": ("Identity", {}),
            "log-probabilities": ("Exp", {}),
            "logits": ("Softmax", {"axis": 1}),
        }[answers]
        inputs = [given]
    shape: list[str | int] = ["batch", len(metadata.class_names)]
    nodes.add_output(kind, inputs, "probabilities", shape, **attributes)
