"""What Keras 2 wrote of a model, as Keras 3 writes it: only data changes, no code is run."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from imagette.training.keras2.layer_config import Config, UnknownPartError, described, update_layer
from imagette.training.keras2.operations import CALLS, function_of, operation

_MODELS = {"Model": "Functional", "Functional": "Functional", "Sequential": "Sequential"}

_CONSTANT = "_CONSTANT_VALUE"
"""What Keras 2 writes in place of a layer's name where a constant comes first, as in `2 * x`."""


@dataclass
class StoredLayer:
    """A layer as a file has it, and what became of it.

    Attributes:
        name: in the file.
        class_name: in the file.
        new_name: of the layer that takes its weights, in the model that is built.
        layers: those of a nested model; None for any other layer.
    """

    name: str
    class_name: str
    new_name: str
    layers: list["StoredLayer"] | None = None

    @property
    def becomes_layer(self) -> bool:
        """Whether it is one of the layers that a model lists, and may have weights."""
        return self.class_name != "InputLayer" and self.class_name not in CALLS


def update_model(entry: Config, new_name: str = "model") -> tuple[Config, list[StoredLayer]]:
    """Bring a model up to date, with all models inside it.

    Args:
        entry: the class and the configuration of a Sequential or functional model.
        new_name: what it is to be called.

    Returns:
        What `keras.saving.deserialize_keras_object` takes, and the layers that were in the file.

    Raises:
        UnknownPartError: something has no equal in Keras 3.
    """
    kind = _MODELS.get(entry["class_name"])
    if kind is None:
        raise UnknownPartError(f"is no model of stock layers but a {entry['class_name']}")
    config = entry["config"]
    if isinstance(config, list):  # so before Keras 2.2.3
        config = {"layers": config}
    layers = _Layers(config["layers"])
    new = {"name": new_name, "trainable": config.get("trainable", True)}
    if kind == "Sequential":
        chain = [layer for chain in layers.chains.values() for layer in chain]
        shape = _input_shape(entry)
        if shape and chain[0]["class_name"] != "InputLayer":
            chain.insert(0, _input_layer(shape, layers.unique("input")))
        new["layers"] = chain
        module = "keras"
    else:
        new |= _Graph(config, layers).updated()
        module = "keras.src.models.functional"
    described = {"module": module, "class_name": kind, "config": new, "registered_name": kind}
    return described, layers.stored


class _Layers:
    """The layers of one model: each becomes one, or a chain of several.

    Attributes:
        chains: by a layer's name in the file, what computes the same. A call of TensorFlow has
            none yet, as it is the graph that says what it does.
        stored: what was in the file.
    """

    def __init__(self, entries: list[Config]) -> None:
        self.chains: dict[str, list[Config]] = {}
        self.stored: list[StoredLayer] = []
        self._names: set[str] = set()
        for entry in entries:
            name = entry["config"].get("name") if isinstance(entry["config"], dict) else None
            name = entry.get("name") or name or f"{entry['class_name'].lower()}_{len(self.stored)}"
            self.chains[name] = self._update(entry, name)

    def unique(self, name: str) -> str:
        """A name that Keras 3 on PyTorch takes, and no other layer of the model has."""
        name = re.sub(r"[./]", "_", name)
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    def _update(self, entry: Config, name: str) -> list[Config]:
        new_name = self.unique(name)
        inner, chain = None, []
        if entry["class_name"] in _MODELS:
            model, inner = update_model(entry, new_name)
            chain = [model]
        elif entry["class_name"] == "InputLayer":
            chain = [_input_layer(_input_shape(entry) or [], new_name)]
        elif entry["class_name"] not in CALLS:
            chain = update_layer(entry)
            chain[0]["config"]["name"] = new_name
            for layer in chain[1:]:
                layer["config"]["name"] = self.unique(f"{new_name}_{layer['config']['name']}")
        self.stored.append(StoredLayer(name, entry["class_name"], new_name, inner))
        return chain


