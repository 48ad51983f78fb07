"""A Keras network, run by PyTorch itself on the very same weights.

Keras' layers cost time on PyTorch: each call passes through Keras' own checks, and its training
BatchNormalization reads its input several times. So the graph is read from the model's
configuration, each layer is replaced by the PyTorch call that computes the same, and what has no
translation here runs as Keras runs it.

Activations keep Keras' order (batch, height, width, channels), which in memory is what PyTorch
calls channels-last: a `permute` before and after a convolution costs nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from imagette.training.depthwise import DepthwiseConvolution
from imagette.training.depthwise import gains as depthwise_gains
from imagette.training.packed_convolution import SmallConvolution, gains

if TYPE_CHECKING:
    import keras

Operation = Callable[..., Tensor]
"""From a layer's inputs, and `training=`, to its output."""


Weights = Callable[[], tuple[Tensor, Tensor | None]]
"""Gives a kernel and a bias, or None for no bias."""

Key = tuple[str, int]
"""A layer's name, and which of its calls is meant."""


@dataclass(frozen=True)
class Step:
    """One call of a layer: where it comes from, what it computes, and what it takes."""

    key: Key
    operation: Operation
    inputs: list[Any]


class TorchNetwork:
    """The network of a Keras model, from its Input to one of its layers.

    Its parameters are those of the Keras model: whatever trains one trains the other.

    Args:
        model: a Sequential or functional Keras model with one input, channels last.
        until: the name of the layer whose output is wanted; by default the model's output.
    """

    def __init__(self, model: "keras.Model", until: str | None = None) -> None:
        try:
            self.steps = _read_graph(model, until)
        except _UnreadableError:
            self.steps = [_whole(model, until)]

    def __call__(self, pictures: Tensor, training: bool = False) -> Tensor:
        """Compute in the type of `pictures`; the weights are rounded to it, never changed.

        Args:
            pictures: `(batch, height, width, channels)`, float32 or bfloat16.
            training: whether BatchNormalization learns and Dropout drops.

        Returns:
            float32, of the layer's shape.
        """
        values: dict[Key, Tensor] = {}
        for step in self.steps:
            arguments = [_fetch(source, values) for source in step.inputs]
            values[step.key] = step.operation(*(arguments or [pictures]), training=training)
        return values[self.steps[-1].key].float()


def translate(layer: "keras.Layer") -> Operation:
    """The PyTorch operation of a Keras layer; the layer itself where none is written here."""
    stock = is_stock(layer, *_TRANSLATIONS)
    operation = _TRANSLATIONS[type(layer).__name__](layer) if stock else None
    return operation or _as_keras(layer)


# --- the graph -----------------------------------------------------------------------------------


class _UnreadableError(Exception):
    """The graph has something that is not read here; Keras runs the model as a whole."""


def _read_graph(model: "keras.Model", until: str | None) -> list[Step]:
    """The calls of layers that lead to the output, each after those that it needs."""
    import keras

    if isinstance(model, keras.Sequential):
        chain = [layer for layer in model.layers if not _is_input(layer)]
        keys = [(layer.name, 0) for layer in chain]
        sources: list[list[Any]] = [[], *([key] for key in keys[:-1])]
        steps = [Step(*each) for each in zip(keys, map(translate, chain), sources, strict=True)]
        ordered = _up_to((until, 0) if until else keys[-1], {step.key: step for step in steps})
        return _without_waste(ordered, model)
    config = model.get_config()
    layers = {layer.name: layer for layer in model.layers}
    calls: dict[Key, Step] = {}
    for described in config["layers"]:
        name, nodes = described["name"], described["inbound_nodes"]
        if name not in layers:  # an operation such as `x + y`, which is no layer
            raise _UnreadableError
        if _is_input(layers[name]):
            calls[name, 0] = Step((name, 0), unchanged, [])
        operation = translate(layers[name])
        for number, node in enumerate(nodes):
            # Layers such as attention take several tensors, or take them by name.
            named = any(value is not None for value in node["kwargs"].values())
            if named or len(node["args"]) != 1:
                raise _UnreadableError
            inputs = [_sources(argument) for argument in node["args"]]
            calls[name, number] = Step((name, number), operation, inputs)
    output = (until, 0) if until else _one_output(config["output_layers"])
    return _without_waste(_up_to(output, calls), model)


def _up_to(output: Key, calls: dict[Key, Step]) -> list[Step]:
    """The steps that `output` needs, in an order in which they can be computed."""
    ordered: dict[Key, Step] = {}

    def visit(key: Key) -> None:
        if key not in ordered:
            for source in flat(calls[key].inputs):
                visit(source)
            ordered[key] = calls[key]

    visit(output)
    return list(ordered.values())


