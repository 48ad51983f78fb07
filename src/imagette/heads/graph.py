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
        head: computes what `Head.answer` does.

    Returns:
        A graph from `image` to `probabilities`, `familiarity` and `features`.
    """
    import onnx
    from onnx import TensorProto, helper

    proto = onnx.load_from_string(backbone)
    graph = proto.graph
    nodes = _Nodes(graph, "head")
    direction = nodes.add_direction("features")
    kernel = nodes.stored("kernel", head.kernel.astype(np.float16))
    scores = nodes.add("Gemm", [direction, kernel, nodes.constant("bias", head.bias)], "scores")
    temperature = nodes.constant("temperature", np.float32(head.temperature))
    logits = nodes.add("Div", [scores, temperature], "logits")
    graph.node.append(helper.make_node("Softmax", [logits], ["probabilities"], axis=1))
    nodes.add_familiarity(direction, head.ood_score)
    features = graph.output[0]
    outputs = [
        helper.make_tensor_value_info(
            "probabilities", TensorProto.FLOAT, ["batch", head.kernel.shape[1]]
        ),
        helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]),
        onnx.ValueInfoProto.FromString(features.SerializeToString()),
    ]
    del graph.output[:]
    graph.output.extend(outputs)
    return proto


def add_familiarity(graph: "onnx.GraphProto", features: str, score: OodScore) -> None:
    """Add the output `familiarity`, float32 `(batch,)` in 0–1, computed from a network's features.

    Args:
        graph: of a bundle.
        features: the name of what its last layer takes.
        score: of such features' directions (see `imagette.heads.head.root_directions`).
    """
    from onnx import TensorProto, helper

    nodes = _Nodes(graph, "familiarity")
    positive = nodes.add("Relu", [features], "activations")
    nodes.add_familiarity(nodes.add_direction(nodes.add("Sqrt", [positive], "first_roots")), score)
    graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))


class _Nodes:
    """Adds operations to a graph, under names that begin alike."""

    def __init__(self, graph: "onnx.GraphProto", prefix: str) -> None:
        self.graph, self.prefix = graph, prefix

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        name = f"{self.prefix}/{name}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def stored(self, name: str, value: Any) -> str:
        """A constant of fewer bits, which ONNX Runtime turns to float32 once, at opening."""
        from onnx import TensorProto

        stored = self.constant(f"{name}_stored", np.ascontiguousarray(value))
        return self.add("Cast", [stored], name, to=TensorProto.FLOAT)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        output = f"{self.prefix}/{output}"
        self.graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def add_direction(self, features: str) -> str:
        """See `imagette.heads.head.directions`."""
        last = self.constant("last_axis", np.array([1], np.int64))
        roots = self.add("Sqrt", [self.add("Relu", [features], "positive")], "roots")
        length = self.add("ReduceL2", [roots, last], "length", keepdims=1)
        least = self.constant("least_length", np.float32(1e-6))
        return self.add(
            "Div", [roots, self.add("Max", [length, least], "safe_length")], "direction"
        )

    def add_familiarity(self, direction: str, score: OodScore) -> None:
        """See `imagette.heads.ood_score.OodScore`."""
        from onnx import helper

        references = self.stored("references", score.references.T)
        products = self.add("MatMul", [direction, references], "products")
        cosines = self.add("Div", [products, self.constant("lengths", score.lengths)], "cosines")
        last = f"{self.prefix}/last_axis"
        nearest = self.add("ReduceMax", [cosines, last], "similarity", keepdims=0)
        above = self.add(
            "Sub", [nearest, self.constant("threshold", np.float32(score.threshold))], "above"
        )
        odds = self.add("Div", [above, self.constant("scale", np.float32(score.scale))], "odds")
        self.graph.node.append(helper.make_node("Sigmoid", [odds], ["familiarity"]))
