"""A network made to be trained fast: few layers, pooled early, its first one not trained at all.

The design follows Jordan, *94% on CIFAR-10 in 3.29 Seconds on a Single GPU*, 2024
(arXiv:2404.00498), sections 3.1 to 3.3.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from imagette.models.layers import take_pixels

if TYPE_CHECKING:
    import keras

WHITENING_IMAGES = 1000
"""Their patches are plenty: a million of them for a covariance of 12×12."""


def sprint(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    widths: Sequence[int] = (64, 128, 256),
    depth: int = 2,
    whitening: bool = True,
    squeeze: int = 0,
    statistics_momentum: float = 0.6,
) -> "keras.Model":
    """Groups of convolutions, the first of each pooled: 1.16 million parameters as it comes.

    Args:
        input_shape: `(height, width, 3)`; 8×8 and up.
        classes: number of classes.
        widths: channels of each group.
        depth: convolutions a group; from the third on, each adds to what it is given.
        whitening: begin with a frozen convolution that takes the correlations out of neighbouring
            pixels and colours (section 3.2). `whiten` fits it to the images.
        squeeze: weigh each group's channels by what the whole image shows, through a layer this
            many times narrower (Hu et al., *Squeeze-and-Excitation Networks*, 2018, section 3);
            0 leaves that out.
        statistics_momentum: of the running statistics of normalisation. A sprint has few steps, so
            they must follow quickly; where there are a thousand, 0.95 finds them more exactly.
    """
    from keras import Model, initializers, layers

    if depth < 1 or not widths or squeeze < 0:
        raise ValueError("at least one group of at least one convolution")

    def convolve(x, width):  # type: ignore[no-untyped-def]
        return layers.Conv2D(width, 3, padding="same", use_bias=False)(x)

    def normalise(x):  # type: ignore[no-untyped-def]
        x = layers.BatchNormalization(momentum=statistics_momentum, epsilon=1e-5, scale=False)(x)
        return layers.Activation("silu")(x)

    inputs, x = take_pixels(input_shape)
    if whitening:
        patch = 2 * 2 * input_shape[-1]
        x = layers.Conv2D(2 * patch, 2, use_bias=False, trainable=False, name="whitening")(x)
        x = layers.Activation("silu")(x)
    for width in widths:
        x = convolve(x, width)
        if min(x.shape[1:3]) > 1:
            x = layers.MaxPooling2D()(x)
        x = normalise(x)
        for number in range(2, depth + 1):
            block = normalise(convolve(x, width))
            x = layers.Add()([x, block]) if number > 2 else block
        if squeeze:
            x = _excite(x, width, squeeze)
    x = layers.GlobalMaxPooling2D()(x)
    small = initializers.RandomNormal(stddev=1 / widths[-1])
    x = layers.Dense(classes, use_bias=False, kernel_initializer=small, name="logits")(x)
    outputs = layers.Activation("softmax", name="probabilities")(x)
    model = Model(inputs, outputs, name="sprint")
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D) and layer.trainable and layer.kernel_size == (3, 3):
            _pass_through(layer)
    return model


def _excite(x: "keras.KerasTensor", width: int, squeeze: int) -> "keras.KerasTensor":
    """Weigh the channels by what the whole image shows."""
    from keras import layers

    weights = layers.GlobalAveragePooling2D(keepdims=True)(x)
    weights = layers.Conv2D(max(1, width // squeeze), 1, activation="silu")(weights)
    weights = layers.Conv2D(width, 1, activation="sigmoid")(weights)
    return layers.Multiply()([x, weights])


def whiten(model: "keras.Model", images: np.ndarray) -> None:
    """Fit the whitening convolution to images: principal components, scaled to deviation 1.

    A network without whitening is left as it is. Of the images, uint8 `(n, height, width,
    channels)`, a thousand are looked at.
    """
    names = [layer.name for layer in model.layers]
    if "whitening" not in names:
        return
    rescaling = model.get_layer("rescaling")
    # Spread over all, because folders come sorted by class.
    some = images[:: max(1, len(images) // WHITENING_IMAGES)][:WHITENING_IMAGES]
    pixels = some * np.float32(rescaling.scale) + rescaling.offset
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (2, 2), axis=(1, 2))
    # Keras has kernels as (height, width, channel).
    patches = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, 4 * images.shape[-1])
    variances, components = np.linalg.eigh(patches.T @ patches / len(patches))
    # Without the small constant, components that hardly vary would bring nothing but noise.
    kernel = components / np.sqrt(variances + 5e-4)
    # Grey images have components that never vary. Normalised, their channels would drown the
    # gradients of all others, so those that vary stand in for them, again and again.
    varies = np.flatnonzero(variances > 1e-6 * variances.max())
    kernel = kernel[:, np.resize(varies, len(kernel))]
    # Each component also with its sign changed, because the activation keeps one side of it.
    both = np.concatenate([kernel, -kernel], axis=1)
    layer = model.get_layer("whitening")
    layer.kernel.assign(both.reshape(layer.kernel.shape))


def _pass_through(layer: "keras.Layer") -> None:
    """Let the first output channels begin as copies of the inputs (section 3.3)."""
    kernel = np.array(layer.kernel)
    middle, channels = kernel.shape[0] // 2, min(kernel.shape[2:])
    kernel[..., :channels] = 0
    kernel[middle, middle, range(channels), range(channels)] = 1
    layer.kernel.assign(kernel)
