"""One layer as Keras 2 describes it, as Keras 3 does.

Whatever would keep its name but not its meaning is refused by name.
"""

import inspect
from typing import Any

Config = dict[str, Any]

_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
    # As they are in answering: the first three change something only in training.
    "ActivityRegularization": "Identity",
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
    "RandomCrop": "Resizing",
}

_RENAMED_KEYS = {
    ("LeakyReLU", "alpha"): "negative_slope",
    ("ThresholdedReLU", "theta"): "threshold",
}

_ELSEWHERE = {"LayerScale": "keras.src.applications.convnext"}
"""Layers of Keras' own ready-made networks that are none of `keras.layers`."""

_CHANGES_NOTHING = {
    "groups": 1, "time_major": False, "noise_shape": None, "ragged": False, "sparse": False,
    "renorm": False, "virtual_batch_size": None, "adjustment": None,
}  # fmt: skip
"""Keys that Keras 3 does not take, or takes otherwise, and the value that changes nothing."""

_NEVER_MATTERS = {
    "batch_input_shape", "input_shape", "input_dim", "dtype", "implementation", "fused", "seed",
    "renorm_clipping", "renorm_momentum", "synchronized", "query_shape", "key_shape", "value_shape",
}  # fmt: skip
"""Keys about training, about how something is computed, or that the graph says as well."""

_ABOUT_TRAINING = ("_initializer", "_regularizer", "_constraint")

_ACTIVATIONS = {
    "linear", "relu", "relu6", "sigmoid", "softmax", "tanh", "elu", "selu", "softplus", "softsign",
    "swish", "silu", "gelu", "exponential", "mish", "log_softmax", "leaky_relu",
}  # fmt: skip
"""Activations that Keras 2 and Keras 3 compute alike."""


class UnknownPartError(Exception):
    """Something whose meaning Keras 3 cannot keep.

    Args:
        problem: what of the file, as the end of a sentence that begins with the file's name.
        code: whether it is program code.
    """

    def __init__(self, problem: str, code: bool = False) -> None:
        super().__init__(problem)
        self.code = code


def update_layer(entry: Config) -> list[Config]:
    """Bring one layer up to date.

    Args:
        entry: its `class_name` and its `config`, as Keras 2 writes them.

    Returns:
        What `keras.saving.deserialize_keras_object` takes: one layer, and where Keras 3 has no
        such activation, those that compute it after the layer.

    Raises:
        UnknownPartError: Keras 3 has no such layer, or no such key of it.
    """
    kind, config = entry["class_name"], dict(entry["config"])
    activations = []
    for key in ("activation", "recurrent_activation"):
        if key in config:
            config[key], after = _activation(config[key], kind)
            activations += after
            if after and "recurrent_initializer" in config:  # applied inside, not to the output
                raise UnknownPartError(
                    f"has a {kind} with an activation that Keras 3 does not have"
                )
    new_kind, known = _keras_class(entry)
    kept: Config = {}
    for key, value in config.items():
        renamed = _RENAMED_KEYS.get((kind, key), key)
        if isinstance(value, dict) and "class_name" in value and key in ("layer", "backward_layer"):
            kept[key] = _only(update_layer(value), kind)
        elif (
            (key in _CHANGES_NOTHING and value == _CHANGES_NOTHING[key])
            or key in _NEVER_MATTERS
            or key.endswith(_ABOUT_TRAINING)
            or new_kind == "Identity"
            or (key == "trainable" and key not in known)
        ):
            continue
        elif renamed not in known or key in ("renorm", "adjustment"):
            raise UnknownPartError(
                f"has a layer {config.get('name')} of the class {kind} with {key}={value!r},"
                " which Keras 3 does not have"
            )
        else:
            single = key == "axis" and isinstance(value, list) and len(value) == 1
            kept[renamed] = value[0] if single else value
    if kind == "RandomCrop":
        kept["crop_to_aspect_ratio"] = True
    kept["name"] = config.get("name", kind.lower())
    return [described(new_kind, **kept), *activations]


def described(kind: str, **config: Any) -> Config:
    """A stock layer as `keras.saving.deserialize_keras_object` takes it."""
    module = _ELSEWHERE.get(kind, "keras.layers")
    registered = kind if kind in _ELSEWHERE else None
    return {
        "module": module, "class_name": kind, "config": config, "registered_name": registered,
    }  # fmt: skip


def _keras_class(entry: Config) -> tuple[str, set[str]]:
    """The class's name in Keras 3, and the keys that it takes."""
    import keras
    from keras import layers

    kind = str(entry["class_name"])
    if kind in ("Lambda", "__lambda__"):
        raise UnknownPartError("carries program code", code=True)
    package = str(entry.get("registered_name") or "").rpartition(">")[0]
    name: str = _RENAMED.get(kind, kind)
    if name in _ELSEWHERE:
        return name, {"name", "trainable", "init_values", "projection_dim"}
    if str(entry.get("module")).startswith("keras.src.ops"):
        raise ValueError(
            f"{kind} is no layer"
        )  # but known to Keras 3: it failed for another reason
    found = getattr(layers, name, None)
    # A class of somebody's own may have the name of a stock one.
    module = entry.get("module", "keras")
    stock = not package and isinstance(module, str) and module.startswith("keras")
    if not (stock and isinstance(found, type) and issubclass(found, keras.Layer)):
        of = f" of {package}" if package else ""
        raise UnknownPartError(f"needs the layer {kind}{of}, which Keras 3 does not have")
    parameters = inspect.signature(found).parameters
    return name, {*parameters, "name", *(["trainable"] if "kwargs" in parameters else [])}


def _activation(value: Any, kind: str) -> tuple[Any, list[Config]]:
    """An activation's name in Keras 3, and the layers that compute what has none."""
    if isinstance(value, dict):
        if value.get("class_name") != "function":  # a layer as an activation
            return "linear", update_layer(value)
        value = value["config"]
    name = "linear" if value is None else "softmax" if value == "softmax_v2" else value
    if name == "hard_sigmoid":  # its slope is 1/5, that of Keras 3 is 1/6
        return "linear", [
            described("Rescaling", scale=0.2, offset=0.5, name="hard_sigmoid_slope"),
            described("ReLU", max_value=1.0, name="hard_sigmoid"),
        ]
    if name not in _ACTIVATIONS:
        raise UnknownPartError(f"has a {kind} with the activation {name}, unknown to Keras 3")
    return name, []


def _only(layers: list[Config], kind: str) -> Config:
    if len(layers) > 1:
        raise UnknownPartError(f"has a {kind} around an activation that is not in Keras 3")
    return layers[0]
