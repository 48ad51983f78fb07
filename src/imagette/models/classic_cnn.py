"""The small network of the classic CIFAR-10 tutorials, where this project began."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras


def classic_cnn(input_shape: tuple[int, int, int], classes: int) -> "keras.Model":
    """Two convolutions, two dense layers: 167,562 parameters for ten classes of 32×32 images.

    Other sizes work too.
    """
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Input(input_shape, name="pixels"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, name="logits"),
            layers.Activation("softmax", name="probabilities"),
        ],
        name="classic-cnn",
    )
