"""EfficientNet-Lite in 8-bit arithmetic, without a single picture to calibrate by.

What a layer's numbers range over follows from its batch normalisation, which says their mean and
deviation, so no picture is needed (Nagel et al., *Data-Free Quantization Through Weight
Equalization and Bias Correction*, 2019, arXiv:1906.04721). Two ideas of that paper are here: the
channels that a row of blocks hands on are brought to equal ranges (section 4.1), and what the
rounding of weights shifts in each channel's mean is taken off its bias (section 4.2). ReLU6 bounds
all other activations by itself.

Weights have 7 bits: products of 8 bits overflow in the 16-bit sums of processors without VNNI.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.models.efficientnet_lite import EPSILON, MEAN, SCALE, Convolution
from imagette.models.imagenet_weights import ConvolutionWeights

Array = NDArray[np.float64]

_LARGEST_WEIGHT = 63
_LEVELS = 255
_DEVIATIONS = 6.0
"""Activations lie within so many deviations of their mean."""
_RELU6 = 6.0


class Scale(NamedTuple):
    """How uint8 stands for real numbers: `(number - zero) × step`."""

    step: float
    zero: int


class QuantizedConvolution(NamedTuple):
    """A convolution whose weights and output are whole numbers.

    Attributes:
        kernel: int8 `(out, in, height, width)`.
        steps: float32 `(out,)`, what a unit of the kernel is worth.
        bias: int32 `(out,)`, in units of the input's step times `steps`.
        output: scale of the output.
        sum: scale of what is left once the shortcut is added; None where there is none.
    """

    kernel: NDArray[np.int8]
    steps: NDArray[np.float32]
    bias: NDArray[np.int32]
    output: Scale
    sum: Scale | None


INPUT = Scale(1 / SCALE, int(MEAN))
"""Pixels as they come are the normalised ones in 8 bits."""


class _Ranges(NamedTuple):
    """Mean and deviation of each channel that a projection gives, alone and with its shortcut."""

    mean: Array
    deviation: Array
    sum_mean: Array
    sum_deviation: Array


def quantize(
    convolutions: list[Convolution], weights: list[ConvolutionWeights]
) -> list[QuantizedConvolution]:
    """Bring a network's convolutions to 8 bits, normalisation folded in.

    Args:
        convolutions: as `list_convolutions` gives them.
        weights: of each.
    """
    folded = [_fold(one) for one in weights]
    kernels, biases = [kernel for kernel, _ in folded], [bias for _, bias in folded]
    ranges = _find_ranges(convolutions, weights)
    inputs = _mean_inputs(convolutions, weights, ranges)
    _equalize(convolutions, kernels, biases, ranges, inputs)
    quantized, scale = [], INPUT
    for number, one in enumerate(convolutions):
        kernel, steps = _round(kernels[number], biases[number], scale.step)
        error = kernel * steps[:, None, None, None] - kernels[number]
        bias = biases[number] - _mean_shift(error, inputs[number], one.depthwise)
        output, total = _output_scales(one, ranges.get(number))
        quantized.append(
            QuantizedConvolution(
                kernel.astype(np.int8),
                steps.astype(np.float32),
                np.rint(bias / (scale.step * steps)).astype(np.int32),
                output,
                total,
            )
        )
        scale = total or output
    return quantized


def _fold(weights: ConvolutionWeights) -> tuple[Array, Array]:
    """Kernel and bias of a convolution with its normalisation in it."""
    gain = weights.gamma / np.sqrt(weights.variance.astype(np.float64) + EPSILON)
    return weights.kernel * gain[:, None, None, None], weights.beta - weights.mean * gain


def _find_ranges(
    convolutions: list[Convolution], weights: list[ConvolutionWeights]
) -> dict[int, _Ranges]:
    """Of the convolutions without ReLU6, by their position."""
    ranges: dict[int, _Ranges] = {}
    mean = deviation = np.zeros(0)
    for number, (one, arrays) in enumerate(zip(convolutions, weights, strict=True)):
        if one.relu6:
            continue
        own = arrays.beta.astype(np.float64), np.abs(arrays.gamma).astype(np.float64)
        if one.skip < 0:  # as if the two were independent
            mean, deviation = mean + own[0], np.hypot(deviation, own[1])
        else:
            mean, deviation = own
        ranges[number] = _Ranges(*own, mean, deviation)
    return ranges


def _mean_inputs(
    convolutions: list[Convolution], weights: list[ConvolutionWeights], ranges: dict[int, _Ranges]
) -> list[Array]:
    """The mean of each channel that a convolution is given; 0 for pixels."""
    inputs, mean = [], np.zeros(3)
    for number, (one, arrays) in enumerate(zip(convolutions, weights, strict=True)):
        inputs.append(mean)
        mean = _relu6_mean(arrays) if one.relu6 else ranges[number].sum_mean
    return inputs


def _relu6_mean(weights: ConvolutionWeights) -> Array:
    """The mean of ReLU6 of normally distributed numbers, those after a batch normalisation."""
    places = np.linspace(-4, 4, 401)
    shares = np.exp(-(places**2) / 2)
    values = weights.beta[:, None] + np.abs(weights.gamma)[:, None] * places
    return np.clip(values, 0, _RELU6) @ (shares / shares.sum())


def _equalize(
    convolutions: list[Convolution],
    kernels: list[Array],
    biases: list[Array],
    ranges: dict[int, _Ranges],
    inputs: list[Array],
) -> None:
    """Scale the channels that blocks pass on to the same range; the network computes the same.

    A projection's channels are multiplied, and what takes them, always a convolution of 1×1, is
    divided. Blocks joined by shortcuts share their factors.
    """
    streams: list[list[int]] = []
    for number in ranges:
        if convolutions[number].skip >= 0:
            streams.append([])
        streams[-1].append(number)
    for stream in streams:
        reach = np.max([_reach(ranges[number]) for number in stream], axis=0)
        factors = reach.mean() / reach
        for number in stream:
            kernels[number] = kernels[number] * factors[:, None, None, None]
            biases[number] = biases[number] * factors
            ranges[number] = _Ranges(*(each * factors for each in ranges[number]))
            kernels[number + 1] = kernels[number + 1] / factors[None, :, None, None]
            inputs[number + 1] = inputs[number + 1] * factors


def _reach(ranges: _Ranges) -> Array:
    alone = np.abs(ranges.mean) + _DEVIATIONS * ranges.deviation
    return np.maximum(alone, np.abs(ranges.sum_mean) + _DEVIATIONS * ranges.sum_deviation)


def _round(kernel: Array, bias: Array, input_step: float) -> tuple[Array, Array]:
    """Whole numbers for a kernel, and for each output channel what a unit is worth."""
    steps = np.abs(kernel).max(axis=(1, 2, 3)) / _LARGEST_WEIGHT
    # A channel that is nearly dead would otherwise have a bias past 32 bits.
    steps = np.maximum(steps, np.abs(bias) / input_step / 2**29 + 1e-12)
    return np.rint(kernel / steps[:, None, None, None]), steps


def _mean_shift(error: Array, inputs: Array, depthwise: bool) -> Array:
    """By how much a kernel's error moves the mean of each output channel."""
    total = error.sum(axis=(2, 3))
    return total[:, 0] * inputs if depthwise else total @ inputs


def _output_scales(one: Convolution, ranges: _Ranges | None) -> tuple[Scale, Scale | None]:
    if ranges is None:
        return Scale(_RELU6 / _LEVELS, 0), None
    output = _scale(ranges.mean, ranges.deviation)
    return output, _scale(ranges.sum_mean, ranges.sum_deviation) if one.skip < 0 else None


def _scale(mean: Array, deviation: Array) -> Scale:
    low = min(0.0, float((mean - _DEVIATIONS * deviation).min()))
    high = max(0.0, float((mean + _DEVIATIONS * deviation).max()))
    step = (high - low) / _LEVELS
    return Scale(step, math.floor(-low / step + 0.5))
