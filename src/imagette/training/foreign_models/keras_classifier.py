"""A Keras model as an ONNX graph of its own numbers, whatever it takes and gives."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.models import count_parameters
from imagette.training.bundle_writer import export_graph
from imagette.training.fold_batchnorm import Folded
from imagette.training.foreign_models.foreign_classifier import ForeignClassifier
from imagette.training.foreign_models.picture_input import Layout, read_picture_input

if TYPE_CHECKING:
    import keras
    import onnx

_AS_ONNX = (
    "Write it as ONNX where it was made, by model.export('m.onnx', format='onnx') in Keras 3 or by"
    " `python -m tf2onnx.convert --keras m.h5 --output m.onnx` in Keras 2, and export that file."
)

_MIXED = {"Add", "Div", "Max", "Min", "Mul", "Pow", "Sub"}


def open_keras_classifier(
    model: "keras.Model", name: str, layout: Layout | None = None, image_size: int | None = None
) -> ForeignClassifier:
    """Bring a Keras classifier to ONNX; for the arguments see `read_picture_input`.

    Raises:
        ImagetteError: the model takes no pictures (or, where its network is made, cannot be brought
            to ONNX).
    """
    _allow_backward_slices(model)
    [tensor] = model.inputs
    takes = read_picture_input(name, tensor.shape, str(tensor.dtype), layout, image_size)

    def answer(taken: NDArray) -> NDArray[np.float32]:
        return np.asarray(model.predict(taken, verbose=0), np.float32)

    def make_network() -> "onnx.ModelProto":
        return _to_onnx(model, name, takes.constant(0, 2))

    outputs = model.output_shape[-1]
    return ForeignClassifier(name, takes, outputs, make_network, answer, count_parameters(model))


def refuse_what_pytorch_computes_otherwise(model: "keras.Model", name: str) -> None:
    """Refuse layers whose answers on PyTorch are not those that TensorFlow and JAX give.

    Raises:
        ImagetteError: the model has one.
    """
    for layer in model._flatten_layers():
        kind = type(layer).__name__
        bicubic = getattr(layer, "interpolation", None) == "bicubic"
        if bicubic or (kind.startswith("AveragePooling") and _is_padded_unevenly(layer)):
            how = "interpolation='bicubic'" if bicubic else "padding='same'"
            raise ImagetteError(
                f"{name} has a {kind} with {how} ({layer.name}), which Keras on PyTorch computes"
                " otherwise than on TensorFlow.",
                _AS_ONNX,
            )


def _is_padded_unevenly(layer: "keras.Layer") -> bool:
    """Whether a pooling gets more padding on one side than on the other, or may; TensorFlow leaves
    it out of the average, and Keras on PyTorch repeats the border there."""
    if layer.padding != "same":
        return False
    tensors = [node.input_tensors[0] for node in layer._inbound_nodes]
    first = 1 if layer.data_format == "channels_last" else 2
    for tensor in tensors:
        sides = tensor.shape[first : first + len(layer.pool_size)]
        for side, size, stride in zip(sides, layer.pool_size, layer.strides, strict=True):
            if side is None or max(0, size - (side % stride or stride)) % 2:
                return True
    return not tensors


def _to_onnx(model: "keras.Model", name: str, example: NDArray) -> "onnx.ModelProto":
    try:
        network = export_graph(_Network(model), torch.from_numpy(example), "pixels", "given")
    # PyTorch's exporter raises nearly any exception on operations that it does not know.
    except Exception as error:
        raise ImagetteError(
            f"{name} cannot be written as ONNX: it computes what PyTorch's exporter does not know.",
            _AS_ONNX,
        ) from error
    _unify_types(network.graph)
    return network


class _Network(torch.nn.Module):
    def __init__(self, model: "keras.Model") -> None:
        super().__init__()
        self.network = Folded(model)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        # The network answers in the type that it is given, which whole numbers do not do for.
        return self.network(pixels if pixels.is_floating_point() else pixels.float())


def _allow_backward_slices(model: "keras.Model") -> None:
    """Let PyTorch, which has no such slices, compute `x[..., ::-1]`, which turns RGB to BGR."""
    import keras

    for operation in model.layers if isinstance(model, keras.Sequential) else model.operations:
        if isinstance(operation, keras.Model):
            _allow_backward_slices(operation)
        elif type(operation).__name__ == "GetItem":
            operation.call = _get_item


def _get_item(x: torch.Tensor, key: Any) -> torch.Tensor:
    parts = list(key) if isinstance(key, tuple | list) else [key]  # a list, where it was saved
    if parts[-1] == slice(None, None, -1) and parts[:-1] in ([...], [slice(None)] * (x.ndim - 1)):
        return torch.flip(x, (-1,))
    return x[tuple(parts)]


def _unify_types(graph: "onnx.GraphProto") -> None:
    """Let whole numbers of the model's arithmetic, as in `x - 1`, be of the type of what they meet.

    PyTorch does that as it computes; its exporter forgets it for numbers that Keras made tensors.
    """
    from onnx import TensorProto, numpy_helper
    from onnx.helper import tensor_dtype_to_np_dtype

    stored = {each.name: each for each in graph.initializer}
    types = {
        each.name: each.type.tensor_type.elem_type for each in (*graph.value_info, *graph.input)
    }
    whole = {TensorProto.INT32, TensorProto.INT64}
    for node in graph.node:
        if node.op_type not in _MIXED or len(node.input) != 2:
            continue
        for number, other in ((0, 1), (1, 0)):
            constant = stored.get(node.input[number])
            wanted = types.get(node.input[other], TensorProto.UNDEFINED)
            if constant is None or constant.data_type not in whole or wanted in (0, *whole):
                continue
            value = numpy_helper.to_array(constant).astype(tensor_dtype_to_np_dtype(wanted))
            node.input[number] = f"{constant.name}/as_type_{wanted}"
            if node.input[number] not in stored:
                stored[node.input[number]] = numpy_helper.from_array(value, node.input[number])
                graph.initializer.append(stored[node.input[number]])
