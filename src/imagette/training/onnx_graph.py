"""A bundle in memory, an `onnx.ModelProto`: its metadata, and what its graph computes."""

import copy
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.images.batches import batches, default_batch_size
from imagette.inference.bundle import BundleMetadata

if TYPE_CHECKING:
    import onnx

_BATCH = 250


def read_metadata(proto: "onnx.ModelProto") -> BundleMetadata:
    """What a bundle says of itself."""
    properties = {each.key: json.loads(each.value) for each in proto.metadata_props}
    return BundleMetadata.model_validate(properties)


def update_metadata(proto: "onnx.ModelProto", **changes: Any) -> None:
    """Change what a bundle says of itself, by fields of `BundleMetadata`."""
    import onnx

    metadata = read_metadata(proto).model_copy(update=changes)
    onnx.helper.set_model_props(proto, metadata.to_properties())


def find_ends(graph: "onnx.GraphProto") -> tuple[str, str] | None:
    """The names of the features that the last layer takes, and of the logits that it gives.

    None where the network does not end in a linear layer and a softmax.
    """
    makers = {output: node for node in graph.node for output in node.output}
    softmax = makers.get("probabilities")
    if softmax is None or softmax.op_type != "Softmax":
        return None
    logits = softmax.input[0]
    node = makers.get(logits)
    if node is not None and node.op_type == "Add":  # the bias, where it is a step of its own
        node = next((makers[name] for name in node.input if name in makers), None)
    if node is None or node.op_type not in ("Gemm", "MatMul"):
        return None
    return node.input[0], logits


def run_to(
    proto: "onnx.ModelProto", outputs: list[str], images: NDArray[np.uint8]
) -> list[NDArray[np.float32]]:
    """What tensors of a bundle's graph, by name, become for images, uint8 `(n, height, width, 3)`.

    They are computed a batch at a time.
    """
    import onnx

    asked = copy.deepcopy(proto)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    session = onnxruntime.InferenceSession(
        asked.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    size = default_batch_size(_BATCH, *images.shape[1:3])
    results = [
        session.run(outputs, {"image": images[batch]}) for batch in batches(len(images), size)
    ]
    return [np.concatenate(each) for each in zip(*results, strict=True)]
