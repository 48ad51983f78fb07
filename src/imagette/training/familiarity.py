"""A second answer of the bundle: how much a picture is like those of the classes at all.

Two signs that a picture is of none of them are combined by a product, as in Park et al., *Nearest
Neighbor Guidance for Out-of-Distribution Detection*, 2023: the energy of the logits (Liu et al.,
*Energy-based Out-of-distribution Detection*, 2020, section 3) and how much the direction of its
features is that of the nearest class. Where theirs are the nearest of many pictures, these are the
classes' means: as good on what was tried (docs/evaluation.md), and ten rows instead of thousands.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.data.dataset import Part
from imagette.files import replacing
from imagette.inference.bundle import open_bundle

if TYPE_CHECKING:
    import onnx

METHOD = "energy of the logits × cosine to the nearest class mean of the features"
KEPT = 0.95
"""Share of the held-out pictures that the threshold takes for pictures of the classes."""
THRESHOLD = 0.5
"""What familiarity is at the threshold; at the median of the held-out pictures it is 0.88."""
PICTURES = 5000
"""How many of the pictures learned the means are of; all, where there are fewer."""
_BATCH = 250


def add_familiarity(bundle: Path, learned: Part, held_out: NDArray[np.uint8]) -> bool:
    """Let a bundle's graph give `familiarity` too; one that gives it already is fitted anew.

    Args:
        bundle: the file to change.
        learned: pictures that the network learned from, and their classes.
        held_out: uint8 `(n, height, width, 3)`, others of the same classes; they set the threshold.

    Returns:
        Whether that could be done: the network must end in a linear layer and a softmax.
    """
    import onnx

    proto = onnx.load(bundle)
    properties = {each.key: each.value for each in proto.metadata_props}
    if len(proto.graph.output) > 1:
        proto = onnx.utils.Extractor(proto).extract_model(["image"], ["probabilities"])
    ends = _find_ends(proto.graph)
    if ends is None:
        return False
    features, logits = ends
    some = slice(None, None, -(-len(learned) // PICTURES))  # spread, as folders come by class
    means = _class_means(_run(proto, features, learned.images[some]), learned.labels[some])
    _append_score(proto.graph, features, logits, means)
    scores = _run(proto, "familiarity_score", held_out)
    low, middle = np.quantile(scores, [1 - KEPT, 0.5])
    _append_familiarity(proto.graph, float(low), max(float(middle - low) / 2, 1e-6))
    properties |= {
        "familiarity_threshold": json.dumps(THRESHOLD),
        "familiarity_method": json.dumps(METHOD),
    }
    onnx.helper.set_model_props(proto, properties)
    with replacing(bundle) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        open_bundle(temporary)
    return True


def _find_ends(graph: "onnx.GraphProto") -> tuple[str, str] | None:
    """The names of the features that the last layer takes, and of the logits that it gives."""
    makers = {output: node for node in graph.node for output in node.output}
    softmax = makers.get("probabilities")
    if softmax is None or softmax.op_type != "Softmax":
        return None
    logits = softmax.input[0]
    node = makers.get(logits)
    if node is not None and node.op_type == "Add":  # the bias, where it is a step of its own
        node = next((makers[name] for name in node.input if name in makers), None)
    if node is None or node.op_type not in ("Gemm", "MatMul"):
        return None
    return node.input[0], logits


def _class_means(features: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean direction of each class's features, float32 `(classes, features)`, of length 1."""
    directions = _directions(features)
    means = [directions[labels == label].mean(axis=0) for label in range(labels.max() + 1)]
    return _directions(np.stack(means))


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-6))


def _append_score(
    graph: "onnx.GraphProto", features: str, logits: str, means: NDArray[np.float32]
) -> None:
    """Nodes that compute `familiarity_score`: energy times cosine."""
    _add_constant(graph, "last_axis", np.array([1], np.int64))
    _add_constant(graph, "class_means", np.ascontiguousarray(means.T))
    _add_constant(graph, "least_length", np.array(1e-6, np.float32))
    _add_node(graph, "ReduceLogSumExp", [logits, "last_axis"], "energy", keepdims=0)
    _add_node(graph, "ReduceL2", [features, "last_axis"], "length", keepdims=1)
    _add_node(graph, "Max", ["length", "least_length"], "safe_length")
    _add_node(graph, "Div", [features, "safe_length"], "direction")
    _add_node(graph, "MatMul", ["direction", "class_means"], "cosines")
    _add_node(graph, "ReduceMax", ["cosines", "last_axis"], "nearest_cosine", keepdims=0)
    _add_node(graph, "Mul", ["energy", "nearest_cosine"], "familiarity_score")


def _append_familiarity(graph: "onnx.GraphProto", threshold: float, scale: float) -> None:
    """Nodes that bring the score to 0–1, with `THRESHOLD` where it reaches `threshold`."""
    from onnx import TensorProto, helper

    _add_constant(graph, "familiarity_offset", np.array(threshold, np.float32))
    _add_constant(graph, "familiarity_scale", np.array(scale, np.float32))
    _add_node(graph, "Sub", ["familiarity_score", "familiarity_offset"], "familiarity_excess")
    _add_node(graph, "Div", ["familiarity_excess", "familiarity_scale"], "familiarity_logit")
    _add_node(graph, "Sigmoid", ["familiarity_logit"], "familiarity")
    graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))


def _add_constant(graph: "onnx.GraphProto", name: str, value: NDArray) -> None:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(value, name))


def _add_node(
    graph: "onnx.GraphProto", kind: str, inputs: list[str], output: str, **attributes: int
) -> None:
    from onnx import helper

    graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))


def _run(proto: "onnx.ModelProto", output: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What one tensor of the graph becomes for pictures, a batch at a time."""
    import onnx

    asked = onnx.ModelProto()
    asked.CopyFrom(proto)
    del asked.graph.output[:]
    asked.graph.output.append(onnx.ValueInfoProto(name=output))
    session = onnxruntime.InferenceSession(
        asked.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    starts = range(0, len(images), _BATCH)
    parts = [
        session.run([output], {"image": images[start : start + _BATCH]})[0] for start in starts
    ]
    return np.concatenate(parts)
