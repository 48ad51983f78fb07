"""From a Keras classifier to a bundle: one `onnx.ModelProto` in memory, written once it is done.

`imagette.training.quantize` and `imagette.training.calibrate_bundle` take and give the same;
`imagette.inference.bundle` says what a bundle holds, and reads it.
"""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from imagette.files import replacing
from imagette.inference.bundle import BundleMetadata, open_bundle
from imagette.training.fold_batchnorm import Folded
from imagette.training.hardware import choose_device
from imagette.training.keras_files import quiet
from imagette.training.onnx_graph import update_metadata

if TYPE_CHECKING:
    import keras
    import onnx


def build_bundle(model: "keras.Model", metadata: BundleMetadata) -> "onnx.ModelProto":
    """Make the bundle of a network of `imagette.models`, its normalisations folded into its
    convolutions.

    Args:
        model: takes float32 `(batch, height, width, 3)` in 0–255 and gives class probabilities.
        metadata: what the bundle is to say of itself.

    Returns:
        A graph from `image`, uint8 `(batch, height, width, 3)`, to `probabilities`, float32
        `(batch, classes)`.
    """
    import onnx

    example = torch.zeros((2, *model.input_shape[1:]), dtype=torch.uint8)
    proto = export_graph(_Bundled(model), example, "image", "probabilities")
    onnx.helper.set_model_props(proto, metadata.to_properties())
    return proto


def export_graph(
    network: torch.nn.Module, example: torch.Tensor, takes: str, gives: str
) -> "onnx.ModelProto":
    """Write a network as ONNX, for any number of pictures at once.

    Args:
        network: of one input and one output.
        example: two pictures as it takes them.
        takes: what the graph's input is to be called.
        gives: what its output is to be called.
    """
    with warnings.catch_warnings(), quiet("torch.onnx"), quiet("torch.export"):
        warnings.simplefilter("ignore")  # about PyTorch's own internals
        program = torch.onnx.export(
            network.eval(), (example.to(choose_device()),), input_names=[takes],
            output_names=[gives], dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True,
            verbose=False,
        )  # fmt: skip
    proto = program.model_proto
    # The exporter notes the source line of every operation: folders of this machine.
    for node in proto.graph.node:
        del node.metadata_props[:]
    proto.graph.doc_string = ""
    return proto


def save_bundle(proto: "onnx.ModelProto", path: Path) -> None:
    """Write a bundle, all of it or nothing.

    Raises:
        ImagetteError: the file cannot be written, or is no bundle that opens and answers.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(proto.SerializeToString())
        open_bundle(temporary, made_here=True)


def update_bundle(path: Path, **changes: Any) -> None:
    """Change what a written bundle says of itself, by fields of `BundleMetadata`; its graph stays
    as it is."""
    import onnx

    proto = onnx.load(path)
    update_metadata(proto, **changes)
    save_bundle(proto, path)


class _Bundled(torch.nn.Module):
    """A network as the bundle has it: uint8 pixels in, probabilities out."""

    def __init__(self, model: "keras.Model") -> None:
        super().__init__()
        self.network = Folded(model)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image.to(torch.float32))
