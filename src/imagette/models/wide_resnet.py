"""Wide ResNet: fewer residual blocks than a ResNet's, each with many times its channels.

Zagoruyko & Komodakis, *Wide Residual Networks*, 2016 (arXiv:1605.07146), tables 1 and 5.
"""

from typing import TYPE_CHECKING

from imagette.models.layers import activate, classify, convolve, take_pixels

if TYPE_CHECKING:
    import keras


def wide_resnet(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    depth: int = 16,
    width: int = 4,
    dropout: float = 0.0,
) -> "keras.Model":
    """WRN-`depth`-`width`: WRN-16-4 with 2,748,890 parameters as it comes.

    Args:
        input_shape: `(height, width, 3)`; any size.
        classes: number of classes.
        depth: 6n + 4, for three groups of n blocks.
        width: how many times the 16, 32 and 64 channels of a ResNet (k in the paper).
        dropout: share of activations dropped between a block's convolutions (section 2.4).
    """
    blocks, remainder = divmod(depth - 4, 6)
    if blocks < 1 or remainder or width < 1:
        raise ValueError("depth must be 10, 16, 22, 28 and so on, and width 1 or more")
    inputs, x = take_pixels(input_shape)
    x = convolve(x, 16)
    for channels, stride in ((16, 1), (32, 2), (64, 2)):
        for number in range(blocks):
            x = _add_block(x, channels * width, stride if number == 0 else 1, dropout)
    return classify(inputs, activate(x), classes, "wide-resnet")


def _add_block(
    x: "keras.KerasTensor", width: int, stride: int, dropout: float
) -> "keras.KerasTensor":
    """Figure 1 (c) and (d): normalisation and ReLU come before each of the two convolutions."""
    from keras import layers

    active = activate(x)
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = convolve(active, width, size=1, stride=stride)
    x = activate(convolve(active, width, stride=stride))
    if dropout:
        x = layers.Dropout(dropout)(x)
    return layers.Add()([convolve(x, width), shortcut])
