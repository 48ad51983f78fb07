"""What is trained: a registry of networks, each a short function from Keras' stock layers.

Conventions that every network here keeps:

- it is a model from float32 pixels 0–255, channels last, which its own first layers normalise, to
  float32 probabilities `(batch, classes)`;
- it takes `input_shape` and `classes`, and its own choices as keyword arguments with defaults;
- its last two layers are called `logits` and `probabilities`.
"""

import inspect
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from imagette.errors import ImagetteError
from imagette.models.applications import APPLICATIONS
from imagette.models.backend import load_keras, load_torch_keras
from imagette.models.classic_cnn import classic_cnn
from imagette.models.efficientnet_lite import efficientnet_lite
from imagette.models.resnet import resnet
from imagette.models.sprint import sprint
from imagette.models.vgg import vgg
from imagette.models.wide_resnet import wide_resnet

if TYPE_CHECKING:
    import keras

MODELS: dict[str, "Callable[..., keras.Model]"] = {
    "classic-cnn": classic_cnn,
    "sprint": sprint,
    "vgg": vgg,
    "resnet": resnet,
    "wide-resnet": wide_resnet,
    "efficientnet-lite": efficientnet_lite,
    **APPLICATIONS,
}


def build_model(
    name: str, *, input_shape: tuple[int, int, int] = (32, 32, 3), classes: int = 10, **options: Any
) -> "keras.Model":
    """Build an untrained network of the registry.

    Args:
        name: one of `MODELS`, such as `classic-cnn`.
        input_shape: `(height, width, channels)` of the images.
        classes: number of classes.
        options: the network's own arguments, such as `widths` of `sprint`.

    Returns:
        A Keras model from pixels 0–255, float32 `(batch, height, width, channels)`, to float32
        probabilities `(batch, classes)`.

    Raises:
        ImagetteError: there is no such network, or it has no such argument.
    """
    check_options(name, options)
    keras = load_keras()
    # Networks are channels last, whatever somebody's ~/.keras/keras.json says.
    layout = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        return MODELS[name](input_shape, classes, **options)
    except (TypeError, ValueError, LookupError) as error:
        given = ", ".join(f"{key} = {value}" for key, value in options.items())
        raise ImagetteError(
            f"The network {name} cannot be built with {given or 'its defaults'}"
            f" for pictures of {input_shape[0]}×{input_shape[1]}.",
            "Check the values: `imagette models` lists each network's own arguments.",
        ) from error
    finally:
        keras.config.set_image_data_format(layout)


def check_options(name: str, options: dict[str, Any]) -> None:
    """Make sure that there is such a network, and that it takes these arguments.

    Raises:
        ImagetteError: there is not, or it does not.
    """
    if name not in MODELS:
        raise ImagetteError(
            f"There is no network called {name!r}.", f"Choose one of: {', '.join(MODELS)}."
        )
    known = default_options(name)
    if unknown := sorted(set(options) - set(known)):
        own = f"Its own are: {', '.join(known)}." if known else "It has none of its own."
        raise ImagetteError(f"The network {name} has no argument {unknown[0]!r}.", own)


def default_options(name: str) -> dict[str, Any]:
    """A network's own arguments and their defaults."""
    parameters = inspect.signature(MODELS[name]).parameters
    return {key: one.default for key, one in parameters.items() if one.kind == one.KEYWORD_ONLY}


def list_models() -> list[dict[str, Any]]:
    """The registry as rows: `name`, `parameters`, `flops` (for one image) and `options`.

    For 32×32 images of ten classes; `options` are the network's own arguments' defaults.
    """
    load_torch_keras()
    rows = []
    for name in MODELS:
        model = build_model(name)
        numbers = {"parameters": count_parameters(model), "flops": count_flops(model)}
        rows.append({"name": name, **numbers, "options": default_options(name)})
    return rows


def count_parameters(model: "keras.Model") -> int:
    """The numbers in a network's weights, frozen ones too, counted as papers do.

    The running statistics of normalisation, which Keras counts along, are not among them.
    """
    weights = [one for one in model.weights if not one.name.startswith("moving_")]
    return sum(math.prod(weight.shape) for weight in weights)


def count_flops(model: "keras.Model") -> int:
    """Floating-point operations for one image: two for each multiplication with its addition.

    Convolutions and matrix products are counted, as is usual; the rest is far below 1 % of them.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(torch.zeros(1, *model.input_shape[1:]))
    return counter.get_total_flops()
