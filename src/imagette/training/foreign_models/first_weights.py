"""Which values of pixels a network was trained on, read from its graph up to its first weights.

What comes before them is arithmetic without anything learned: pixels are scaled, centred or
normalised there. Which arithmetic it is tells what it is meant for: a network that begins by
dividing by 255 takes pixels of 0–255. Where the first layer has weights, nothing tells.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.training.foreign_models.compare import silent
from imagette.training.foreign_models.picture_input import PictureInput
from imagette.training.foreign_models.pixel_values import PixelValues, from_range

if TYPE_CHECKING:
    import onnx

_WEIGHTED = {
    "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "Einsum", "Gemm", "If",
    "InstanceNormalization", "LayerNormalization", "Loop", "MatMul", "MatMulInteger", "QLinearConv",
    "QLinearMatMul", "Scan",
}  # fmt: skip
"""Operations that have weights, or a graph of their own."""

_PROBES = (0.0, 1.0, 100.0, 255.0)
"""Pictures of one value throughout, to see what the arithmetic makes of it."""

_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))

_MEANS = 0.03, 0.97
_DEVIATIONS = 0.1, 0.45
"""Where the mean of pixels and their deviation lie, as shares of their range: those of usual sets
of pictures are about 0.13 (white digits on black) to 0.8 and 0.15 to 0.35."""

_MEANS_BLUE_FIRST = 0.406, 0.456, 0.485
"""ImageNet's means of blue, green and red, as shares of their range. Taken off in this order, they
tell that a network takes blue first, as OpenCV and Caffe give pictures."""


@dataclass(frozen=True)
class _Front:
    """What becomes of a pixel `x` on its way to the first weights: `factor * x + offset`, each with
    one number for every different one; the pixel of each channel that becomes 0; and the mean and
    deviation of what the pixels become, where the first weights are a batch normalisation's."""

    factor: NDArray[np.float64]
    offset: NDArray[np.float64]
    centres: NDArray[np.float64]
    statistics: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None


def infer_pixel_values(network: "onnx.ModelProto", takes: PictureInput) -> PixelValues | None:
    """The values of pixels that a network expects, or None where its graph does not tell.

    Args:
        network: from what it takes to what it gives.
        takes: what that is.
    """
    if takes.dtype == np.int8:
        return from_range(-128, 127)  # levels less 128, as TensorFlow Lite has them
    fronts = _read_fronts(network, takes)
    found = {_range_of(front) if front else None for front in fronts}
    if takes.dtype.kind in "iu":
        found = {(0.0, 255.0)}  # no other range has enough whole numbers
    [only] = found if len(found) == 1 else [None]
    if only is None:
        return None
    bgr = bool(fronts) and all(front and _is_blue_first(front, *only) for front in fronts)
    return from_range(*only, bgr=bgr)


def _range_of(front: _Front) -> tuple[float, float] | None:
    exact = [each for each in _RANGES if _is_usual_range(front, *each)]
    if len(exact) == 1:
        return exact[0]
    fitting = [each for each in _RANGES if _is_standardised(front, *each)]
    if len(fitting) == 1:
        below_zero = np.min(-front.offset / front.factor) < -0.02
        # A normalisation that has seen little begins at deviation 1, which only −1…1 seems to have.
        return fitting[0] if below_zero or fitting[0][0] == 0 else None
    return _range_of_statistics(front)


def _is_usual_range(front: _Front, low: float, high: float) -> bool:
    """Whether pixels of `low`–`high` become exactly one of the ranges that networks begin with."""
    usual = [(0, 1), (0, 255), (-1, 1), (-0.5, 0.5)] if low == 0 else [(0, 1), (0, 255)]
    ends = np.sort([front.factor * low + front.offset, front.factor * high + front.offset], axis=0)
    return any(
        np.allclose(ends, np.array(each)[:, None], rtol=0, atol=0.02 * (each[1] - each[0]))
        for each in usual
    )


def _is_standardised(front: _Front, low: float, high: float) -> bool:
    """Whether `low`–`high` is where the pixels lie whose mean is taken off, and that are divided by
    their deviation or by nothing."""
    span = high - low
    mean = (-front.offset / front.factor - low) / span
    scaled_to = np.abs(front.factor) * span
    if low == 0 and (np.allclose(scaled_to, 1, 0.01) or np.allclose(scaled_to, 255, 0.01)):
        return bool(np.all((mean > 0.1) & (mean < 0.9)))
    return _are_pictures(mean, 1 / scaled_to, signed=low < 0)


def _are_pictures(mean: NDArray[np.float64], deviation: NDArray[np.float64], signed: bool) -> bool:
    """Whether pixels can have such a mean and deviation, as shares of their range.

    A deviation is never above `sqrt(mean * (1 - mean))` (Bhatia & Davis, 2000). What was normalised
    from 0–1 looks like pale pictures of little contrast to −1…1, which are taken for that no more.
    """
    possible = deviation**2 <= mean * (1 - mean)
    usual = (mean >= _MEANS[0]) & (mean <= _MEANS[1])
    usual &= (deviation >= (0.15 if signed else _DEVIATIONS[0])) & (deviation <= _DEVIATIONS[1])
    return bool(np.all(possible & usual))