class _Graph:
    """The calls of the layers of a functional model."""

    def __init__(self, config: Config, layers: _Layers) -> None:
        self.config = config
        self.chains = layers.chains
        self.nested = {one.name: one.class_name for one in layers.stored if one.layers is not None}
        self.new_names = {
            one.name: chain[-1]["config"]["name"] if chain else one.new_name
            for one, chain in zip(layers.stored, layers.chains.values(), strict=True)
        }
        nodes = [node for entry in config["layers"] for node in entry["inbound_nodes"]]
        # Keras 2 counts the calls of a nested model from 1, as making it was one; Keras 3 does so
        # where it is the output, and only if it is Functional.
        self.counts_anew = any(isinstance(node, list) for node in nodes)
        self.first_call: dict[str, int] = {}
        for name, call, _ in self._references([config["output_layers"], nodes]):
            self.first_call[name] = min(call, self.first_call.get(name, call))

    def updated(self) -> Config:
        """The layers, inputs and outputs of the model, as Keras 3 writes them."""
        layers = []
        for entry, (name, chain) in zip(self.config["layers"], self.chains.items(), strict=True):
            if entry["class_name"] in CALLS:
                layer, nodes = self._call(entry)
                layer["config"]["name"] = self.new_names[name]
                chain = [layer]
            else:
                nodes = [self._node(node) for node in entry["inbound_nodes"]]
            for layer in chain:
                new_name = layer["config"]["name"]
                layers.append({**layer, "name": new_name, "inbound_nodes": nodes})
                nodes = [_called(_tensor(new_name, call, 0)) for call in range(len(nodes))]
        ends = {key: self._end(self.config[key]) for key in ("input_layers", "output_layers")}
        return {"layers": layers, **ends}

    def _references(self, value: Any) -> Iterator[tuple[str, int, int]]:
        """All tensors that are named somewhere inside."""
        if self._is_reference(value):
            yield value[0], value[1], value[2]
        for one in value.values() if isinstance(value, dict) else value:
            if isinstance(one, dict | list):
                yield from self._references(one)

    def _is_reference(self, value: Any) -> bool:
        match value:
            case [str(name), int(), int()] | [str(name), int(), int(), dict()]:
                return name in self.new_names
        return False

    def _tensor(self, name: str, call: int, output: int) -> Config:
        first = self.first_call[name] if self.counts_anew and name in self.nested else 0
        return _tensor(self.new_names[name], call - first, output)

    def _updated(self, value: Any) -> Any:
        """A value with all tensors in it as Keras 3 names them."""
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            return self._tensor(*value["config"]["keras_history"])
        if self._is_reference(value):
            return self._tensor(*value[:3])
        if isinstance(value, dict):
            return {key: self._updated(one) for key, one in value.items()}
        return [self._updated(one) for one in value] if isinstance(value, list) else value

    def _node(self, node: Any) -> Config:
        """One call of a layer."""
        if isinstance(node, dict):
            inputs, arguments = node["args"], node["kwargs"]
        else:
            arguments = node[0][3] if len(node[0]) > 3 else {}
            inputs = [node[0][:3] if len(node) == 1 else [part[:3] for part in node]]
        asked = {key: one for key, one in arguments.items() if one is not None}
        if asked.pop("training", False):
            raise UnknownPartError("calls a layer as in training, where answers are by chance")
        return {"args": self._updated(inputs), "kwargs": self._updated(asked)}

    def _call(self, entry: Config) -> tuple[Config, list[Config]]:
        """The layer that does what a call of TensorFlow does, and its nodes."""
        nodes, layers = [], []
        for node in entry["inbound_nodes"]:
            function, inputs, arguments = self._read_call(entry, node)
            tensors = [self._tensor(*one) for one in inputs if self._is_reference(one)]
            named = [None if self._is_reference(one) else one for one in inputs]
            if [*self._references(arguments)]:
                raise UnknownPartError(f"calls tf.{function} with several tensors")
            layer, after = operation(function, named, arguments)
            layers.append(layer)
            nodes.append(_called(tensors[0] if len(tensors) == 1 else tensors, *after))
        if any(layer != layers[0] for layer in layers):
            raise UnknownPartError(f"calls tf.{function} in several ways at once")
        return layers[0], nodes

    def _read_call(self, entry: Config, node: Any) -> tuple[str, list[Any], Config]:
        """The function, its tensors and constants in order, and its other arguments."""
        config = entry["config"]
        parts = node if isinstance(node[0], list) else [node]
        inputs = [part[2] if part[0] == _CONSTANT else part[:3] for part in parts]
        if "node_def" in config:  # so before TensorFlow 2.4
            for place, constant in sorted(config["constants"].items()):
                inputs.insert(int(place), constant)
            return function_of(config["node_def"]["op"]), inputs, {}
        arguments = dict(parts[0][3]) if len(parts[0]) > 3 else {}
        inputs += [arguments.pop(key) for key in ("y", "bias") if key in arguments]
        return config["function"], inputs, arguments

    def _end(self, value: Any) -> Any:
        """The inputs or outputs of the model; one alone is no list, or the model would give one."""
        if not self._is_reference(value):
            return self._end(value[0]) if len(value) == 1 else [self._end(one) for one in value]
        name, call, output = self._tensor(*value[:3])["config"]["keras_history"]
        if self.counts_anew and self.nested.get(value[0]) in ("Functional", "Model"):
            call += 1
        return [name, call, output]


def _called(*arguments: Any) -> Config:
    return {"args": list(arguments), "kwargs": {}}


def _tensor(name: str, call: int, output: int) -> Config:
    history = [name, call, output]
    return {
        "class_name": "__keras_tensor__",
        # Its shape and type are found when the graph is built.
        "config": {"shape": [None], "dtype": "float32", "keras_history": history},
    }


def _input_layer(shape: list[int | None], name: str) -> Config:
    return described("InputLayer", batch_shape=[None, *shape[1:]], dtype="float32", name=name)


def _input_shape(entry: Config) -> list[int | None] | None:
    """The shape, with the batch, that the first layer of a model says it takes."""
    config = entry["config"]
    layers = config if isinstance(config, list) else config.get("layers")
    own: Config = {} if isinstance(config, list) else config
    said = own.get("batch_input_shape") or own.get("batch_shape")
    inside = said or (_input_shape(layers[0]) if layers else None)
    build = entry.get("build_config") or {}
    return inside or own.get("build_input_shape") or build.get("input_shape")
