"""Files that Keras 2 wrote, as TensorFlow held it until 2.15, opened by Keras 3."""

from imagette.training.keras2.load import keras_version, load_keras2

__all__ = ["keras_version", "load_keras2"]
