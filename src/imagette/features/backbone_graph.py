"""The ONNX graph of EfficientNet-Lite: from uint8 pixels to its features."""

from typing import TYPE_CHECKING, Any

import numpy as np

from imagette.features.quantize import INPUT, QuantizedConvolution, Scale, quantize
from imagette.models.efficientnet_lite import FEATURES, SIZES, Convolution, list_convolutions
from imagette.models.imagenet_weights import ConvolutionWeights

if TYPE_CHECKING:
    import onnx

OPSET = 18
_IR_VERSION = 9


def build_backbone(
    weights: list[ConvolutionWeights], variant: int = 0, size: int | None = None
) -> "onnx.ModelProto":
    """The network without its last layer, in 8-bit arithmetic.

    Args:
        weights: of its convolutions.
        variant: 0, 1 or 2.
        size: side of the pictures, a multiple of 32 or the variant's own (which None stands for).

    Returns:
        From `image`, uint8 `(batch, size, size, 3)`, to `features`, float32 `(batch, 1280)`.
    """
    from onnx import TensorProto, helper

    size = size or SIZES[variant]
    convolutions = list(list_convolutions(variant))
    graph = _Graph()
    x = graph.node("Transpose", ["image"], "channels_first", perm=[0, 3, 1, 2])
    x = graph.node("DequantizeLinear", [x, *graph.scale("pixels", INPUT)], "pixels")
    shortcut, step, side = x, INPUT.step, size
    for number, (one, values) in enumerate(
        zip(convolutions, quantize(convolutions, weights), strict=True)
    ):
        if one.skip > 0:
            shortcut = x
        x, side = graph.convolve(x, f"c{number}", one, values, step, side)
        step = values.output.step
        if values.sum:
            x = graph.node("Add", [x, shortcut], f"c{number}/sum")
            x, step = graph.round(x, values.sum), values.sum.step
    x = graph.node("GlobalAveragePool", [x], "pooled")
    graph.node("Flatten", [x], "features")
    proto = helper.make_graph(
        graph.nodes,
        "efficientnet-lite",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", size, size, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", FEATURES])],
        graph.initializers,
    )
    opset = helper.make_opsetid("", OPSET)
    return helper.make_model(proto, opset_imports=[opset], ir_version=_IR_VERSION)


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.initializers: list[Any] = []

    def constant(self, name: str, value: Any) -> str:
        from onnx import numpy_helper

        self.initializers.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def scale(self, name: str, scale: Scale) -> list[str]:
        """Constants of a scale for uint8."""
        return [
            self.constant(f"{name}/step", np.float32(scale.step)),
            self.constant(f"{name}/zero", np.uint8(scale.zero)),
        ]

    def round(self, x: str, scale: Scale) -> str:
        """To 8 bits and back; ONNX Runtime computes what lies between two such in whole numbers."""
        scales = self.scale(x, scale)
        whole = self.node("QuantizeLinear", [x, *scales], f"{x}/whole")
        return self.node("DequantizeLinear", [whole, *scales], f"{x}/real")

    def convolve(
        self,
        x: str,
        name: str,
        one: Convolution,
        values: QuantizedConvolution,
        input_step: float,
        side: int,
    ) -> tuple[str, int]:
        """A convolution, and ReLU6 by the range of its 8 bits; its output and the output's side."""
        channels = len(values.kernel)
        kernel = [
            self.constant(f"{name}/kernel", values.kernel),
            self.constant(f"{name}/steps", values.steps),
            self.constant(f"{name}/zeros", np.zeros(channels, np.int8)),
        ]
        bias = [
            self.constant(f"{name}/bias", values.bias),
            self.constant(f"{name}/bias_steps", (values.steps * input_step).astype(np.float32)),
            self.constant(f"{name}/bias_zeros", np.zeros(channels, np.int32)),
        ]
        inputs = [
            x,
            self.node("DequantizeLinear", kernel, f"{name}/real_kernel", axis=0),
            self.node("DequantizeLinear", bias, f"{name}/real_bias", axis=0),
        ]
        out = -(-side // one.stride)
        padding = max((out - 1) * one.stride + one.kernel - side, 0)
        before = padding // 2  # TensorFlow's `same`: the odd one comes after
        x = self.node(
            "Conv",
            inputs,
            name,
            kernel_shape=[one.kernel] * 2,
            strides=[one.stride] * 2,
            pads=[before, before, padding - before, padding - before],
            group=channels if one.depthwise else 1,
        )
        return self.round(x, values.output), out
