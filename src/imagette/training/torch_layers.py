"""Keras' layers as PyTorch calls that compute the same.

Activations keep Keras' order (batch, height, width, channels), which in memory is what PyTorch
calls channels-last: a `permute` before and after a convolution costs nothing. A layer, or a setting
of one, that is not written here runs as Keras runs it.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from imagette.training import distributed
from imagette.training.depthwise import DepthwiseConvolution, depthwise_is_faster
from imagette.training.packed_convolution import PackedConvolution, packing_is_faster

if TYPE_CHECKING:
    import keras

Operation = Callable[..., Tensor]
"""From a layer's inputs, and `training=`, to its output."""

Weights = Callable[[], tuple[Tensor, Tensor | None]]
"""Gives a kernel and a bias, or None for no bias."""


def torch_operation(layer: "keras.Layer") -> Operation:
    """The PyTorch operation of a Keras layer; the layer itself where none is written here."""
    stock = is_stock(layer, *_OPERATIONS)
    operation = _OPERATIONS[type(layer).__name__](layer) if stock else None
    return operation or keras_operation(layer)


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


def halves(layer: "keras.Layer") -> bool:
    """Whether it pools 2×2, so that it drops the last of an odd number of rows or columns."""
    return (
        is_stock(layer, "MaxPooling2D", "AveragePooling2D")
        and layer.data_format == "channels_last"
        and (tuple(layer.pool_size), tuple(layer.strides)) == ((2, 2), (2, 2))
        and layer.padding == "valid"
    )


def keras_operation(layer: "keras.Layer") -> Operation:
    """Keras' own call, in float32, which is what its variables are in."""

    def run(inputs: Any, training: bool) -> Tensor:
        many = isinstance(inputs, list)
        floats = [one.float() for one in inputs] if many else inputs.float()
        kind = inputs[0].dtype if many else inputs.dtype
        return layer(floats, training=training).to(kind)

    return run


def unchanged(inputs: Tensor, training: bool) -> Tensor:
    return inputs


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

    `even` leaves out the last row or column of an odd number; `weights` gives the kernel and bias
    to take in place of the layer's own.
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
        if training and same and packing_is_faster(x, filters, strides, dilation, groups):
            x = PackedConvolution.apply(x, filters)
        else:
            inputs, padding = _padded(inputs, layer, even)
            x = _channels_first(inputs)
            if training and depthwise and depthwise_is_faster(x, strides, dilation):
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
            if distributed.size() > 1:
                x, batch_mean, found = distributed.batch_norm(x, gamma, beta, layer.epsilon)
            else:
                batch_mean, batch_variance = mean.clone(), variance.clone()
                # A momentum of 1 makes PyTorch leave the batch's own statistics there.
                x = functional.batch_norm(
                    x, batch_mean, batch_variance, gamma, beta, True, 1.0, layer.epsilon
                )
                count = inputs.numel() // inputs.shape[-1]
                # PyTorch divides by count - 1, Keras by count.
                found = batch_variance * ((count - 1) / count)
            with torch.no_grad():
                mean.lerp_(batch_mean, 1 - layer.momentum)
                variance.lerp_(found, 1 - layer.momentum)
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
        of_unequal_ranks = keras_operation(layer)  # Keras lines their axes up in its own way

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
    return lambda inputs, training: distributed.dropout(inputs, layer.rate, training)


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


_OPERATIONS: dict[str, Callable[[Any], Operation | None]] = {
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
