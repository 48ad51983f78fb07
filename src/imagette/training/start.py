"""Transfer learning: what a network begins with instead of random weights.

A recipe's `start` names it: a model that ships with Imagette, a run, or weights learned from
ImageNet. All layers but the last take those weights; the last, which knows the old classes, is
fitted to the new ones on the frozen features of the others (`fit_head`), and then the loop trains
them all a little. Normalisations stay as they are throughout: a few pictures would give them poor
statistics (He et al., *Rethinking ImageNet Pre-training*, 2019, section 3.1).
"""

import time
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imagette.data import Part
from imagette.data.cache import kept_folder
from imagette.errors import ImagetteError
from imagette.files import replacing
from imagette.inference.bundle import SHIPPED
from imagette.models.applications import IMAGENET
from imagette.training.export import load_keras_file
from imagette.training.graph import run_to
from imagette.training.hardware import choose_device, choose_precision
from imagette.training.loop import compute_outputs

if TYPE_CHECKING:
    import keras

HEAD_PICTURES = 20_000
"""No more pictures than this fit the head; the loop sees all."""
_INVERSE_STRENGTH = 10.0
"""Of the head's regularisation, for features whose mean squared length is 1. Between 5 and 500
pictures a class it is within 0.3 points of the best, on pictures held out of CIFAR-10's train part
(4 classes, features learned from the other 6)."""
_WORTH_KEEPING_SECONDS = 5.0


def check_start(start: str) -> None:
    """Make sure that a recipe's `start` can be had.

    Raises:
        ImagetteError: it names neither a model that ships, nor a run with a network, nor weights.
    """
    if not start or start in SHIPPED or start == IMAGENET:
        return
    path = Path(start)
    if not (path / "model.keras").is_file() and not (path.is_file() and path.suffix == ".h5"):
        raise ImagetteError(
            f"There is no trained network in {start} to begin with.",
            f"Set start to {', '.join(SHIPPED)}, {IMAGENET}, the folder of a run, or '' for none.",
        )


def load_start(model: "keras.Model", start: str) -> None:
    """Give a network the weights of another, all but those of its last layer, and freeze its norms.

    Args:
        model: of the registry; one of `imagette.models.applications` has its weights already.
        start: a name of `SHIPPED`, the folder of a run, or what `build_model` has seen to.

    Raises:
        ImagetteError: the other network has other layers.
    """
    from keras import layers

    if start in SHIPPED:
        _take_from_bundle(model, start)
    elif Path(start).is_dir():
        _take_from_run(model, Path(start))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def _take_from_run(model: "keras.Model", run: Path) -> None:
    other = load_keras_file(run / "model.keras")
    mine, theirs = (_weighty(each) for each in (model, other))
    if [_shapes(layer) for layer in mine] != [_shapes(layer) for layer in theirs]:
        raise _other_layers(model, str(run))
    for layer, source in zip(mine, theirs, strict=True):
        layer.set_weights(source.get_weights())


def _take_from_bundle(model: "keras.Model", name: str) -> None:
    """The convolutions of a model that ships, which has its normalisations folded into them.

    What was folded becomes the offset of the normalisation after the convolution, which otherwise
    changes nothing: mean 0, variance 1.
    """
    import onnx
    from keras import layers

    proto = onnx.load(SHIPPED[name])
    nodes = [node for node in proto.graph.node if node.op_type == "Conv"]
    names = [each for node in nodes for each in node.input[1:]]
    _, *shape = proto.graph.input[0].type.tensor_type.shape.dim
    black = np.zeros((1, *(each.dim_value for each in shape)), np.uint8)
    # ONNX Runtime computes them, from 8 bits where they are in 8 bits.
    values = dict(zip(names, run_to(proto, names, black), strict=True))
    convolutions = [layer for layer in model.layers if isinstance(layer, layers.Conv2D)]
    norms = [layer for layer in model.layers if isinstance(layer, layers.BatchNormalization)]
    kernels = [values[node.input[1]].transpose(2, 3, 1, 0) for node in nodes]
    if [layer.kernel.shape for layer in convolutions] != [kernel.shape for kernel in kernels]:
        raise _other_layers(model, name)
    following = iter(norms)
    for layer, kernel, node in zip(convolutions, kernels, nodes, strict=True):
        layer.kernel.assign(kernel)
        if len(node.input) == 2:
            continue
        bias = values[node.input[2]]
        if layer.use_bias:
            layer.bias.assign(bias)
        else:
            norm = next(following)
            norm.beta.assign(bias)
            norm.moving_mean.assign(np.zeros_like(bias))
            norm.moving_variance.assign(np.full_like(bias, 1 - norm.epsilon))