def _range_of_statistics(front: _Front) -> tuple[float, float] | None:
    """What a first batch normalisation has seen, where that can be trusted.

    Its statistics begin at mean 0 and deviation 1 and move slowly, so that after a short training
    pixels of 0–1 look like some of −1…1; those are never told by it.
    """
    if front.statistics is None or front.factor.size > 1:
        return None
    mean = (front.statistics[0] - front.offset) / front.factor
    deviation = front.statistics[1] / np.abs(front.factor)
    if np.all((mean >= 0.1) & (mean <= 0.9) & (deviation <= 0.28)):
        return (0, 1) if _are_pictures(mean, deviation, signed=False) else None
    if np.all((mean >= 0.15 * 255) & (mean <= 0.85 * 255)):
        return (0, 255) if _are_pictures(mean / 255, deviation / 255, signed=False) else None
    return None


def _is_blue_first(front: _Front, low: float, high: float) -> bool:
    means = (front.centres - low) / (high - low)
    return means.shape == (3,) and np.allclose(means, _MEANS_BLUE_FIRST, rtol=0, atol=0.004)


def _read_fronts(network: "onnx.ModelProto", takes: PictureInput) -> list[_Front | None]:
    """What comes before each of the first layers with weights; None where that is not linear."""
    before = _first_weighted(network.graph)
    if not before:
        return []
    try:
        values = _run_front(network, list(before), takes)
    # ONNX Runtime has a dozen exception types with no common base but Exception.
    except Exception:
        return [None for _ in before]
    return [
        _linear(value, _statistics(network.graph, node))
        for value, node in zip(values, before.values(), strict=True)
    ]


def _first_weighted(graph: "onnx.GraphProto") -> "dict[str, onnx.NodeProto]":
    """The first layers with weights, by the tensor that each takes."""
    front = {graph.input[0].name}
    behind: set[str] = set()
    found: dict[str, onnx.NodeProto] = {}
    for node in graph.node:
        taken = [name for name in node.input if name in front]
        if behind & set(node.input):
            behind |= set(node.output)
        elif taken and (node.op_type in _WEIGHTED or node.domain not in ("", "ai.onnx")):
            found[taken[0]] = node
            behind |= set(node.output)
        elif taken:
            front |= set(node.output)
    return found


def _run_front(
    network: "onnx.ModelProto", tensors: list[str], takes: PictureInput
) -> list[NDArray[np.float64]]:
    """What tensors become for each of `_PROBES`, then for a picture of each pure colour:
    `(probes, numbers)` each."""
    import onnx

    graph, wanted, nodes = network.graph, set(tensors), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            nodes.append(node)
            wanted |= set(node.input)
    outputs = [f"{name}/probed" for name in tensors]
    nodes = nodes[::-1] + [
        onnx.helper.make_node("Identity", [name], [output])
        for name, output in zip(tensors, outputs, strict=True)
    ]
    front = onnx.helper.make_graph(
        nodes, "front", graph.input, [onnx.ValueInfoProto(name=name) for name in outputs],
        [each for each in graph.initializer if each.name in wanted],
    )  # fmt: skip
    proto = onnx.helper.make_model(
        front, opset_imports=network.opset_import, ir_version=network.ir_version
    )
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), silent(), providers=["CPUExecutionProvider"]
    )
    name, count = graph.input[0].name, takes.batch or 1
    colours = 255 * np.eye(takes.channels, dtype=np.float32)
    answers = [
        session.run(outputs, {name: takes.constant(value, count)}) for value in (*_PROBES, *colours)
    ]
    return [
        np.stack([np.ravel(each).astype(np.float64) for each in of_one])
        for of_one in zip(*answers, strict=True)
    ]


def _linear(
    values: NDArray[np.float64],
    statistics: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> _Front | None:
    """Factor and offset from what becomes of `_PROBES`; borders, which are the same for all, left
    out."""
    probes = np.array(_PROBES)[:, None]
    values, colours = values[: len(_PROBES)], values[len(_PROBES) :]
    offset, factor = values[0], (values[-1] - values[0]) / 255
    if not np.isfinite(values).all():
        return None
    tolerance = 3e-3 * (np.abs(factor * probes) + np.abs(offset)) + 1e-6  # half precision
    if (np.abs(values - (offset + probes * factor)) > tolerance).any():
        return None
    pairs = np.unique(np.stack([factor, offset])[:, factor != 0], axis=1)
    if not pairs.size:
        return None
    of_channel = (colours != offset) & (factor != 0)
    centres = [np.median(-offset[own] / factor[own]) for own in of_channel if own.any()]
    return _Front(pairs[0], pairs[1], np.array(centres), statistics)


def _statistics(
    graph: "onnx.GraphProto", node: "onnx.NodeProto"
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Mean and deviation of each channel that a batch normalisation has seen."""
    from onnx import numpy_helper

    if node.op_type != "BatchNormalization":
        return None
    stored = {each.name: each for each in graph.initializer}
    if not set(node.input[3:5]) <= set(stored):
        return None
    mean, variance = (
        numpy_helper.to_array(stored[name]).astype(np.float64) for name in node.input[3:5]
    )
    return mean, np.sqrt(np.maximum(variance, 0))
