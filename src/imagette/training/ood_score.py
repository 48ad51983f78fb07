"""`familiarity`, an out-of-distribution (OOD) score, of networks trained from scratch.

`imagette.heads.ood_score` is that of an EfficientNet-Lite that began with ImageNet's weights; this
is that of all other networks. It is brought to 0–1 alike: `KNOWN_SHARE` of the images held out come
to `THRESHOLD` or more, and their median to 0.88.

Three signs that an image is of none of them are combined by a product, as two are in Park et al.,
*Nearest Neighbor Guidance for Out-of-Distribution Detection*, 2023: the energy of the logits (Liu
et al., *Energy-based Out-of-distribution Detection*, 2020, section 3); how much the direction of
its features is that of the nearest class; and whether a small network that has seen the features of
made outliers takes them for those of an image of a class. That is outlier exposure (Hendrycks,
Mazeika & Dietterich, *Deep Anomaly Detection with Outlier Exposure*, 2019) of a last step alone: no
answer of the classifier itself changes. docs/reference/figures.md compares it with others.
"""

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.heads.head_graph import GraphBuilder
from imagette.heads.ood_score import KNOWN_SHARE

if TYPE_CHECKING:
    import onnx

METHOD = (
    "energy of the logits × cosine to the nearest class mean of the features × probability, by the"
    " features, of not being a made outlier"
)
MOST_IMAGES = 20_000
"""About how many of the images learned are looked at; all, where there are fewer."""
SMALLEST_SCORE = 1e-6
"""Smaller scores are raised to this, so that all have logarithms."""
_UNITS = 32
_EPOCHS = 20

Features = NDArray[np.float32]


class Score(NamedTuple):
    """What the score is made of."""

    means: NDArray[np.float32]
    """The mean direction of each class's features, `(classes, features)`, of length 1."""
    weights: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Of the small network: `(features, units)` and `(units, 1)`."""
    biases: tuple[NDArray[np.float32], NDArray[np.float32]]
    """Of the small network: `(units,)` and `(1,)`."""


def fit_score(learned: Features, labels: NDArray[np.int64], outliers: Features) -> Score:
    """Fit the score to features `(n, features)` of images that were learned, with their labels
    `(n,)`, and features `(m, features)` of images of nothing."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier
    from threadpoolctl import threadpool_limits

    directions = _directions(np.concatenate([learned, outliers]))
    middle, spread = directions.mean(axis=0), directions.std(axis=0) + np.float32(1e-6)
    network = MLPClassifier((_UNITS,), alpha=1e-3, max_iter=_EPOCHS, random_state=0)
    # One thread: with more, each of many small products waits for the others most of the time.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is to stop early
        network.fit((directions - middle) / spread, np.arange(len(directions)) < len(learned))
    first, last = (weights.astype(np.float32) for weights in network.coefs_)
    of_first, of_last = (biases.astype(np.float32) for biases in network.intercepts_)
    # What standardises the features is folded into the first layer.
    first = first / spread[:, None]
    return Score(_class_means(learned, labels), (first, last), (of_first - middle @ first, of_last))


def append_score(graph: "onnx.GraphProto", ends: tuple[str, str], score: Score) -> str:
    """Let a graph compute the score, higher for images that are more like those of the classes.

    `ends` are the names of its features and of its logits. Returns the name of the scores, float32
    `(batch, 1)`.
    """
    features, logits = ends
    nodes = GraphBuilder(graph, "familiarity")
    constant, node = nodes.constant, nodes.add

    def matrix(name: str, values: NDArray[np.float32]) -> str:
        """In 8 bits, with a scale for each column."""
        scales = np.maximum(np.abs(values).max(axis=0), 1e-12) / 127
        whole = nodes.stored(f"{name}_8_bits", np.round(values / scales).astype(np.int8))
        return node("Mul", [whole, constant(f"{name}_scales", scales)], name)

    def layer(inputs: str, number: int) -> str:
        weights = matrix(f"weights_{number}", score.weights[number])
        biases = constant(f"biases_{number}", score.biases[number])
        return node("Gemm", [inputs, weights, biases], f"layer_{number}")

    last = constant("last_axis", np.array([1]))
    mean = node("ReduceMean", [logits, last], "mean", keepdims=1)
    energy = node("ReduceLogSumExp", [node("Sub", [logits, mean], "centred"), last], "energy")
    length = node("ReduceL2", [features, last], "length")
    length = node("Max", [length, constant("least_length", 1e-6)], "safe_length")
    direction = node("Div", [features, length], "direction")
    cosines = node("MatMul", [direction, matrix("class_means", score.means.T)], "cosines")
    cosine = node("Relu", [node("ReduceMax", [cosines, last], "cosine")], "safe_cosine")
    hidden = node("Relu", [layer(direction, 0)], "hidden")
    no_outlier = node("Sigmoid", [layer(hidden, 1)], "no_outlier")
    return node("Mul", [node("Mul", [energy, cosine], "similarity"), no_outlier], "score")


def append_familiarity(
    graph: "onnx.GraphProto", score: str, of_held_out: NDArray[np.float32]
) -> None:
    """Let a graph give `familiarity`, float32 `(batch,)` in 0–1.

    `score` is the name that `append_score` gave, and `of_held_out` has the scores of images of the
    classes that were not learned; they set the threshold.
    """
    nodes = GraphBuilder(graph, "familiarity")
    constant, node = nodes.constant, nodes.add
    logarithms = np.log(np.maximum(of_held_out, SMALLEST_SCORE))
    threshold, median = np.quantile(logarithms, [1 - KNOWN_SHARE, 0.5])
    scale = max(float(median - threshold) / 2, 1e-6)
    logarithm = node(
        "Log", [node("Max", [score, constant("least", SMALLEST_SCORE)], "above_0")], "logarithm"
    )
    excess = node("Sub", [logarithm, constant("threshold", threshold)], "excess")
    ratio = node("Div", [excess, constant("scale", scale)], "ratio")
    ratio = node("Squeeze", [ratio, constant("squeezed_axis", np.array([1]))], "one_each")
    nodes.add_output("Sigmoid", [ratio], "familiarity", ["batch"])


def _class_means(features: Features, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    directions = _directions(features)
    classes = np.unique(labels)  # a class without an image has no mean, and is never the nearest
    return _directions(np.stack([directions[labels == label].mean(axis=0) for label in classes]))


def _directions(vectors: Features) -> Features:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-6))
