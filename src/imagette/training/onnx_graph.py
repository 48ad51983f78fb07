"""Changes to the graph of a bundle: small helpers around ONNX."""

from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.images.batches import batches, default_batch_size

if TYPE_CHECKING:
    import onnx

_BATCH = 250


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


def add_constant(graph: "onnx.GraphProto", name: str, value: Any) -> str:
    """Add an array, numbers as float32; its name, for the inputs of a node."""
    from onnx import numpy_helper

    array = np.asarray(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
    return name


def add_node(
    graph: "onnx.GraphProto", kind: str, inputs: list[str], output: str, **attributes: int
) -> str:
    """Add an operation with one output; the output's name, for the inputs of the next."""
    from onnx import helper

    graph.node.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
    return output


def run_to(
    proto: "onnx.ModelProto", outputs: list[str], images: NDArray[np.uint8]
) -> list[NDArray[np.float32]]:
    """What tensors of the graph become for pictures, computed a batch at a time.

    Args:
        proto: a bundle.
        outputs: the tensors' names.
        images: uint8 `(n, height, width, 3)`.
    """
    import onnx

    asked = onnx.ModelProto()
    asked.CopyFrom(proto)
    del asked.graph.output[:]
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    session = onnxruntime.InferenceSession(
        asked.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    size = default_batch_size(_BATCH, *images.shape[1:3])
    parts = [
        session.run(outputs, {"image": images[portion]}) for portion in batches(len(images), size)
    ]
    return [np.concatenate(each) for each in zip(*parts, strict=True)]
