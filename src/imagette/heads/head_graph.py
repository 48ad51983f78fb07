"""A backbone's graph with a head on it: all of a bundle but what it says of itself."""

from typing import TYPE_CHECKING, Any

import numpy as np

from imagette.heads.head import Head
from imagette.heads.ood_score import OodScore

if TYPE_CHECKING:
    import onnx


def add_head(backbone: bytes, head: Head) -> "onnx.ModelProto":
    """Let a backbone answer.

    Args:
        backbone: the content of its `.onnx` file, from `image` to `features`, float32 `(batch,
            features)`.
        head: computes what `Head.predict` does.

    Returns:
        A graph from `image` to `probabilities`, `familiarity` and `features`.
    """
    import onnx

    proto = onnx.load_from_string(backbone)
    graph = proto.graph
    [features] = graph.output
    del graph.output[:]
    nodes = GraphBuilder(graph, "head")
    direction = _add_direction(nodes, "features")
    kernel = nodes.stored("kernel", head.kernel.astype(np.float16))
    scores = nodes.add("Gemm", [direction, kernel, nodes.constant("bias", head.bias)], "scores")
    temperature = nodes.constant("temperature", head.temperature)
    logits = nodes.add("Div", [scores, temperature], "logits")
    shape = ["batch", head.kernel.shape[1]]
    nodes.add_output("Softmax", [logits], "probabilities", shape, axis=1)
    _add_familiarity(nodes, direction, head.ood_score)
    graph.output.append(features)
    return proto


def add_familiarity(graph: "onnx.GraphProto", features: str, score: OodScore) -> None:
    """Add the output `familiarity`, an out-of-distribution (OOD) score, float32 `(batch,)` in 0–1.

    Args:
        graph: of a bundle.
        features: the name of what its last layer takes.
        score: of such features' directions (see `imagette.heads.head.root_directions`).
    """
    nodes = GraphBuilder(graph, "familiarity")
    positive = nodes.add("Relu", [features], "activations")
    direction = _add_direction(nodes, nodes.add("Sqrt", [positive], "first_roots"))
    _add_familiarity(nodes, direction, score)


class GraphBuilder:
    """Adds constants and operations to an ONNX graph, under names that begin alike.

    Each method returns the name of what it added, for the inputs of the next operation.

    Args:
        graph: changed in place.
        prefix: how the names begin.
    """

    def __init__(self, graph: "onnx.GraphProto", prefix: str) -> None:
        self.graph, self.prefix = graph, prefix

    def constant(self, name: str, value: Any) -> str:
        """Add an array, of one number at least; float64 becomes float32."""
        from onnx import numpy_helper

        name, array = f"{self.prefix}/{name}", np.ascontiguousarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        self.graph.initializer.append(numpy_helper.from_array(array, name))
        return name

    def stored(self, name: str, value: Any) -> str:
        """Add a constant of fewer bits; unlike DequantizeLinear, its cast is computed once, at
        opening."""
        from onnx import TensorProto

        stored = self.constant(f"{name}_stored", value)
        return self.add("Cast", [stored], name, to=TensorProto.FLOAT)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Add an operation with one output."""
        return self._append(kind, inputs, f"{self.prefix}/{output}", **attributes)

    def add_output(
        self, kind: str, inputs: list[str], name: str, shape: list[str | int], **attributes: Any
    ) -> str:
        """Add an operation that gives an output of the graph, float32, named without the prefix."""
        from onnx import TensorProto, helper

        self.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        return self._append(kind, inputs, name, **attributes)

    def _append(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def _add_direction(nodes: GraphBuilder, features: str) -> str:
    """See `imagette.heads.head.directions`."""
    last = nodes.constant("last_axis", [1])
    roots = nodes.add("Sqrt", [nodes.add("Relu", [features], "positive")], "roots")
    length = nodes.add("ReduceL2", [roots, last], "length", keepdims=1)
    length = nodes.add("Max", [length, nodes.constant("least_length", 1e-6)], "safe_length")
    return nodes.add("Div", [roots, length], "direction")


def _add_familiarity(nodes: GraphBuilder, direction: str, score: OodScore) -> None:
    """See `imagette.heads.ood_score.OodScore`."""
    references = nodes.stored("references", score.references.T)
    products = nodes.add("MatMul", [direction, references], "products")
    cosines = nodes.add("Div", [products, nodes.constant("lengths", score.lengths)], "cosines")
    last = f"{nodes.prefix}/last_axis"
    nearest = nodes.add("ReduceMax", [cosines, last], "similarity", keepdims=0)
    above = nodes.add("Sub", [nearest, nodes.constant("threshold", score.threshold)], "above")
    odds = nodes.add("Div", [above, nodes.constant("scale", score.scale)], "odds")
    nodes.add_output("Sigmoid", [odds], "familiarity", ["batch"])