def _without_waste(steps: list[Step], model: "keras.Model") -> list[Step]:
    """Let convolutions leave out the odd row and column that the pooling after them drops."""
    layers = {layer.name: layer for layer in model.layers}
    uses = Counter(source for step in steps for source in flat(step.inputs))
    pooled = {
        source
        for step in steps
        if halves(layers[step.key[0]])
        for source in flat(step.inputs)
        if uses[source] == 1 and is_stock(layers[source[0]], "Conv2D")
    }
    return [
        replace(step, operation=convolution(layers[step.key[0]], even=True) or step.operation)
        if step.key in pooled
        else step
        for step in steps
    ]


def halves(layer: "keras.Layer") -> bool:
    """Whether it pools 2×2, so that it drops the last of an odd number of rows or columns."""
    return (
        is_stock(layer, "MaxPooling2D", "AveragePooling2D")
        and layer.data_format == "channels_last"
        and (tuple(layer.pool_size), tuple(layer.strides)) == ((2, 2), (2, 2))
        and layer.padding == "valid"
    )


def is_stock(layer: "keras.Layer", *names: str) -> bool:
    """Whether the layer is one of Keras' own classes of these names, with weights as they came.

    Not a subclass, whose call may be another, and neither quantized, in half precision, nor with
    adapters (LoRA): those have more to their kernels than their values.
    """
    return (
        type(layer).__name__ in names
        and type(layer).__module__.startswith("keras.")
        and layer.variable_dtype == "float32"
        and layer.quantization_mode is None
        and not getattr(layer, "lora_enabled", False)
    )


def _one_output(outputs: Any) -> Key:
    """The key in `["logits", 0, 0]`, or in a list of one such."""
    if isinstance(outputs[0], str):
        return outputs[0], outputs[1]
    if len(outputs) > 1:
        raise _UnreadableError
    return _one_output(outputs[0])


def _sources(argument: Any) -> Any:
    """The call that an argument comes from; a list of them for layers such as Add."""
    if isinstance(argument, list | tuple):
        return [_sources(one) for one in argument]
    if not isinstance(argument, dict) or argument.get("class_name") != "__keras_tensor__":
        raise _UnreadableError
    name, call, tensor = argument["config"]["keras_history"]
    if tensor:  # a layer with several outputs
        raise _UnreadableError
    return name, call


def flat(inputs: list[Any]) -> Iterator[Key]:
    for source in inputs:
        if isinstance(source, list):
            yield from flat(source)
        else:
            yield source


def _fetch(source: Any, values: dict[Key, Tensor]) -> Any:
    if isinstance(source, list):
        return [_fetch(one, values) for one in source]
    return values[source]


def _whole(model: "keras.Model", until: str | None) -> Step:
    """The model up to a layer as one step, by Keras."""
    import keras

    part = keras.Model(model.inputs, model.get_layer(until).output) if until else model
    return Step((model.name, 0), _as_keras(part), [])


def _is_input(layer: "keras.Layer") -> bool:
    return type(layer).__name__ == "InputLayer"


def _as_keras(layer: "keras.Layer") -> Operation:
    """Keras' own call, in float32, which is what its variables are in."""

    def run(inputs: Any, training: bool) -> Tensor:
        many = isinstance(inputs, list)
        floats = [one.float() for one in inputs] if many else inputs.float()
        kind = inputs[0].dtype if many else inputs.dtype
        return layer(floats, training=training).to(kind)

    return run


def unchanged(inputs: Tensor, training: bool) -> Tensor:
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
        activations.sigmoid: torch.sigmoid,
        activations.softmax: lambda x: functional.softmax(x, dim=-1),
    }.get(function, function)


def convolution(layer: Any, even: bool = False, weights: Weights | None = None) -> Operation | None:
    """The operation of a Conv2D or DepthwiseConv2D.

    Args:
        layer: the layer.
        even: leave out the last row or column of an odd number.
        weights: gives the kernel and bias to take in place of the layer's own.
    """
    depthwise = is_stock(layer, "DepthwiseConv2D")
    if layer.data_format != "channels_last" or (depthwise and layer.depth_multiplier != 1):
        return None
    weights = weights or partial(_kernel_and_bias, layer)
    activation = _activation(layer.activation)
    # Keras: height, width, in, out; of depthwise ones, height, width, channels, 1.
    order = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
    groups = layer.kernel.shape[2] if depthwise else layer.groups
    strides, dilation = layer.strides, layer.dilation_rate

    def run(inputs: Tensor, training: bool) -> Tensor:
        kernel, bias = weights()
        filters = kernel.permute(order).to(inputs.dtype, memory_format=torch.channels_last)
        offset = None if bias is None else bias.to(inputs.dtype)
        x, same = _channels_first(inputs), layer.padding == "same" and bias is None
        if training and same and gains(x, filters, strides, dilation, groups):
            x = SmallConvolution.apply(x, filters)
        else:
            inputs, padding = _padded(inputs, layer, even)
            x = _channels_first(inputs)
            if training and depthwise and depthwise_gains(x, strides, dilation):
                x = DepthwiseConvolution.apply(x, filters, offset, strides, padding)
            else:
                x = functional.conv2d(x, filters, offset, strides, padding, dilation, groups)
        return activation(_channels_last(x))

    return run


