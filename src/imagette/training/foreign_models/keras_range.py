"""Keras networks that take pixels in another range than they were made for."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


def with_input_range(model: "keras.Model", factor: float, offset: float = 0) -> "keras.Model":
    """The same network, taking pixels that are first multiplied by `factor`, then `offset` added.

    A factor of 255 makes a network of 0–255 take 0–1. Where the network begins with a Rescaling,
    that layer changes (or goes, if nothing is left for it to do), so that the saved file stays as
    plain as it was; otherwise a Rescaling comes before it.
    """
    import keras
    from keras import layers

    inputs = layers.Input(model.input_shape[1:], name="pixels")
    first, *rest = model.layers
    if not (isinstance(model, keras.Sequential) and isinstance(first, layers.Rescaling)):
        return keras.Model(inputs, model(layers.Rescaling(factor, offset)(inputs)), name=model.name)
    scale = np.asarray(first.scale) * factor
    shift = np.asarray(first.scale) * offset + first.offset
    plain = np.allclose(scale, 1) and np.allclose(shift, 0)
    rescaling = [] if plain else [layers.Rescaling(scale.tolist(), shift.tolist())]
    return keras.Sequential([inputs, *rescaling, *rest], name=model.name)
