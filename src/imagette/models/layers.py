"""What the well-known networks have in common: how they begin, how they end, their convolutions.

Kernels begin as He et al. recommend for ReLU (*Delving Deep into Rectifiers*, 2015, section
2.2), and normalisation has the constants with which these networks are usually trained.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def take_pixels(input_shape: tuple[int, int, int]) -> "tuple[keras.KerasTensor, keras.KerasTensor]":
    """The network's Input, and its pixels with about mean 0 and deviation 1."""
    from keras import layers

    inputs = layers.Input(input_shape, name="pixels")
    # Each of the 256 values is exact in bfloat16.
    return inputs, layers.Rescaling(1 / 64, offset=-122 / 64, name="rescaling")(inputs)


def convolve(
    x: "keras.KerasTensor", width: int, size: int = 3, stride: int = 1, bias: bool = False
) -> "keras.KerasTensor":
    """A convolution from `(height, width)` to `(⌈height / stride⌉, ⌈width / stride⌉)`.

    Args:
        x: `(batch, height, width, channels)`.
        width: channels of the result.
        size: 1 or 3, of the kernel.
        stride: 1 or 2. Outputs lie at the even pixels, where those of size 1 do too; Keras' own
            padding would put the ones of size 3 at the odd pixels, beside their shortcut.
        bias: whether to add a constant to each channel.
    """
    from keras import layers

    padding = "same"
    if size == 3 and stride == 2:
        x, padding = layers.ZeroPadding2D(1)(x), "valid"
    return layers.Conv2D(
        width, size, stride, padding, use_bias=bias, kernel_initializer="he_normal"
    )(x)


def normalise(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Batch normalisation of each channel."""
    from keras import layers

    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def activate(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Batch normalisation, then ReLU."""
    from keras import layers

    return layers.Activation("relu")(normalise(x))


def classify(
    inputs: "keras.KerasTensor", x: "keras.KerasTensor", classes: int, name: str
) -> "keras.Model":
    """The network from `inputs` to the probabilities, by the average of each channel of `x`."""
    from keras import Model, layers

    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(classes, kernel_initializer="he_normal", name="logits")(x)
    return Model(inputs, layers.Activation("softmax", name="probabilities")(x), name=name)
