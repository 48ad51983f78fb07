"""A Keras network, run by PyTorch itself on the very same weights.

Keras' layers cost time on PyTorch: each call passes through Keras' own checks, and its training
BatchNormalization reads its input several times. So the graph is read from the model's
configuration, each layer is replaced by the PyTorch call that computes the same, and what has no
translation here runs as Keras runs it.

Activations keep Keras' order (batch, height, width, channels), which in memory is what PyTorch
calls channels-last: a `permute` before and after a convolution costs nothing.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    import keras

Operation = Callable[..., Tensor]
"""From a layer's inputs, and `training=`, to its output."""


class Translated:
    """The network of a Keras model, from its Input to one of its layers.

    Its parameters are those of the Keras model: whatever trains one trains the other.

    Args:
        model: a Sequential or functional Keras model, channels last.
        until: the name of the layer whose output is wanted; by default the model's output.
    """

    def __init__(self, model: "keras.Model", until: str | None = None) -> None:
        self.steps, output = _read_graph(model)
        if until is not None:
            names = [name for name, _, _ in self.steps]
            self.steps = self.steps[: names.index(until) + 1]
            output = until
        self.output = output

    def __call__(self, pictures: Tensor, training: bool = False) -> Tensor:
        """Compute in the type of `pictures`; the weights are rounded to it, never changed.

        Args:
            pictures: `(batch, height, width, channels)`, float32, bfloat16 or float16.
            training: whether BatchNormalization learns and Dropout drops.

        Returns:
            float32, of the layer's shape.
        """
        values: dict[str, Tensor] = {}
        for name, operation, inputs in self.steps:
            arguments = [_fetch(source, values) for source in inputs]
            values[name] = operation(*(arguments or [pictures]), training=training)
        return values[self.output].float()


def translate(layer: "keras.Layer") -> Operation:
    """The PyTorch operation of a Keras layer; the layer itself where none is written here."""
    # Exactly that class: a subclass may compute something else.
    make = _TRANSLATIONS.get(type(layer).__name__) if _is_stock(layer) else None
    operation = make(layer) if make else None
    return operation or _as_keras(layer)


# --- the graph -----------------------------------------------------------------------------------


def _read_graph(model: "keras.Model") -> tuple[list[tuple[str, Operation, list[Any]]], str]:
    """Steps in order, each a name, an operation and the names of its inputs; the output's name."""
    import keras

    if isinstance(model, keras.Sequential):
        layers = [layer for layer in model.layers if not _is_input(layer)]
        names = [layer.name for layer in layers]
        sources: list[list[Any]] = [[], *([name] for name in names[:-1])]
        return list(zip(names, map(translate, layers), sources, strict=True)), names[-1]
    config = model.get_config()
    steps = []
    for described in config["layers"]:
        layer, nodes = model.get_layer(described["name"]), described["inbound_nodes"]
        if len(nodes) > 1:
            raise ValueError(f"The layer {layer.name} is used more than once.")
        if _is_input(layer):
            steps.append((layer.name, _first, []))
        else:
            steps.append((layer.name, translate(layer), [_names(a) for a in nodes[0]["args"]]))
    return steps, _output_name(config["output_layers"])


def _output_name(outputs: Any) -> str:
    """The name in `["logits", 0, 0]`, or in a list of one such."""
    return outputs[0] if isinstance(outputs[0], str) else _output_name(outputs[0])


def _names(argument: Any) -> Any:
    """The layer that an argument of a node comes from; a list of them for layers such as Add."""
    if isinstance(argument, list | tuple):
        return [_names(one) for one in argument]
    return argument["config"]["keras_history"][0]


def _fetch(source: Any, values: dict[str, Tensor]) -> Any:
    if isinstance(source, list):
        return [_fetch(one, values) for one in source]
    return values[source]


def _is_input(layer: "keras.Layer") -> bool:
    return type(layer).__name__ == "InputLayer"


def _is_stock(layer: "keras.Layer") -> bool:
    return type(layer).__module__.startswith("keras.")


def _as_keras(layer: "keras.Layer") -> Operation:
    """Keras' own call, in float32, which is what its variables are in."""

    def run(inputs: Any, training: bool) -> Tensor:
        many = isinstance(inputs, list)
        floats = [one.float() for one in inputs] if many else inputs.float()
        kind = inputs[0].dtype if many else inputs.dtype
        return layer(floats, training=training).to(kind)

    return run


def _first(inputs: Tensor, training: bool) -> Tensor:
    return inputs


# --- the layers ----------------------------------------------------------------------------------


def _channels_first(tensor: Tensor) -> Tensor:
    return tensor.permute(0, 3, 1, 2)


def _channels_last(tensor: Tensor) -> Tensor:
    return tensor.permute(0, 2, 3, 1)