def _weighty(model: "keras.Model") -> "list[keras.Layer]":
    return [layer for layer in model.layers if layer.weights and layer.name != "logits"]


def _shapes(layer: "keras.Layer") -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _other_layers(model: "keras.Model", start: str) -> ImagetteError:
    return ImagetteError(
        f"The network {model.name} cannot begin with the weights of {start}: that one has other"
        " layers.",
        "Choose the same `model` and `model_options` as it has, which its recipe tells.",
    )


# --- the head ------------------------------------------------------------------------------------


def fit_head(model: "keras.Model", train: Part, mirrored: bool, weights: NDArray | None) -> None:
    """Fit the last layer to the frozen features of all before it: a logistic regression.

    Args:
        model: a network of the registry.
        train: pictures to learn from.
        mirrored: whether each picture is learned as its mirror image, too.
        weights: float `(classes,)`, how much each class counts; None for alike.
    """
    from sklearn.linear_model import LogisticRegression

    step = -(-len(train) // HEAD_PICTURES)
    some = Part(train.images[::step], train.labels[::step])
    features, labels = compute_features(model, some, mirrored), some.labels
    if mirrored:
        labels = np.concatenate([labels, labels])
    scale = float(np.sqrt((features**2).sum(axis=1).mean())) or 1.0
    head = model.get_layer("logits")
    regression = LogisticRegression(
        C=_INVERSE_STRENGTH,
        fit_intercept=head.use_bias,
        class_weight=None if weights is None else dict(enumerate(weights)),
        max_iter=300,
    )
    regression.fit(features / scale, labels)
    kernel, bias = _for_softmax(regression)
    head.kernel.assign(kernel / scale)
    if head.use_bias:
        head.bias.assign(bias)


def _for_softmax(regression: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel `(features, classes)` and bias `(classes,)`; of two classes scikit-learn has one."""
    kernel, bias = regression.coef_, regression.intercept_
    if len(kernel) == 1:
        kernel, bias = np.concatenate([-kernel, kernel]) / 2, np.concatenate([-bias, bias]) / 2
    return kernel.T.astype(np.float32), np.broadcast_to(bias, len(kernel)).astype(np.float32)


def compute_features(model: "keras.Model", part: Part, mirrored: bool) -> NDArray[np.float32]:
    """What the last layer is given, float32 `(n, features)`, or `(2n, features)` with `mirrored`.

    It is kept in the user's cache where computing it took a while.
    """
    start = time.perf_counter()
    key = blake2b(f"{part.fingerprint()} {mirrored}".encode(), digest_size=16)
    for layer in _weighty(model):
        for weight in layer.get_weights():
            key.update(np.ascontiguousarray(weight).data)
    path = kept_folder("features") / f"{key.hexdigest()}.npy"
    if path.is_file():
        path.touch()
        return np.load(path)
    precision = choose_precision(choose_device(), "auto")
    ways = [False, True] if mirrored else [False]
    features = np.concatenate(
        [compute_outputs(model, part.images, _before_head(model), precision, way) for way in ways]
    )
    if time.perf_counter() - start > _WORTH_KEEPING_SECONDS:
        with replacing(path) as temporary:
            np.save(temporary, features)
    return features


def _before_head(model: "keras.Model") -> str:
    """The name of the layer whose output is what the last layer takes."""
    names = [layer.name for layer in model.layers]
    return names[names.index("logits") - 1]
