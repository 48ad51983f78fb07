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


def classifier_behind(front, *, shape=(32, 32, 3), dtype="float32", last="softmax", outputs=3):
    """A small network whose first weights come behind `front`, a function of its Input."""
    keras = load_keras()
    layers = keras.layers
    keras.utils.set_random_seed(5)
    inputs = layers.Input(shape, dtype=dtype)
    x = front(inputs)
    if len(shape) == 2:
        x = layers.Reshape((*shape, 1))(x)
    order = "channels_first" if shape[0] == 3 else "channels_last"
    x = layers.Conv2D(6, 3, 2, activation="relu", data_format=order)(x)
    x = layers.GlobalAveragePooling2D(data_format=order)(x)
    activation = last if isinstance(last, str) else None
    # Answers that change with the picture as those of a trained network do.
    x = layers.Dense(
        outputs, activation, kernel_initializer=keras.initializers.RandomNormal(stddev=1)
    )(x)
    return keras.Model(inputs, last(x) if callable(last) else x)
