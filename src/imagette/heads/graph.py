"""A backbone's graph with a head on it: all of a bundle but what it says of itself."""

from typing import TYPE_CHECKING, Any

import numpy as np

from imagette.heads.head import Head

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
    nodes = _Nodes(graph)
    direction = nodes.add_direction("features")
    kernel = nodes.stored("kernel", head.kernel.astype(np.float16))
    scores = nodes.add("Gemm", [direction, kernel, nodes.constant("bias", head.bias)], "scores")
    temperature = nodes.constant("temperature", np.float32(head.temperature))
    logits = nodes.add("Div", [scores, temperature], "logits")
    graph.node.append(helper.make_node("Softmax", [logits], ["probabilities"], axis=1))
    nodes.add_familiarity(direction, head)
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


class _Nodes:
    """Adds what a head computes to a graph, under names that begin alike."""

    def __init__(self, graph: "onnx.GraphProto") -> None:
        self.graph = graph

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value), f"head/{name}"))
        return f"head/{name}"

    def stored(self, name: str, value: Any) -> str:
        """A constant of fewer bits, which ONNX Runtime turns to float32 once, at opening."""
        from onnx import TensorProto

        stored = self.constant(f"{name}_stored", np.ascontiguousarray(value))
        return self.add("Cast", [stored], name, to=TensorProto.FLOAT)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.graph.node.append(helper.make_node(kind, inputs, [f"head/{output}"], **attributes))
        return f"head/{output}"

    def add_direction(self, features: str) -> str:
        """See `imagette.heads.head.directions`."""
        last = self.constant("last_axis", np.array([1], np.int64))
        roots = self.add("Sqrt", [self.add("Relu", [features], "positive")], "roots")
        length = self.add("ReduceL2", [roots, last], "length", keepdims=1)
        least = self.constant("least_length", np.float32(1e-6))
        return self.add(
            "Div", [roots, self.add("Max", [length, least], "safe_length")], "direction"
        )

    def add_familiarity(self, direction: str, head: Head) -> None:
        """See `imagette.heads.ood_score.OodScore`."""
        from onnx import helper

        score = head.ood_score
        references = self.stored("references", score.references.T)
        products = self.add("MatMul", [direction, references], "products")
        cosines = self.add("Div", [products, self.constant("lengths", score.lengths)], "cosines")
        nearest = self.add("ReduceMax", [cosines, "head/last_axis"], "similarity", keepdims=0)
        above = self.add(
            "Sub", [nearest, self.constant("threshold", np.float32(score.threshold))], "above"
        )
        odds = self.add("Div", [above, self.constant("scale", np.float32(score.scale))], "odds")
        self.graph.node.append(helper.make_node("Sigmoid", [odds], ["familiarity"]))
