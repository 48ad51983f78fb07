"""EfficientNet-Lite: EfficientNet (Tan & Le, 2019, arXiv:1905.11946) without what is slow on small
processors: no squeeze-and-excitation, and ReLU6 in place of Swish (Google, *Higher accuracy on
vision models with EfficientNet-Lite*, 2020).

A network is a row of convolutions, each with its batch normalisation (`list_convolutions`); both
the Keras network here and the ONNX graph of `imagette.features.backbone` are made from that row.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras

SIZES = {0: 224, 1: 240, 2: 260}
"""By variant: the side in pixels of the images that ImageNet's weights were learned from."""
MEAN, SCALE = 127.0, 128.0
"""Pixels are normalised to (pixel − 127) / 128."""
EPSILON = 1e-3
FEATURES = 1280

_WIDTH_AND_DEPTH = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}
# Repeats, kernel, stride, expansion and channels of each stage.
_STAGES = (
    (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
)  # fmt: skip
_STEM = 32


class Convolution(NamedTuple):
    """A convolution without bias, padded as TensorFlow does (`same`), and what follows it.

    Attributes:
        channels: of its output; of a depthwise one, those of its input.
        kernel: side in pixels.
        stride: 1 or 2.
        depthwise: whether each channel is filtered by itself.
        relu6: whether ReLU6 follows the normalisation.
        skip: 1 where a shortcut begins at its input, -1 where it ends at its output.
    """

    channels: int
    kernel: int = 1
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True
    skip: int = 0


def list_convolutions(variant: int) -> Iterator[Convolution]:
    """The convolutions of a variant, in their order."""
    width, depth = _WIDTH_AND_DEPTH[variant]
    yield Convolution(_STEM, 3, 2)
    channels = _STEM
    for number, (repeats, kernel, stride, expansion, wanted) in enumerate(_STAGES):
        if 0 < number < len(_STAGES) - 1:  # the first and the last stage keep their depth
            repeats = math.ceil(repeats * depth)
        out = _rounded(wanted * width)
        for repeat in range(repeats):
            step = stride if repeat == 0 else 1
            shortcut = int(step == 1 and channels == out)
            inner = channels * expansion
            if expansion > 1:
                yield Convolution(inner, skip=shortcut)
            yield Convolution(inner, kernel, step, depthwise=True)
            yield Convolution(out, relu6=False, skip=-shortcut)
            channels = out
    yield Convolution(FEATURES)


def _rounded(channels: float) -> int:
    """The nearest multiple of 8, but no less than nine tenths."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


def efficientnet_lite(
    input_shape: tuple[int, int, int], classes: int, *, variant: int = 0, weights: str = ""
) -> "keras.Model":
    """EfficientNet-Lite 0, 1 or 2: 4.65 million parameters with variant 0 and 1,000 classes.

    Args:
        input_shape: `(height, width, 3)`; `SIZES` tells what ImageNet's weights learned from.
        classes: number of classes.
        variant: 0, 1 or 2.
        weights: `imagenet` for those that the package of the extra `train` holds; empty for random
            ones. The last layer is always random.

    Raises:
        ImagetteError: the weights are not installed, or are others than they should be.
    """
    from keras import Model, layers

    inputs = x = layers.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / SCALE, offset=-MEAN / SCALE, name="rescaling")(x)
    shortcut = x
    for one in list_convolutions(variant):
        if one.skip > 0:
            shortcut = x
        if one.depthwise:
            x = layers.DepthwiseConv2D(one.kernel, one.stride, "same", use_bias=False)(x)
        else:
            x = layers.Conv2D(one.channels, one.kernel, one.stride, "same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.99, epsilon=EPSILON)(x)
        if one.relu6:
            x = layers.ReLU(6.0)(x)
        if one.skip < 0:
            x = layers.Add()([x, shortcut])
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dense(classes, name="logits")(x)
    outputs = layers.Activation("softmax", name="probabilities")(x)
    model = Model(inputs, outputs, name="efficientnet-lite")
    if weights:
        _load_imagenet(model, variant)
    return model


def _load_imagenet(model: "keras.Model", variant: int) -> None:
    from keras import layers

    from imagette.models.imagenet_weights import load_imagenet

    kinds = (layers.Conv2D, layers.DepthwiseConv2D)
    convolutions = [layer for layer in model.layers if isinstance(layer, kinds)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    weights = load_imagenet(variant).convolutions
    for convolution, norm, arrays in zip(convolutions, norms, weights, strict=True):
        kernel, statistics = arrays.for_keras(isinstance(convolution, layers.DepthwiseConv2D))
        convolution.set_weights(kernel)
        norm.set_weights(statistics)
