"""ResNet: blocks of two convolutions, each of which only adds to what it is given.

He et al., *Deep Residual Learning for Image Recognition*, 2016 (arXiv:1512.03385): the networks
for CIFAR-10 of section 4.2, and ResNet-18 of table 1 in the way it is usually made for CIFAR.
"""

from typing import TYPE_CHECKING

from imagette.models.layers import activate, classify, convolve, normalise, take_pixels

if TYPE_CHECKING:
    import keras

CIFAR_DEPTHS = (20, 32, 44, 56, 110)
"""Those of table 6 that are worth their time."""


def resnet(input_shape: tuple[int, int, int], classes: int, *, depth: int = 20) -> "keras.Model":
    """Nine blocks in three groups, of 16, 32 and 64 channels: 269,722 parameters as it comes.

    Args:
        input_shape: `(height, width, 3)`; any size.
        classes: number of classes.
        depth: 20, 32, 44, 56 or 110 for the networks of section 4.2 and table 6, whose shortcuts
            have no parameters (option A); 18 for ResNet-18 of table 1, two blocks each of 64,
            128, 256 and 512 channels, its first convolution 3×3 without pooling, its shortcuts
            1×1 convolutions where the shape changes (option B): 11,173,962 parameters.
    """
    if depth != 18 and depth not in CIFAR_DEPTHS:
        raise ValueError(f"depth must be 18 or one of {', '.join(map(str, CIFAR_DEPTHS))}")
    widths: tuple[int, ...] = (16, 32, 64)
    blocks, shorten = (depth - 2) // 6, _subsample
    if depth == 18:
        widths, blocks, shorten = (64, 128, 256, 512), 2, _project
    inputs, x = take_pixels(input_shape)
    x = activate(convolve(x, widths[0]))
    for width in widths:
        for _ in range(blocks):
            halves = width != x.shape[-1]
            x = _add_block(x, shorten(x, width) if halves else x, width, 2 if halves else 1)
    return classify(inputs, x, classes, "resnet")


def _add_block(
    x: "keras.KerasTensor", shortcut: "keras.KerasTensor", width: int, stride: int
) -> "keras.KerasTensor":
    """Figure 2: two convolutions of `x` added to the shortcut."""
    from keras import layers

    x = activate(convolve(x, width, stride=stride))
    x = layers.Add()([normalise(convolve(x, width)), shortcut])
    return layers.Activation("relu")(x)


def _subsample(x: "keras.KerasTensor", width: int) -> "keras.KerasTensor":
    """Option A: every other pixel, and zeros for the channels that are new."""
    from keras import layers

    x = layers.AveragePooling2D(1, strides=2)(x)
    # This layer pads rows and columns. Told that channels come first, it takes our last two axes,
    # columns and channels, for them.
    new = width - x.shape[-1]
    return layers.ZeroPadding2D(((0, 0), (0, new)), data_format="channels_first")(x)


def _project(x: "keras.KerasTensor", width: int) -> "keras.KerasTensor":
    """Option B: a 1×1 convolution of every other pixel."""
    return normalise(convolve(x, width, size=1, stride=2))
