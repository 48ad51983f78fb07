"""Calls of TensorFlow in a functional model of Keras 2, such as `x / 127.5 - 1`, as layers.

Keras 2 notes such a call by the function's name and its arguments; those that a stock layer
computes as well are known here, any other is refused by its name.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.training.keras2.layer_config import Config, UnknownPartError, described

CALLS = {"TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer"}
"""What Keras 2 calls such a call."""

_ACTIVATIONS = {
    "nn.relu": "relu", "nn.relu6": "relu6", "nn.elu": "elu", "nn.selu": "selu", "nn.silu": "silu",
    "nn.swish": "silu", "nn.sigmoid": "sigmoid", "math.sigmoid": "sigmoid", "nn.tanh": "tanh",
    "math.tanh": "tanh", "nn.softplus": "softplus", "math.softplus": "softplus",
    "nn.softsign": "softsign", "nn.gelu": "gelu", "nn.softmax": "softmax",
}  # fmt: skip

_OF_TWO = {
    "add": "Add", "subtract": "Subtract", "multiply": "Multiply", "maximum": "Maximum",
    "minimum": "Minimum",
}  # fmt: skip

_POOLINGS = {"reduce_mean": "GlobalAveragePooling", "reduce_max": "GlobalMaxPooling"}

_SAYS_NOTHING: Config = {"name": None, "data_format": "NHWC", "conjugate": False}
"""Arguments that many calls have, and the value that changes nothing."""


_FUNCTIONS = {
    "RealDiv": "math.truediv", "Mul": "math.multiply", "Sub": "math.subtract", "Add": "math.add",
    "AddV2": "math.add", "Maximum": "math.maximum", "Minimum": "math.minimum", "Relu": "nn.relu",
    "Relu6": "nn.relu6", "Sigmoid": "math.sigmoid", "Tanh": "math.tanh",
}  # fmt: skip
"""What TensorFlow's own operations without settings are called in Python."""


def function_of(op: str) -> str:
    """The function that an operation of TensorFlow's graphs is called by.

    Raises:
        UnknownPartError: it is not known here.
    """
    if op not in _FUNCTIONS:
        raise UnknownPartError(f"calls {op} of TensorFlow, which no layer of Keras 3 does")
    return _FUNCTIONS[op]


def operation(function: str, inputs: list[Any], arguments: Config) -> tuple[Config, list[Any]]:
    """The layer that computes what a call of TensorFlow does.

    Args:
        function: such as `math.truediv`.
        inputs: its tensors, each as None, and its constants, in order.
        arguments: the others, by name.

    Returns:
        What `keras.saving.deserialize_keras_object` takes, and what it is called with after its
        tensors.

    Raises:
        UnknownPartError: no layer does.
    """
    short = function.rpartition(".")[2]
    said = {
        key: value
        for key, value in arguments.items()
        if value is not None and (key == "name" or value != _SAYS_NOTHING.get(key))
    }
    said.pop("name", None)
    layer: Config | None = None
    after: list[Any] = []
    if inputs == [None, None] and short in _OF_TWO and not said:
        layer = described(_OF_TWO[short])
    elif short == "concat" and set(said) == {"axis"} and set(inputs) == {None}:
        layer = described("Concatenate", axis=said["axis"])
    elif len(inputs) == 2 and inputs.count(None) == 1 and not said:
        layer = _with_constant(short, *inputs)
    elif inputs == [None] and set(said) == {"slice_spec"}:
        layer, after = _slice(said["slice_spec"])
    elif inputs == [None]:
        layer = _of_one(function, said)
    if layer is None:
        raise UnknownPartError(f"calls tf.{function} in a way that no layer of Keras 3 does")
    return layer, after


def _with_constant(function: str, left: Any, right: Any) -> Config | None:
    """Arithmetic of a tensor and a number, or of one number a channel; the tensor is None."""
    constant: NDArray[Any] = np.asarray(right if left is None else left, np.float64)
    if constant.size != 1 and constant.size != constant.shape[-1]:
        return None
    constant = constant.reshape(() if constant.size == 1 else -1)
    one: NDArray[Any] = np.ones(())
    none: NDArray[Any] = np.zeros(())
    match function, left is None:
        case ("add" | "bias_add", _):
            scale, offset = one, constant
        case ("subtract", True):
            scale, offset = one, -constant
        case ("subtract", False):
            scale, offset = -one, constant
        case ("multiply", _):
            scale, offset = constant, none
        case ("truediv" | "divide", True):
            scale, offset = 1 / constant, none
        case _:
            return None
    return described("Rescaling", scale=scale.tolist(), offset=offset.tolist())


def _of_one(function: str, said: Config) -> Config | None:
    """What a call with one tensor does; `said` are its arguments."""
    match function.rpartition(".")[2], said:
        case _, {**rest} if function in _ACTIVATIONS and rest in ({}, {"axis": -1}):
            return described("Activation", activation=_ACTIVATIONS[function])
        case "leaky_relu", {**rest} if not set(rest) - {"alpha"}:
            return described("LeakyReLU", negative_slope=said.get("alpha", 0.2))
        case "identity" | "stop_gradient", {**rest} if not rest:
            return described("Identity")
        case "cast", {"dtype": str(dtype)} if dtype.startswith("float"):
            return described("Identity")
        case ("reduce_mean" | "reduce_max") as kind, {"axis": axis, **rest} if axis in (
            1,
            [1],
            [1, 2],
        ) and not set(rest) - {"keepdims"}:
            dimensions = 2 if axis == [1, 2] else 1
            return described(
                f"{_POOLINGS[kind]}{dimensions}D", keepdims=said.get("keepdims", False)
            )
        case "reshape", {"shape": [None | -1, *shape], **rest} if not rest:
            return described("Reshape", target_shape=shape)
        case "transpose", {"perm": [0, *axes], **rest} if not rest:
            return described("Permute", dims=axes)
        case "resize", {"size": [int(height), int(width)], **rest} if not set(rest) - {"method"}:
            method = said.get("method", "bilinear")
            return described("Resizing", height=height, width=width, interpolation=method)
    return None


def _slice(spec: Any) -> tuple[Config | None, list[Any]]:
    """`x[..., ::-1]`, which turns colours around, and slices without steps backwards."""
    parts = spec if isinstance(spec, list) else [spec]
    key: list[Any] = []
    for part in parts:
        match part:
            case {"class_name": "__ellipsis__"}:
                key.append({"class_name": "__ellipsis__", "config": {}})
            case {"start": int() | None, "stop": int() | None, "step": int() | None}:
                key.append({"class_name": "__slice__", "config": part})
            case int():
                key.append(part)
            case _:
                return None, []
    if [*parts[1:]] == [{"start": None, "stop": None, "step": -1}] and "class_name" in parts[0]:
        return _numpy_operation("Flip", axis=-1), []
    if any(isinstance(part, dict) and (part.get("step") or 1) < 0 for part in parts):
        return None, []
    return _numpy_operation("GetItem"), [key]


def _numpy_operation(kind: str, **config: Any) -> Config:
    """An operation of Keras that is no layer, as it describes them itself."""
    module = "keras.src.ops.numpy"
    return {"module": module, "class_name": kind, "config": config, "registered_name": kind}
