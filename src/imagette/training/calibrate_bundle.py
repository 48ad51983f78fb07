"""What a bundle gets once its network is trained: calibrated probabilities, and `familiarity`, an
out-of-distribution (OOD) score.

Both are fitted to what the bundle itself answers, 8-bit arithmetic and all.
"""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from imagette.data.dataset import Split
from imagette.evaluation.calibration import SMALLEST_ENTROPY, fit_entropy_temperatures
from imagette.heads.head import root_directions
from imagette.heads.head_graph import GraphBuilder, add_familiarity
from imagette.heads.ood_score import METHOD as NEAREST
from imagette.heads.ood_score import THRESHOLD, choose_references, fit_ood_score_held_out
from imagette.images.views import ViewName
from imagette.training.onnx_graph import find_ends, read_metadata, run_to, update_metadata
from imagette.training.ood_score import METHOD as OUTLIERS
from imagette.training.ood_score import MOST_IMAGES, append_familiarity, append_score, fit_score
from imagette.training.synthetic_outliers import make_outliers

if TYPE_CHECKING:
    import onnx

_MOST_BYTES = 500_000_000
"""No more images are looked at than have so many; all of CIFAR-10's have fewer."""
_ADDED = ("calibration/", "familiarity")
"""How the names of what is added begin."""


def calibrate_bundle(
    proto: "onnx.ModelProto", learned: Split, held_out: Split
) -> "onnx.ModelProto":
    """A copy of a bundle whose probabilities are calibrated, and which gives `familiarity`.

    What an earlier call added is fitted anew.

    Args:
        proto: the bundle.
        learned: images that the network learned from, of any size.
        held_out: others of the same classes in the network's size; they calibrate, and set the
            threshold.

    Returns:
        The copy; without either where the network does not end in a linear layer and a softmax.
    """
    calibrated = remove_calibration(proto)
    ends = find_ends(calibrated.graph)
    if ends is None:
        return calibrated
    view = read_metadata(calibrated).view
    if view:  # which only networks that know photographs have
        method, logits = NEAREST, _compare_with_learned(calibrated, ends, learned, held_out, view)
    else:
        method, logits = OUTLIERS, _compare_with_outliers(calibrated, ends, learned, held_out)
    factor, exponent = fit_entropy_temperatures(logits, held_out.labels)
    _divide_by_temperatures(calibrated.graph, ends[1], factor, exponent, logits.shape[1])
    update_metadata(
        calibrated, entropy_temperature=(factor, exponent),
        familiarity_threshold=THRESHOLD, familiarity_method=method,
    )  # fmt: skip
    return calibrated


def _compare_with_learned(
    proto: "onnx.ModelProto", ends: tuple[str, str], learned: Split, held_out: Split, view: ViewName
) -> NDArray[np.float32]:
    """Add familiarity, the similarity to images learned; returns the logits of those held out.

    The features of a network that was pretrained on photographs tell other things from what it
    learned. Those of a network trained from scratch do so less well, hence the synthetic outliers.
    """
    height, width = held_out.images.shape[1:3]
    some = learned.take(choose_references(learned.labels)).resized(height, width, view)
    [of_learned] = run_to(proto, [ends[0]], some.images)
    of_held_out, logits = run_to(proto, list(ends), held_out.images)
    score = fit_ood_score_held_out(root_directions(of_learned), root_directions(of_held_out))
    add_familiarity(proto.graph, ends[0], score)
    return logits


def _compare_with_outliers(
    proto: "onnx.ModelProto", ends: tuple[str, str], learned: Split, held_out: Split
) -> NDArray[np.float32]:
    """Add familiarity, what tells images learned from synthetic outliers; returns the logits of
    those held out."""
    (height, width), of_one = held_out.images.shape[1:3], held_out.images[:1].nbytes
    step = max(1, len(learned) // max(1, min(MOST_IMAGES, _MOST_BYTES // of_one)))
    some, others = (  # spread, as folders come by class
        Split(learned.images[first::step], learned.labels[first::step]).resized(height, width)
        for first in (0, step // 2)
    )
    [of_learned] = run_to(proto, [ends[0]], some.images)
    [of_outliers] = run_to(proto, [ends[0]], _outliers(others.images))
    score = append_score(proto.graph, ends, fit_score(of_learned, some.labels, of_outliers))
    logits, scores = run_to(proto, [ends[1], score], held_out.images)
    append_familiarity(proto.graph, score, scores)
    return logits


def _outliers(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same outliers whenever the images are the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_outliers(torch.tensor(images)).numpy()


def remove_calibration(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """A copy of a bundle as its network is, from images through logits to probabilities."""
    bare = copy.deepcopy(proto)
    graph = bare.graph
    before = {node.output[0]: node.input[0] for node in graph.node}
    for node in graph.node:
        if node.output[0] == "probabilities" and node.input[0] == "calibration/logits":
            node.input[0] = before["calibration/logits"]
    for field in (graph.node, graph.initializer, graph.output):
        kept = [each for each in field if not _is_added(each)]
        del field[:]
        field.extend(kept)
    update_metadata(
        bare, entropy_temperature=None, familiarity_threshold=None, familiarity_method=""
    )
    return bare


def _is_added(each: Any) -> bool:
    """Whether a node (by its output), a constant or an output of a graph has been added."""
    return (each.output[0] if hasattr(each, "op_type") else each.name).startswith(_ADDED)


def _divide_by_temperatures(
    graph: "onnx.GraphProto", logits: str, factor: float, exponent: float, classes: int
) -> None:
    """Let the softmax have logits divided by `entropy_temperatures`."""
    nodes = GraphBuilder(graph, "calibration")
    constant, node = nodes.constant, nodes.add
    last = constant("last_axis", np.array([1]))
    logarithms = node("LogSoftmax", [logits], "logarithms", axis=1)
    shares = node("Exp", [logarithms], "shares")
    terms = node("Mul", [shares, logarithms], "terms")
    negative_entropy = node("ReduceSum", [terms, last], "negative_entropy", keepdims=1)
    largest = constant("largest", -np.log(classes))
    entropy = node("Div", [negative_entropy, largest], "entropy")
    entropy = node("Max", [entropy, constant("smallest", SMALLEST_ENTROPY)], "safe_entropy")
    power = node("Pow", [entropy, constant("exponent", exponent)], "power")
    temperature = node("Mul", [power, constant("factor", factor)], "temperature")
    node("Div", [logits, temperature], "logits")
    softmax = next(each for each in graph.node if each.output[0] == "probabilities")
    softmax.input[0] = "calibration/logits"
    # The softmax has to come after what it takes.
    moved = type(softmax)()
    moved.CopyFrom(softmax)
    graph.node.remove(softmax)
    graph.node.append(moved)
