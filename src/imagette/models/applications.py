"""Networks of `keras.applications`, whose weights learned from ImageNet can be downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagette.errors import ImagetteError

if TYPE_CHECKING:
    import keras

IMAGENET = "imagenet"
"""The weights that Keras publishes, learned from the 1.28 million photographs of ImageNet."""

_CLASSES = {
    "mobilenetv3": ("MobileNetV3Small", {"include_preprocessing": True}),
    "efficientnetv2": ("EfficientNetV2B0", {"include_preprocessing": True}),
    "convnext": ("ConvNeXtTiny", {"include_preprocessing": True}),
    "resnet50v2": ("ResNet50V2", {}),
}
"""By our name: the function of `keras.applications` and how it is called."""


def _application(name: str) -> "Callable[..., keras.Model]":
    def build(
        input_shape: tuple[int, int, int], classes: int, *, weights: str = ""
    ) -> "keras.Model":
        import keras
        from keras import layers

        function, arguments = _CLASSES[name]
        inputs = x = layers.Input(input_shape, name="pixels")
        if not arguments:
            x = layers.Rescaling(1 / 127.5, offset=-1, name="rescaling")(x)
        base = _build(getattr(keras.applications, function), x, input_shape, weights, arguments)
        x = layers.GlobalAveragePooling2D(name="features")(base.output)
        x = layers.Dense(classes, name="logits")(x)
        outputs = layers.Activation("softmax", name="probabilities")(x)
        return keras.Model(inputs, outputs, name=name)

    build.__doc__ = f"""`keras.applications.{_CLASSES[name][0]}` with a new last layer.

    Args:
        input_shape: `(height, width, 3)`; 32×32 and up, 224×224 is what the weights learned.
        classes: number of classes.
        weights: `imagenet`, the path of a `.weights.h5` file of the network without its last
            layers, or empty for random ones.

    Raises:
        ImagetteError: the weights cannot be downloaded, or do not fit.
    """
    return build


def _build(
    function: "Callable[..., keras.Model]",
    x: "keras.KerasTensor",
    input_shape: tuple[int, int, int],
    weights: str,
    arguments: dict[str, Any],
) -> "keras.Model":
    try:
        base = function(
            include_top=False,
            weights=IMAGENET if weights == IMAGENET else None,
            input_tensor=x,
            input_shape=input_shape,
            **arguments,
        )
        if weights not in ("", IMAGENET):
            base.load_weights(Path(weights))
    # urllib's errors and those of a broken download are plain exceptions.
    except Exception as error:
        if not weights:
            raise
        reason = str(error).strip().partition("\n")[0]
        raise ImagetteError(
            f"The weights {weights} of {function.__name__} could not be downloaded: {reason}",
            "Connect to the internet and run this again, or put Keras' file of them into"
            " ~/.keras/models; offline, the recipe photos needs no download.",
        ) from error
    return base


APPLICATIONS = {name: _application(name) for name in _CLASSES}
