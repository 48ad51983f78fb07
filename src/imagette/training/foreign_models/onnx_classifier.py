"""An ONNX file from elsewhere, such as PyTorch, TensorFlow and timm write them."""

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from imagette.errors import ImagetteError
from imagette.training.foreign_models.foreign_classifier import ForeignClassifier
from imagette.training.foreign_models.picture_input import (
    Layout,
    PictureInput,
    read_picture_input,
)
from imagette.training.other_formats import refuse_other_formats

if TYPE_CHECKING:
    import onnx

_ONNX = "", "ai.onnx"
"""Two names of the same domain, that of ONNX' own operations."""

_LARGEST = (2 << 30) - (1 << 20)
"""How many bytes of weights fit an ONNX file, whose size is below 2 GB."""

_OLDEST_OPSET = 7
"""Before it, arithmetic did not broadcast as it does in what is added to the graph."""


def open_onnx_classifier(
    path: Path, layout: Layout | None = None, image_size: int | None = None
) -> ForeignClassifier:
    """Open an ONNX classifier; for the arguments see `read_picture_input`.

    Raises:
        ImagetteError: the file cannot be read or run, is a bundle already, or is no classifier of
            pictures.
    """
    network = _load(path)
    session = _open_session(path)
    takes = _read_input(path, network, layout, image_size)
    output, outputs = _class_scores(path, session, takes)
    kept = [each for each in network.graph.output if each.name == output]
    del network.graph.output[:]
    network.graph.output.extend(kept)
    answer = _answer_of(session, output, takes)
    weights = _count_weights(network)
    return ForeignClassifier(path.name, takes, outputs, lambda: network, answer, weights)


def _load(path: Path) -> "onnx.ModelProto":
    """The model in memory, with weights that lie in files beside it."""
    import onnx

    if not path.is_file():
        raise ImagetteError(f"There is no file {path}.", "Check its name and folder.")
    refuse_other_formats(path)
    try:
        network = onnx.load(path, load_external_data=False)
    except Exception as error:  # of the parser, a kind of its own
        raise ImagetteError(
            f"{path} cannot be read as an ONNX file: it is damaged or of another kind.",
            "Write it again where it was made, or check the download.",
        ) from error
    _check_size(path, network)
    try:
        onnx.load_external_data_for_model(network, str(path.parent))
    except Exception as error:  # several kinds
        raise ImagetteError(
            f"Weights of {path} lie in another file, which is missing or damaged.",
            "Put it beside the .onnx file, under the name that it was written with.",
        ) from error
    if {"class_names", "imagette_version"} <= {each.key for each in network.metadata_props}:
        raise ImagetteError(
            f"{path} is a bundle already.",
            f"Use it as it is: imagette serve --model {shlex.quote(str(path))}",
        )
    opset = max((one.version for one in network.opset_import if one.domain in _ONNX), default=0)
    if opset < _OLDEST_OPSET:
        raise ImagetteError(
            f"{path} is written for opset {opset} of ONNX, which is too old.",
            "Write it for a newer one: onnx.version_converter.convert_version(model, 13).",
        )
    if network.functions:
        network = onnx.inliner.inline_local_functions(network)
    _tidy(network)
    return network


def _check_size(path: Path, network: "onnx.ModelProto") -> None:
    """Refuse weights of which one file cannot hold all, before they are read."""
    import onnx

    size = sum(
        math.prod(each.dims) * onnx.helper.tensor_dtype_to_np_dtype(each.data_type).itemsize
        for each in network.graph.initializer
        if each.data_type in set(onnx.TensorProto.DataType.values()) - {0}
    )
    if size >= _LARGEST:
        raise ImagetteError(
            f"{path} has {size / 2**30:.1f} GB of weights, and a bundle, which is one ONNX file,"
            " holds less than 2.",
            "Export a smaller model, or this one in float16.",
        )


def _tidy(network: "onnx.ModelProto") -> None:
    """Take out what only holds for the original: notes, and shapes of a certain batch; and weights
    from among the inputs, where old files list them."""
    graph = network.graph
    for node in graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del graph.value_info[:], network.metadata_props[:]
    stored = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in stored]
    del graph.input[:]
    graph.input.extend(inputs)
    _sort_nodes(graph)


