"""The weights of Keras 2's files, to the layers that they belong to.

`.h5` keeps those of each outermost layer in one list, by names such as `conv2d/kernel:0`; `.keras`
keeps those of each layer in a folder that its class and its place name, as `layers/conv2d_1/vars`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from imagette.training.keras2.model_config import StoredLayer

if TYPE_CHECKING:
    import keras

Found = tuple[str, list[Any], list[h5py.Dataset]]
"""The name of a layer, its weights, and the datasets that are to fill them."""

_PARTS = (
    "layer", "forward_layer", "backward_layer", "cell",
    "_query_dense", "_key_dense", "_value_dense", "_output_dense",
)  # fmt: skip
"""What layers with layers inside call them, in the order in which their weights are listed."""


class UnreadableWeightsError(Exception):
    """The weights are not those of the layers; said as the end of a sentence on the file."""


def load_weights(model: "keras.Model", layers: list[StoredLayer], file: h5py.File) -> None:
    """Give a model that was built anew the weights of the file that describes it.

    Args:
        model: takes them.
        layers: what the file describes, and what each became in `model`.
        file: an `.h5` file, or the weights inside a `.keras` file.

    Raises:
        UnreadableWeightsError: a layer's are missing, or of other shapes.
    """
    import keras

    found = _of_h5 if "model_weights" in file else _of_keras
    for name, weights, datasets in found(file, layers, model):
        if any(data.external or data.is_virtual or data.file != file for data in datasets):
            raise UnreadableWeightsError(f"keeps the weights of {name} in another file")
        # Shapes are compared before anything is read: a damaged file may claim any size.
        wants = [tuple(weight.shape) for weight in weights]
        has = [tuple(data.shape) for data in datasets]
        if has != wants:
            raise UnreadableWeightsError(
                f"has weights of the shapes {has} for {name}, which takes {wants}"
            )
        for weight, data in zip(weights, datasets, strict=True):
            weight.assign(np.asarray(data))
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def _of_keras(file: h5py.File, layers: list[StoredLayer], model: Any) -> Iterator[Found]:
    groups: dict[str, h5py.Group] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Group):
            # Keras 2.12 calls this folder otherwise, and on Windows parts names by backslashes.
            groups[re.sub("_layer_checkpoint_dependencies", "layers", name.replace("\\", "/"))] = (
                item
            )

    def datasets(path: str) -> list[h5py.Dataset]:
        own = groups.get(f"{path}/vars", {})
        inside = [f"{path}/{part}" for part in _PARTS if f"{path}/{part}" in groups]
        return [
            *(own[key] for key in sorted(own, key=int)),
            *(data for part in inside for data in datasets(part)),
        ]

    def walk(layers: list[StoredLayer], model: Any, folder: str) -> Iterator[Found]:
        seen: Counter[str] = Counter()
        for layer in layers:
            kind = _snake_case(layer.class_name)
            path = f"{folder}layers/{kind}" + (f"_{seen[kind]}" if seen[kind] else "")
            seen[kind] += 1
            built = _built(layer, model)
            if layer.layers is not None:
                yield from walk(layer.layers, built, f"{path}/")
            elif built and built.weights:
                yield layer.name, built.weights, datasets(path)

    file.visititems(note)
    yield from walk(layers, model, "")


def _of_h5(file: h5py.File, layers: list[StoredLayer], model: Any) -> Iterator[Found]:
    for layer in layers:
        built = _built(layer, model)
        if not built or not built.weights:
            continue
        if layer.name not in file["model_weights"]:
            raise UnreadableWeightsError(f"has no weights for {layer.name}")
        group = file["model_weights"][layer.name]
        names = _listed(group, "weight_names")
        if layer.layers is None:
            yield layer.name, built.weights, [group[name] for name in names]
        else:
            yield from _of_nested(group, names, layer, built)


def _of_nested(
    group: h5py.Group, names: list[str], model: StoredLayer, built: Any
) -> Iterator[Found]:
    """Sort one list of weights to the layers of a nested model by their names.

    Where the names do not tell, by their order, as Keras itself does.
    """
    leaves = [*_leaves(model.layers or [], built)]
    called = Counter(name for name, _ in leaves)
    sorted_names: dict[str, list[str]] = defaultdict(list)
    for name in names:
        owners = [leaf for leaf in called if f"/{leaf}/" in f"/{name}"]
        # `Normalization` alone calls its weights by no layer's name.
        sorted_names[max(owners, key=len, default="")].append(name)
    for name, leaf in leaves:
        if name not in sorted_names and len(sorted_names[""]) >= len(leaf.weights):
            sorted_names[name] = sorted_names[""][: len(leaf.weights)]
            del sorted_names[""][: len(leaf.weights)]
    fits = all(len(sorted_names[name]) == len(leaf.weights) for name, leaf in leaves)
    if fits and max(called.values(), default=1) == 1:
        for name, leaf in leaves:
            yield name, leaf.weights, [group[one] for one in sorted_names[name]]
    else:
        weights = [*built.trainable_weights, *built.non_trainable_weights]
        yield model.name, weights, [group[name] for name in names]


def _leaves(layers: list[StoredLayer], model: Any) -> Iterator[tuple[str, Any]]:
    for layer in layers:
        built = _built(layer, model)
        if layer.layers is not None:
            yield from _leaves(layer.layers, built)
        elif built and built.weights:
            yield layer.name, built


def _built(layer: StoredLayer, model: Any) -> Any:
    """What became of a layer; None where it was an input or a call of TensorFlow."""
    return model.get_layer(layer.new_name) if layer.becomes_layer else None


def _listed(group: h5py.Group, name: str) -> list[str]:
    """A list of names; one too long for an attribute goes on in others, numbered."""
    values = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(values)}" in group.attrs:
        values.append(group.attrs[f"{name}{len(values)}"])
    return [one.decode() if isinstance(one, bytes) else str(one) for part in values for one in part]


def _snake_case(name: str) -> str:
    """As Keras makes a folder's name of a class's."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
