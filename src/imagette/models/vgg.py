"""VGG: nothing but 3×3 convolutions, one after the other, and poolings between them.

Simonyan & Zisserman, *Very Deep Convolutional Networks for Large-Scale Image Recognition*, 2015
(arXiv:1409.1556), table 1, as it is usually made for CIFAR: batch normalisation, which is younger
than the paper, after each convolution, and one dense layer in place of three.
"""

from typing import TYPE_CHECKING

from imagette.models.layers import activate, classify, convolve, take_pixels

if TYPE_CHECKING:
    import keras

WIDTHS = (64, 128, 256, 512, 512)
"""Channels of the convolutions before each of the five poolings."""

REPEATS = {11: (1, 1, 2, 2, 2), 16: (2, 2, 3, 3, 3)}
"""By depth, how many convolutions those are: configurations A and D of table 1."""


def vgg(input_shape: tuple[int, int, int], classes: int, *, depth: int = 16) -> "keras.Model":
    """Thirteen convolutions and a dense layer: 14,728,266 parameters as it comes.

    Args:
        input_shape: `(height, width, 3)`; any size, small ones are pooled less often.
        classes: number of classes.
        depth: 16, or 11 with 9,231,114 parameters, as the paper counts: with three dense layers.
    """
    from keras import layers

    if depth not in REPEATS:
        raise ValueError(f"depth must be one of {', '.join(map(str, REPEATS))}")
    inputs, x = take_pixels(input_shape)
    for width, repeats in zip(WIDTHS, REPEATS[depth], strict=True):
        for _ in range(repeats):
            x = activate(convolve(x, width, bias=True))
        if min(x.shape[1:3]) > 1:
            x = layers.MaxPooling2D()(x)
    return classify(inputs, x, classes, "vgg")