def _relu(layer: Any) -> Operation | None:
    if layer.negative_slope or layer.threshold:
        return None
    if layer.max_value is None:
        return _plain(functional.relu)
    # The ONNX exporter takes `clamp` with two bounds for another function.
    return _plain(lambda x: functional.hardtanh(x, 0.0, float(layer.max_value)))


def _kernel_and_bias(layer: Any) -> tuple[Tensor, Tensor | None]:
    return layer.kernel.value, layer.bias.value if layer.use_bias else None


def _padded(inputs: Tensor, layer: Any, even: bool) -> tuple[Tensor, tuple[int, int]]:
    """What is left to pad by the convolution itself, which knows only equal sides.

    Keras' "same" puts the odd row or column at the end. `even` takes the last output's stride off
    the end where the number of outputs is odd; a negative margin cuts inputs off.
    """
    sides = []
    for axis in (0, 1):
        size, stride = inputs.shape[1 + axis], layer.strides[axis]
        reach = layer.dilation_rate[axis] * (layer.kernel_size[axis] - 1) + 1
        same = layer.padding == "same"
        total = max((-(-size // stride) - 1) * stride + reach - size, 0) if same else 0
        before, after = total // 2, total - total // 2
        outputs = (size + total - reach) // stride + 1
        if even and outputs > 1 and outputs % 2:
            after -= stride
        sides.append((before, after))
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
    if layer.renorm or layer.axis not in (-1, layer.input_spec.ndim - 1):
        return None
    gamma = layer.gamma.value if layer.scale else None
    beta = layer.beta.value if layer.center else None
    mean, variance = layer.moving_mean.value, layer.moving_variance.value

    def run(inputs: Tensor, training: bool) -> Tensor:
        x = inputs.movedim(-1, 1)
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
        return x.movedim(1, -1)

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


def _merging(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Any], Operation]:
    def make(layer: Any) -> Operation:
        of_unequal_ranks = _as_keras(layer)  # Keras lines their axes up in its own way

        def run(inputs: list[Tensor], training: bool) -> Tensor:
            if len({one.ndim for one in inputs}) > 1:
                return of_unequal_ranks(inputs, training=training)
            # Python's `sum` would begin by adding 0, a pass over the whole of the memory.
            return reduce(function, inputs)

        return run

    return make


def _dropout(layer: Any) -> Operation | None:
    if layer.noise_shape is not None:
        return None
    return lambda inputs, training: functional.dropout(inputs, layer.rate, training)


def _rescaling(layer: Any) -> Operation | None:
    if not isinstance(layer.scale, int | float) or not isinstance(layer.offset, int | float):
        return None
    return lambda inputs, training: inputs * layer.scale + layer.offset


def _flatten(layer: Any) -> Operation | None:
    if layer.data_format != "channels_last":
        return None
    return _plain(lambda inputs: inputs.flatten(1))


def _zero_padding(layer: Any) -> Operation:
    (top, bottom), (left, right) = layer.padding
    margins = [left, right, top, bottom]  # PyTorch: the last axis first
    if layer.data_format == "channels_last":
        margins = [0, 0, *margins]
    return _plain(lambda inputs: functional.pad(inputs, margins))


def _plain(function: Callable[[Any], Tensor]) -> Operation:
    """An operation that is the same in training."""
    return lambda inputs, training: function(inputs)


_TRANSLATIONS: dict[str, Callable[[Any], Operation | None]] = {
    "Activation": lambda layer: _plain(_activation(layer.activation)),
    "Add": _merging(torch.add),
    "AveragePooling2D": _pooling(functional.avg_pool2d),
    "BatchNormalization": _batch_normalization,
    "Concatenate": lambda layer: _plain(lambda inputs: torch.cat(inputs, layer.axis)),
    "Conv2D": convolution,
    "Dense": _dense,
    "DepthwiseConv2D": convolution,
    "Dropout": _dropout,
    "Flatten": _flatten,
    "GlobalAveragePooling2D": _global_pooling(torch.mean),
    "GlobalMaxPooling2D": _global_pooling(torch.amax),
    "MaxPooling2D": _pooling(functional.max_pool2d),
    "Multiply": _merging(torch.mul),
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "ZeroPadding2D": _zero_padding,
}
"""By the name of the layer's class; each returns None for settings that it does not cover."""
