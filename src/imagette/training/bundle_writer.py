"""From a Keras classifier to a bundle: one `onnx.ModelProto` in memory, written once it is done.

`imagette.training.quantize` and `imagette.training.calibrate_bundle` take and give the same;
`imagette.inference.bundle` says what a bundle holds, and reads it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from imagette.errors import ImagetteError
from imagette.files import replacing
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.training.fold_batchnorm import Folded
from imagette.training.hardware import choose_device
from imagette.training.keras_files import flat_layers, quiet
from imagette.training.onnx_graph import update_metadata

if TYPE_CHECKING:
    import keras
    import onnx


def build_bundle(
    model: "keras.Model", metadata: BundleMetadata, pixels: int = 255
) -> "onnx.ModelProto":
    """Make the bundle of a Keras classifier, its normalisations folded into its convolutions.

    Args:
        model: takes float32 `(batch, height, width, 3)` and gives class probabilities, or logits
            (then a softmax is added).
        metadata: what the bundle is to say of itself.
        pixels: the top of the range the model takes: 255, or 1.

    Returns:
        A graph from `image`, uint8 `(batch, height, width, 3)`, to `probabilities`, float32
        `(batch, classes)`.

    Raises:
        ImagetteError: the model's output is neither probabilities nor logits.
    """
    import onnx

    graph = _Bundled(model, pixels).eval()
    example = torch.zeros((2, *model.input_shape[1:]), dtype=torch.uint8, device=choose_device())
    with warnings.catch_warnings(), quiet("torch.onnx"):
        warnings.simplefilter("ignore")  # about PyTorch's own internals
        program = torch.onnx.export(
            graph, (example,), input_names=["image"], output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, verbose=False,
        )  # fmt: skip
    proto = program.model_proto
    # The exporter notes the source line of every operation: folders of this machine.
    for node in proto.graph.node:
        del node.metadata_props[:]
    proto.graph.doc_string = ""
    onnx.helper.set_model_props(proto, metadata.to_properties())
    return proto


def save_bundle(proto: "onnx.ModelProto", path: Path) -> None:
    """Write a bundle, all of it or nothing.

    Raises:
        ImagetteError: the file cannot be written, or is no bundle that opens and answers.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        open_bundle(temporary)


def update_bundle(path: Path, **changes: Any) -> None:
    """Change what a written bundle says of itself, by fields of `BundleMetadata`; its graph stays
    as it is."""
    import onnx

    proto = onnx.load(path)
    update_metadata(proto, **changes)
    save_bundle(proto, path)


class _Bundled(torch.nn.Module):
    """A Keras classifier as the bundle has it: uint8 pixels in, probabilities out."""

    def __init__(self, model: "keras.Model", pixels: int) -> None:
        super().__init__()
        self.network = Folded(model)
        self.scale = pixels / 255
        self.gives_logits = _gives_logits(model)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pixels = image.to(torch.float32)
        if self.scale != 1:
            pixels = pixels * self.scale
        output = self.network(pixels)
        return torch.softmax(output, dim=-1) if self.gives_logits else output


def _gives_logits(model: "keras.Model") -> bool:
    """Whether the model's output still needs a softmax.

    Raises:
        ImagetteError: the output is neither probabilities nor logits.
    """
    random = np.random.default_rng(0).random((4, *model.input_shape[1:]), np.float32)
    output = model.predict(random, verbose=0)
    if output.min() >= 0 and np.allclose(output.sum(axis=1), 1, atol=1e-3):
        return False
    activation = getattr([*flat_layers(model)][-1], "activation", None)
    ends_in = "another layer" if activation is None else activation.__name__
    # Plain logits of several images are never all positive; what is, went through something.
    if output.min() < 0 and (activation is None or ends_in == "linear"):
        return True
    raise ImagetteError(
        f"The model ends in {ends_in}, which gives no probabilities that sum to one.",
        "Export a classifier that ends in a softmax, or in plain logits.",
    )
