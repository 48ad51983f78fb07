"""Bundles in 8-bit numbers: a quarter of the size, and faster where they are computed with, too."""

import copy
import io
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagette.images.batches import batches, default_batch_size
from imagette.training.calibrate_bundle import remove_calibration
from imagette.training.keras_files import quiet

if TYPE_CHECKING:
    import onnx

SMALLEST = 1000
"""Weights with fewer numbers than this are left as they are: nothing would be gained."""

CALIBRATION_BATCH = 250


def quantize_weights(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy of a bundle, its weights in 8 bits, each output channel with a scale of its own.

    Arithmetic stays float32: ONNX Runtime multiplies the weights out when it opens the file, so
    the answers come as fast as before.
    """
    quantized = copy.deepcopy(proto)
    graph = quantized.graph
    large = {one.name: one for one in graph.initializer if np.prod(one.dims) >= SMALLEST}
    for node in list(graph.node):
        axis = _output_axis(node)
        if axis is not None and node.input[1] in large:
            _store_in_8_bits(graph, large.pop(node.input[1]), axis)
    return quantized


def _output_axis(node: "onnx.NodeProto") -> int | None:
    """The axis of the node's weights that runs over its output channels, if it has weights."""
    transposed = any(one.name == "transB" and one.i for one in node.attribute)
    return {"Conv": 0, "MatMul": 1, "Gemm": 0 if transposed else 1}.get(node.op_type)


def _store_in_8_bits(graph: "onnx.GraphProto", weight: "onnx.TensorProto", axis: int) -> None:
    """Replace a weight by its integers, and what computes it from them."""
    from onnx import TensorProto, helper, numpy_helper

    name, values = weight.name, numpy_helper.to_array(weight)
    others = tuple(one for one in range(values.ndim) if one != axis)
    scale = np.abs(values).max(axis=others, keepdims=True) / np.float32(127)
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    integers = np.round(values / scale).astype(np.int8)
    graph.initializer.remove(weight)
    graph.initializer.append(numpy_helper.from_array(integers, f"{name}_8_bits"))
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
    # A cast and a product: unlike DequantizeLinear, ONNX Runtime computes them once, at opening.
    cast = helper.make_node("Cast", [f"{name}_8_bits"], [f"{name}_cast"], to=TensorProto.FLOAT)
    product = helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [name])
    graph.node.insert(0, product)
    graph.node.insert(0, cast)


def quantize_all(proto: "onnx.ModelProto", images: NDArray[np.uint8]) -> "onnx.ModelProto":
    """A copy of a bundle that computes in 8-bit integers: convolutions, pooling and activations.

    Its calibration, which was fitted to float32, is left out.

    The range of each layer's outputs is found by running some images (static quantization after
    training; Nagel et al., *A White Paper on Neural Network Quantization*, 2021, section 3). The
    first convolution and its activation stay in float32, where 8 bits would cost most (a network
    that has no other convolution stays as it is), and so do the last layer and its softmax, so that
    probabilities have all their digits. Weights have 7 bits, so that no sum of two products
    overflows on processors without VNNI.

    Args:
        proto: a bundle in float32.
        images: uint8 `(n, height, width, 3)`, of those that the network has learned from.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    network = remove_calibration(proto)
    size = default_batch_size(CALIBRATION_BATCH, *images.shape[1:3])
    inputs = ({"image": images[batch]} for batch in batches(len(images), size))
    # ONNX Runtime's tools go from file to file, and say what no user can act on.
    with TemporaryDirectory() as folder, quiet("root"), redirect_stdout(io.StringIO()):
        bare, prepared, result = (Path(folder) / name for name in ("bare", "prepared", "result"))
        onnx.save(network, bare)
        quant_pre_process(bare, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, result, SimpleNamespace(get_next=lambda: next(inputs, None)),
            quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
            weight_type=QuantType.QInt8, activation_type=QuantType.QUInt8,
            nodes_to_exclude=_ends(onnx.load(prepared).graph),
        )  # fmt: skip
        quantized = onnx.load(result)
    _shorten_names(quantized.graph)
    del quantized.metadata_props[:]
    quantized.metadata_props.extend(network.metadata_props)
    return quantized


def _shorten_names(graph: "onnx.GraphProto") -> None:
    """Number what is inside a graph: hundreds of long names would weigh more than a layer."""
    short = {each.name: each.name for each in [*graph.input, *graph.output]} | {"": ""}
    for initializer in graph.initializer:
        initializer.name = short.setdefault(initializer.name, f"t{len(short)}")
    for node in graph.node:
        node.name = node.doc_string = ""
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"t{len(short)}") for name in names]
    del graph.value_info[:]


def _ends(graph: "onnx.GraphProto") -> list[str]:
    """Names of the nodes before the second convolution, and of those that make probabilities."""
    kinds = [node.op_type for node in graph.node]
    convolutions = [number for number, kind in enumerate(kinds) if kind == "Conv"]
    products = [number for number, kind in enumerate(kinds) if kind in ("MatMul", "Gemm")]
    first = convolutions[1] if len(convolutions) > 1 else len(kinds)
    last = products[-1] if products else len(kinds)
    return [node.name for node in [*graph.node[:first], *graph.node[last:]]]
