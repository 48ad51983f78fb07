"""A Keras network, run by PyTorch itself on the very same weights.

Keras' layers cost time on PyTorch: each call passes through Keras' own checks, and its training
BatchNormalization reads its input several times. So the graph is read from the model's
configuration, and each layer is replaced by the PyTorch call that computes the same
(`torch_layers`). A graph that cannot be read here runs as Keras runs it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from imagette.training.torch_layers import (
    Operation,
    convolution,
    halves,
    is_stock,
    keras_operation,
    torch_operation,
    unchanged,
)

if TYPE_CHECKING:
    import keras

Key = tuple[str, int]
"""A layer's name, and which of its calls is meant."""


@dataclass(frozen=True)
class Step:
    """One call of a layer: where it comes from, what it computes, and what it takes."""

    key: Key
    operation: Operation
    inputs: list[Any]


class TorchNetwork:
    """The network of a Keras model, from its Input to one of its layers.

    Its parameters are those of the Keras model: whatever trains one trains the other.

    Args:
        model: a Sequential or functional Keras model with one input, channels last.
        until: the name of the layer whose output is wanted; by default the model's output.
    """

    def __init__(self, model: "keras.Model", until: str | None = None) -> None:
        try:
            self.steps = _read_graph(model, until)
        except _UnreadableError:
            self.steps = [_whole(model, until)]

    def __call__(self, images: Tensor, training: bool = False) -> Tensor:
        """Compute in the type of `images`; the weights are rounded to it, never changed.

        Args:
            images: `(batch, height, width, channels)`, float32 or bfloat16.
            training: whether BatchNormalization learns and Dropout drops.

        Returns:
            float32, of the layer's shape.
        """
        values: dict[Key, Tensor] = {}
        for step in self.steps:
            arguments = [_fetch(source, values) for source in step.inputs]
            values[step.key] = step.operation(*(arguments or [images]), training=training)
        return values[self.steps[-1].key].float()


class _UnreadableError(Exception):
    """The graph has something that is not read here; Keras runs the model as a whole."""


def _read_graph(model: "keras.Model", until: str | None) -> list[Step]:
    """The calls of layers that lead to the output, each after those that it needs."""
    import keras

    if isinstance(model, keras.Sequential):
        chain = [layer for layer in model.layers if not _is_input(layer)]
        keys = [(layer.name, 0) for layer in chain]
        sources: list[list[Any]] = [[], *([key] for key in keys[:-1])]
        steps = map(Step, keys, map(torch_operation, chain), sources)
        ordered = _up_to((until, 0) if until else keys[-1], {step.key: step for step in steps})
        return _without_waste(ordered, model)
    config = model.get_config()
    layers = {layer.name: layer for layer in model.layers}
    calls: dict[Key, Step] = {}
    for described in config["layers"]:
        name, nodes = described["name"], described["inbound_nodes"]
        if name not in layers:  # an operation such as `x + y`, which is no layer
            raise _UnreadableError
        if _is_input(layers[name]):
            calls[name, 0] = Step((name, 0), unchanged, [])
        operation = torch_operation(layers[name])
        for number, node in enumerate(nodes):
            # Layers such as attention take several tensors, or take them by name.
            named = any(value is not None for value in node["kwargs"].values())
            if named or len(node["args"]) != 1:
                raise _UnreadableError
            inputs = [_sources(argument) for argument in node["args"]]
            calls[name, number] = Step((name, number), operation, inputs)
    name, number = (until, 0) if until else _one_output(config["output_layers"])
    kinds = {kind.__name__ for kind in type(layers[name]).__mro__}
    if not until and "Functional" in kinds:
        number -= 1  # as an output, and only there, Keras counts such a model's calls from 1
    return _without_waste(_up_to((name, number), calls), model)


def _up_to(output: Key, calls: dict[Key, Step]) -> list[Step]:
    """The steps that `output` needs, in an order in which they can be computed."""
    ordered: dict[Key, Step] = {}

    def visit(key: Key) -> None:
        if key not in ordered:
            for source in flat(calls[key].inputs):
                visit(source)
            ordered[key] = calls[key]

    visit(output)
    return list(ordered.values())


def _without_waste(steps: list[Step], model: "keras.Model") -> list[Step]:
    """Let convolutions leave out the odd row and column that the pooling after them drops."""
    layers = {layer.name: layer for layer in model.layers}
    uses = Counter(source for step in steps for source in flat(step.inputs))
    pooled = {
        source
        for step in steps
        if halves(layers[step.key[0]])
        for source in flat(step.inputs)
        if uses[source] == 1 and is_stock(layers[source[0]], "Conv2D")
    }
    return [
        replace(step, operation=convolution(layers[step.key[0]], even=True) or step.operation)
        if step.key in pooled
        else step
        for step in steps
    ]


def _one_output(outputs: Any) -> Key:
    """The key in `["logits", 0, 0]`, or in a list of one such."""
    if isinstance(outputs[0], str):
        return outputs[0], outputs[1]
    if len(outputs) > 1:
        raise _UnreadableError
    return _one_output(outputs[0])


def _sources(argument: Any) -> Any:
    """The call that an argument comes from; a list of them for layers such as Add."""
    if isinstance(argument, list | tuple):
        return [_sources(one) for one in argument]
    if not isinstance(argument, dict) or argument.get("class_name") != "__keras_tensor__":
        raise _UnreadableError
    name, call, tensor = argument["config"]["keras_history"]
    if tensor:  # a layer with several outputs
        raise _UnreadableError
    return name, call


def flat(inputs: list[Any]) -> Iterator[Key]:
    for source in inputs:
        if isinstance(source, list):
            yield from flat(source)
        else:
            yield source


def _fetch(source: Any, values: dict[Key, Tensor]) -> Any:
    if isinstance(source, list):
        return [_fetch(one, values) for one in source]
    return values[source]


def _whole(model: "keras.Model", until: str | None) -> Step:
    """The model up to a layer as one step, by Keras."""
    import keras

    wanted = keras.Model(model.inputs, model.get_layer(until).output) if until else model
    return Step((model.name, 0), keras_operation(wanted), [])


def _is_input(layer: "keras.Layer") -> bool:
    return type(layer).__name__ == "InputLayer"
