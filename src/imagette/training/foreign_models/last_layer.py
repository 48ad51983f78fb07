"""What the numbers mean that a network gives, told by its last activation."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from imagette.errors import ImagetteError

if TYPE_CHECKING:
    import onnx

Answers = Literal["probabilities", "log-probabilities", "logits", "sigmoid", "logit"]
"""What a network gives for each class, or (the last two) for the second of two classes."""

_UNCHANGED = {
    "Cast", "DequantizeLinear", "Dropout", "Flatten", "Identity", "QuantizeLinear", "Reshape",
    "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
_LINEAR = {
    "BatchNormalization", "Conv", "Einsum", "Gemm", "MatMul", "MatMulInteger", "QLinearConv",
    "QLinearMatMul",
}  # fmt: skip
_POOLING = {
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "MaxPool", "QLinearAveragePool",
    "QLinearGlobalAveragePool", "ReduceMax", "ReduceMean",
}  # fmt: skip
_ARITHMETIC = {"Add", "Concat", "Div", "Mean", "Mul", "Sub", "Sum"}
_ACTIVATIONS = {
    "HardSigmoid": "sigmoid", "LogSoftmax": "log-probabilities", "QLinearSigmoid": "sigmoid",
    "QLinearSoftmax": "probabilities", "Sigmoid": "sigmoid", "Softmax": "probabilities",
}  # fmt: skip

_TOLERANCE = 0.02
"""How far the sum of probabilities may be from one: in 8 bits they are rounded to 1/256 each."""


def read_answers(name: str, network: "onnx.ModelProto", given: NDArray[np.float32]) -> Answers:
    """Tell what a network gives.

    Args:
        name: what the file is called in errors.
        network: its graph, whose last activation is looked for.
        given: what it gave for some pictures, float32 `(n, outputs)`. Where its end is no single
            activation (such as the mean of several networks), these tell whether they are
            probabilities; otherwise only that they are what the activation promises.

    Raises:
        ImagetteError: it gives neither probabilities nor logits of classes of which one is right.
    """
    kinds = _Ends(network.graph).of(network.graph.output[0].name)
    [kind] = kinds if len(kinds) == 1 else ["several"]
    if given.shape[1] == 1:
        if kind == "sigmoid" and given.min() >= 0 and given.max() <= 1:
            return "sigmoid"
        if kind == "logits":
            return "logit"
        raise ImagetteError(
            f"{name} gives one number that is neither through a sigmoid nor a logit ({kind}), which"
            " tells no two classes apart.",
            "Train one with a sigmoid at its end, or with two outputs and a softmax.",
        )
    if kind == "sigmoid":
        raise ImagetteError(
            f"{name} gives {given.shape[1]} outputs, each through a sigmoid: any number of its"
            " classes can be right at once, and a bundle names one.",
            "Train one with a softmax at its end, on pictures of one class each:"
            " imagette train FOLDER.",
        )
    if kind == "logits":
        return "logits"
    if given.min() >= -1e-6 and np.abs(given.sum(axis=1) - 1).max() < _TOLERANCE:
        return "probabilities"
    if given.max() <= 1e-6 and np.abs(np.exp(given).sum(axis=1) - 1).max() < _TOLERANCE:
        return "log-probabilities"
    raise ImagetteError(
        f"{name} ends in {kind}, and gives neither probabilities that sum to one nor logits.",
        "Export it without that last activation, so that it ends in logits, or with a softmax.",
    )


def to_probabilities(given: NDArray[np.float32], answers: Answers) -> NDArray[np.float32]:
    """Probabilities `(n, classes)` of what a network gives, `(n, outputs)`."""
    match answers:
        case "probabilities":
            return given
        case "log-probabilities":
            return np.exp(given)
        case "logits":
            return softmax(given, axis=1)
    second = given if answers == "sigmoid" else expit(given)
    return np.concatenate([1 - second, second], axis=1)


class _Ends:
    """By which activations the tensors of a graph were made."""

    def __init__(self, graph: "onnx.GraphProto") -> None:
        self.makers = {output: node for node in graph.node for output in node.output}
        self.of_input = {graph.input[0].name}
        for node in graph.node:
            if self.of_input & set(node.input):
                self.of_input |= set(node.output)

    def of(self, tensor: str) -> set[str]:
        """Names of activations, in words of `Answers` where they have one."""
        node = self.makers.get(tensor)
        if node is None:
            return {"the pixels"}
        from_input = [each for each in node.input if each in self.of_input]
        if node.op_type in _ACTIVATIONS:
            return {_ACTIVATIONS[node.op_type]}
        if node.op_type in _LINEAR:
            return {"logits"}
        if node.op_type in _UNCHANGED:
            return self.of(node.input[0])
        if node.op_type in _POOLING:
            # A ReLU before the last pooling, as SqueezeNet has it, still leaves scores of classes.
            kinds = self.of(node.input[0])
            return {"logits"} if kinds == {"Relu"} else kinds
        if node.op_type in _ARITHMETIC and from_input:
            kinds = set[str]().union(*map(self.of, from_input))
            # It also gives the scale of the weights' input, a factor that changes no meaning.
            return kinds - {"DynamicQuantizeLinear"}
        return {node.op_type}