def _activation(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """PyTorch's function for one of Keras'; Keras' own, which runs on tensors too, for others."""
    from keras import activations

    return {
        activations.linear: lambda x: x,
        activations.relu: functional.relu,
        activations.gelu: functional.gelu,
        activations.silu: functional.silu,
        activations.softmax: lambda x: functional.softmax(x, dim=-1),
    }.get(function, function)


def _convolution(layer: Any) -> Operation | None:
    if layer.data_format != "channels_last":
        return None
    kernel, bias = _kernel_and_bias(layer)
    activation = _activation(layer.activation)

    def run(inputs: Tensor, training: bool) -> Tensor:
        filters = kernel.permute(3, 2, 0, 1)  # Keras: height, width, in, out
        inputs, padding = _padded(inputs, layer)
        outputs = functional.conv2d(
            _channels_first(inputs),
            filters.to(inputs.dtype, memory_format=torch.channels_last),
            None if bias is None else bias.to(inputs.dtype),
            layer.strides,
            padding,
            layer.dilation_rate,
            layer.groups,
        )
        return activation(_channels_last(outputs))

    return run


def _kernel_and_bias(layer: Any) -> tuple[Tensor, Tensor | None]:
    return layer.kernel.value, layer.bias.value if layer.use_bias else None


def _padded(inputs: Tensor, layer: Any) -> tuple[Tensor, tuple[int, int]]:
    """What is left to pad by the convolution itself, which knows only equal sides.

    Keras' "same" puts the odd row or column at the end.
    """
    if layer.padding == "valid":
        return inputs, (0, 0)
    sides = []
    for axis in (0, 1):
        size, stride = inputs.shape[1 + axis], layer.strides[axis]
        reach = layer.dilation_rate[axis] * (layer.kernel_size[axis] - 1) + 1
        total = max((-(-size // stride) - 1) * stride + reach - size, 0)
        sides.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = sides
    if (top, left) == (bottom, right):
        return inputs, (top, left)
    return functional.pad(inputs, (0, 0, left, right, top, bottom)), (0, 0)


def _dense(layer: Any) -> Operation | None:
    kernel, bias = _kernel_and_bias(layer)
    activation = _activation(layer.activation)

    def run(inputs: Tensor, training: bool) -> Tensor:
        offset = None if bias is None else bias.to(inputs.dtype)
        return activation(functional.linear(inputs, kernel.t().to(inputs.dtype), offset))

    return run


def _batch_normalization(layer: Any) -> Operation | None:
    if layer.axis not in (-1, 3):
        return None
    gamma = layer.gamma.value if layer.scale else None
    beta = layer.beta.value if layer.center else None
    mean, variance = layer.moving_mean.value, layer.moving_variance.value

    def run(inputs: Tensor, training: bool) -> Tensor:
        spatial = inputs.ndim == 4
        x = _channels_first(inputs) if spatial else inputs
        if training and layer.trainable:
            batch_mean, batch_variance = mean.clone(), variance.clone()
            # A momentum of 1 makes PyTorch leave the batch's own statistics there.
            x = functional.batch_norm(
                x, batch_mean, batch_variance, gamma, beta, True, 1.0, layer.epsilon
            )
            count = inputs.numel() // inputs.shape[-1]
            with torch.no_grad():
                mean.lerp_(batch_mean, 1 - layer.momentum)
                # PyTorch divides by count - 1, Keras by count.
                variance.lerp_(batch_variance * ((count - 1) / count), 1 - layer.momentum)
        else:
            x = functional.batch_norm(x, mean, variance, gamma, beta, False, 0.0, layer.epsilon)
        return _channels_last(x) if spatial else x

    return run


def _pooling(pool: Callable[..., Tensor]) -> Callable[[Any], Operation | None]:
    def make(layer: Any) -> Operation | None:
        if layer.data_format != "channels_last" or layer.padding != "valid":
            return None

        def run(inputs: Tensor, training: bool) -> Tensor:
            return _channels_last(pool(_channels_first(inputs), layer.pool_size, layer.strides))

        return run

    return make


def _global_pooling(pool: Callable[..., Tensor]) -> Callable[[Any], Operation | None]:
    def make(layer: Any) -> Operation | None:
        if layer.data_format != "channels_last":
            return None
        return lambda inputs, training: pool(inputs, dim=(1, 2), keepdim=layer.keepdims)

    return make


def _dropout(layer: Any) -> Operation | None:
    if layer.noise_shape is not None:
        return None
    return lambda inputs, training: functional.dropout(inputs, layer.rate, training)


def _rescaling(layer: Any) -> Operation | None:
    if not isinstance(layer.scale, int | float) or not isinstance(layer.offset, int | float):
        return None
    return lambda inputs, training: inputs * layer.scale + layer.offset


def _simple(function: Callable[[Any], Tensor]) -> Callable[[Any], Operation]:
    return lambda layer: lambda inputs, training: function(inputs)


_TRANSLATIONS: dict[str, Callable[[Any], Operation | None]] = {
    "Activation": lambda layer: _simple(_activation(layer.activation))(layer),
    "Add": _simple(sum),
    "AveragePooling2D": _pooling(functional.avg_pool2d),
    "BatchNormalization": _batch_normalization,
    "Concatenate": lambda layer: _simple(lambda inputs: torch.cat(inputs, layer.axis))(layer),
    "Conv2D": _convolution,
    "Dense": _dense,
    "Dropout": _dropout,
    "Flatten": lambda layer: (
        _simple(lambda inputs: inputs.flatten(1))(layer)
        if layer.data_format == "channels_last"
        else None
    ),
    "GlobalAveragePooling2D": _global_pooling(torch.mean),
    "GlobalMaxPooling2D": _global_pooling(torch.amax),
    "MaxPooling2D": _pooling(functional.max_pool2d),
    "Rescaling": _rescaling,
}
"""By the name of the layer's class; each returns None for settings that it does not cover."""