def _sort_nodes(graph: "onnx.GraphProto") -> None:
    """Put every node behind those that make what it takes, as ONNX wants and some tools forget."""
    waiting, ordered, known = list(graph.node), [], set[str]()
    made = {name for node in waiting for name in node.output}
    while waiting:
        later = []
        for node in waiting:
            if _taken(node) & made <= known:
                ordered.append(node)
                known.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            return  # they go in a circle, which ONNX Runtime will refuse
        waiting = later
    del graph.node[:]
    graph.node.extend(ordered)


def _taken(node: "onnx.NodeProto") -> set[str]:
    """What a node takes, in graphs inside it too."""
    inside = [graph for each in node.attribute for graph in (each.g, *each.graphs)]
    return set(node.input).union(*(_taken(each) for graph in inside for each in graph.node))


def _open_session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # errors are not printed; they reach the user as ImagetteError
    try:
        # By its path, so that weights in other files are found.
        return onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"], enable_fallback=False
        )
    # ONNX Runtime has a dozen exception types with no common base but Exception.
    except Exception as error:
        reason = str(error).rpartition(" : ")[2].splitlines()[0]
        raise ImagetteError(
            f"{path} does not run in ONNX Runtime {onnxruntime.__version__}: {reason}",
            "Export it again, for an older opset or without operations of other programs.",
        ) from error


def _read_input(
    path: Path, network: "onnx.ModelProto", layout: Layout | None, image_size: int | None
) -> PictureInput:
    import onnx

    inputs = network.graph.input
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs) or "none"
        raise ImagetteError(
            f"{path} takes {len(inputs)} inputs ({names}), and a bundle gives it a picture alone.",
            "Export a network that takes one batch of pictures.",
        )
    kind = inputs[0].type.tensor_type
    shape = [side.dim_value or None for side in kind.shape.dim]
    try:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).name
    except KeyError:
        dtype = "none"
    takes = read_picture_input(path.name, shape, dtype, layout, image_size)
    if takes.batch not in (None, 1):
        raise ImagetteError(
            f"{path} takes {takes.batch} pictures at once, neither more nor fewer.",
            "Export it again with a batch of one, or with a dynamic one.",
        )
    return takes


def _class_scores(
    path: Path, session: onnxruntime.InferenceSession, takes: PictureInput
) -> tuple[str, int]:
    """The output with one row for each picture, and how long those rows are."""
    pictures = takes.constant(0.5, takes.batch or 2)
    try:
        given = session.run(None, {session.get_inputs()[0].name: pictures})
    # As when a session is opened.
    except Exception as error:
        height, width = takes.height, takes.width
        raise ImagetteError(
            f"{path} does not run on pictures of {height}×{width}, read as {takes.layout}.",
            "Give the other --layout, or the --image-size that it was trained on.",
        ) from error
    names = [each.name for each in session.get_outputs()]
    rows = [
        (name, each.size // len(pictures))
        for name, each in zip(names, given, strict=True)
        if _are_rows(each, len(pictures))
    ]
    if len(rows) == 1:
        return rows[0]
    shapes = ", ".join(
        f"{name} {getattr(each, 'shape', '')}" for name, each in zip(names, given, strict=True)
    )
    raise ImagetteError(
        f"{path} gives for {len(pictures)} picture(s): {shapes}; that is not one row of classes for"
        " each.",
        "Export a classifier whose only output is (batch, classes).",
    )


def _are_rows(given: object, pictures: int) -> bool:
    """Whether an output is one row of numbers for each picture, axes of length 1 left out."""
    if not isinstance(given, np.ndarray) or given.dtype.kind != "f":
        return False
    if given.ndim == 1:
        return pictures == 1 or given.shape == (pictures,)
    return given.shape[0] == pictures and given.size == pictures * max(given.shape[1:])


def _answer_of(
    session: onnxruntime.InferenceSession, output: str, takes: PictureInput
) -> Callable[[NDArray], NDArray[np.float32]]:
    name = session.get_inputs()[0].name

    def answer(taken: NDArray) -> NDArray[np.float32]:
        # One at a time, as those of a batch of one are, so that no picture can change another's.
        given = [session.run([output], {name: taken[n : n + 1]})[0] for n in range(len(taken))]
        return np.stack(given).astype(np.float32).reshape(len(taken), -1)

    return answer


def _count_weights(network: "onnx.ModelProto") -> int:
    import onnx

    return sum(
        int(np.prod(each.dims))
        for each in network.graph.initializer
        if each.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    )
