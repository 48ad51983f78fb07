"""A second answer of the bundle: how much a picture is like those of the classes at all.

Two signs that a picture is of none of them are combined by a product, as in Park et al., *Nearest
Neighbor Guidance for Out-of-Distribution Detection*, 2023: the energy of the logits (Liu et al.,
*Energy-based Out-of-distribution Detection*, 2020, section 3) and how much the direction of its
features is that of the nearest class. Where theirs are the nearest of many pictures, these are the
classes' means: as good on what was tried (docs/trust.md), and ten rows instead of thousands.
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from imagette.training.graph import add_constant, add_node

if TYPE_CHECKING:
    import onnx

METHOD = "energy of the logits × cosine to the nearest class mean of the features"
KEPT = 0.95
"""Share of the held-out pictures that the threshold takes for pictures of the classes."""
THRESHOLD = 0.5
"""What familiarity is at the threshold; at the median of the held-out pictures it is 0.88."""
PICTURES = 5000
"""How many of the pictures learned the means are of; all, where there are fewer."""


def append_familiarity(
    graph: "onnx.GraphProto",
    ends: tuple[str, str],
    learned: tuple[NDArray[np.float32], NDArray[np.int64]],
    held_out: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Let a graph give `familiarity`, float32 `(batch,)` in 0–1.

    Args:
        graph: of a bundle.
        ends: names of its features and of its logits.
        learned: features `(n, features)` and labels `(n,)` of pictures that were learned.
        held_out: features `(m, features)` and logits `(m, classes)` of other pictures of the same
            classes; `KEPT` of them come to `THRESHOLD` or more.
    """
    means = class_means(*learned)
    features, logits = held_out
    scores = logsumexp(logits, axis=1) * (_directions(features) @ means.T).max(axis=1)
    low, middle = np.quantile(scores, [1 - KEPT, 0.5])
    _append_nodes(graph, ends, means, float(low), max(float(middle - low) / 2, 1e-6))


def class_means(features: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean direction of each class's features, float32 `(classes, features)`, of length 1."""
    directions = _directions(features)
    classes = np.unique(labels)  # a class without a picture has no mean, and is never the nearest
    return _directions(np.stack([directions[labels == label].mean(axis=0) for label in classes]))


def _directions(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-6))


def _append_nodes(
    graph: "onnx.GraphProto",
    ends: tuple[str, str],
    means: NDArray[np.float32],
    threshold: float,
    scale: float,
) -> None:
    from onnx import TensorProto, helper

    features, logits = ends

    def constant(name: str, value: object) -> str:
        return add_constant(graph, f"familiarity/{name}", value)

    def node(kind: str, inputs: list[str], output: str, **attributes: int) -> str:
        return add_node(graph, kind, inputs, f"familiarity/{output}", **attributes)

    last = constant("last_axis", np.array([1]))
    energy = node("ReduceLogSumExp", [logits, last], "energy", keepdims=0)
    length = node("ReduceL2", [features, last], "length", keepdims=1)
    length = node("Max", [length, constant("least_length", 1e-6)], "safe_length")
    direction = node("Div", [features, length], "direction")
    cosines = node("MatMul", [direction, constant("class_means", means.T)], "cosines")
    cosine = node("ReduceMax", [cosines, last], "cosine", keepdims=0)
    score = node("Mul", [energy, cosine], "score")
    # Brought to 0–1, with THRESHOLD where the score reaches `threshold`.
    excess = node("Sub", [score, constant("threshold", threshold)], "excess")
    ratio = node("Div", [excess, constant("scale", scale)], "ratio")
    add_node(graph, "Sigmoid", [ratio], "familiarity")
    graph.output.append(helper.make_tensor_value_info("familiarity", TensorProto.FLOAT, ["batch"]))
