"""What is trained: a registry of networks, each a short function from Keras' stock layers.

Conventions that every network here keeps:

- its Input is float32 pixels 0–255, and its own first layers normalise them;
- it takes `input_shape`, `classes` and `data_format`, and hands `data_format` to every layer that
  has a layout, so that the layout that trains fast (`channels_first`) and the one that opens
  anywhere (`channels_last`) come from one function and share their weights one to one;
- its last two layers are called `logits` and `probabilities`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from imagette.errors import ImagetteError
from imagette.models.backend import load_keras
from imagette.models.seed_cnn import seed_cnn

if TYPE_CHECKING:
    import keras

DataFormat = Literal["channels_first", "channels_last"]

MODELS: dict[str, "Callable[..., keras.Model]"] = {"seed-cnn": seed_cnn}


def build_model(
    name: str,
    *,
    input_shape: tuple[int, int, int] = (32, 32, 3),
    classes: int = 10,
    data_format: DataFormat = "channels_last",
) -> "keras.Model":
    """Build an untrained network of the registry.

    Args:
        name: one of `MODELS`, such as `seed-cnn`.
        input_shape: `(height, width, channels)` of the pictures, in either layout.
        classes: number of classes.
        data_format: `channels_last` takes float32 `(batch, height, width, channels)`,
            `channels_first` takes `(batch, channels, height, width)`.

    Returns:
        A Keras model from pixels 0–255 to float32 probabilities `(batch, classes)`.

    Raises:
        ImagetteError: there is no such network.
    """
    if name not in MODELS:
        raise ImagetteError(
            f"There is no network called {name!r}.", f"Choose one of: {', '.join(MODELS)}."
        )
    load_keras()
    height, width, channels = input_shape
    shape = (channels, height, width) if data_format == "channels_first" else input_shape
    return MODELS[name](shape, classes, data_format)
