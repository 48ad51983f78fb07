"""Small Keras models such as people make them."""

from imagette.models.backend import load_keras


def classic_model(data_range: int = 1, last: str | None = "softmax"):
    """The classic tutorial's model, which takes pixels divided by 255."""
    keras = load_keras()
    layers = keras.layers
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            *([layers.Rescaling(1 / 255)] if data_range == 255 else []),
            layers.Conv2D(8, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation=last),
        ]
    )


def functional(*front):
    """A Functional network with batch normalisation and a shortcut, behind `front`."""
    layers = load_keras().layers
    load_keras().utils.set_random_seed(5)
    inputs = x = layers.Input((32, 32, 3))
    for layer in front:
        x = layer(x)
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, padding="same")(x))
    x = layers.add([x, layers.ReLU()(x)])
    x = layers.GlobalAveragePooling2D()(x)
    return load_keras().Model(inputs, layers.Dense(10, activation="softmax")(x))
