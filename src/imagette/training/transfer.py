"""Transfer learning: what a network begins with instead of random weights.

A recipe's `init_from` names it: a run, or weights learned from ImageNet. All layers but the last
take those weights; the last, which knows the old classes, is fitted to the new ones in closed form
(`fit_head`), and then the loop trains them all a little. Normalisations stay as they are
throughout: a few images would give them poor statistics (He et al., *Rethinking ImageNet
Pre-training*, 2019, section 3.1).
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from imagette.data import Split
from imagette.errors import ImagetteError
from imagette.heads.head import fit_temperature
from imagette.heads.ridge import fit_ridge
from imagette.models.applications import APPLICATIONS, IMAGENET
from imagette.training.hardware import choose_device, choose_precision
from imagette.training.keras_files import load_keras_file
from imagette.training.outputs import compute_logits, compute_outputs
from imagette.training.reporter import Reporter
from imagette.training.state import State
from imagette.training.weights import get_weights, set_weights

if TYPE_CHECKING:
    import keras

HEAD_IMAGES = 20_000
"""No more images than this fit the head; the training loop sees all."""


def check_start(start: str, model: str = "") -> None:
    """Make sure that a recipe's `init_from` can be had.

    Raises:
        ImagetteError: it names neither a run with a network, nor weights.
    """
    if not start:
        return
    if start == IMAGENET:
        if model and model not in (*APPLICATIONS, "efficientnet-lite"):
            raise ImagetteError(
                f"There are no weights of ImageNet for the network {model}.",
                "Set init_from to '' or the folder of a run, or model to efficientnet-lite.",
            )
        return
    path, remedy = Path(start), f"Set init_from to {IMAGENET}, the folder of a run, or '' for none."
    if path.is_file() and model and model not in APPLICATIONS:
        raise ImagetteError(f"The network {model} does not begin with a file of weights.", remedy)
    if not (path / "model.keras").is_file() and not (path.is_file() and path.suffix == ".h5"):
        raise ImagetteError(f"There is no trained network in {start} to begin with.", remedy)


def load_start(model: "keras.Model", start: str) -> None:
    """Give a network the weights of another, all but those of its last layer, and freeze its norms.

    `start` is the folder of a run, or names weights that `build_model` has loaded already.

    Raises:
        ImagetteError: the other network has other layers.
    """
    from keras import layers

    if start != IMAGENET and Path(start).is_dir():
        other = load_keras_file(Path(start) / "model.keras")
        mine, theirs = (_weighty(each) for each in (model, other))
        if [_shapes(layer) for layer in mine] != [_shapes(layer) for layer in theirs]:
            raise ImagetteError(
                f"The network {model.name} cannot begin with the weights of {start}: that one has"
                " other layers.",
                "Choose the same `model` and `model_options` as it has, which its recipe tells.",
            )
        for layer, source in zip(mine, theirs, strict=True):
            layer.set_weights(source.get_weights())
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def fit_head(model: "keras.Model", train: Split) -> None:
    """Fit the last layer to the frozen features of all before it, by ridge regression.

    Its scores are divided by the temperature that suits leave-one-out answers best, so that the
    loop begins with probabilities that mean what they say.
    """
    step = -(-len(train) // HEAD_IMAGES)
    images, labels = train.images[::step], train.labels[::step]
    precision = choose_precision(choose_device(), "auto")
    names = [layer.name for layer in model.layers]
    features = compute_outputs(model, images, names[names.index("logits") - 1], precision)
    head = model.get_layer("logits")
    fit = fit_ridge(features, labels, head.units)
    temperature = fit_temperature(fit.loo_scores, labels, fit.weights)
    head.kernel.assign((fit.kernel / temperature).astype(np.float32))
    if head.use_bias:
        head.bias.assign((fit.bias / temperature).astype(np.float32))


class FittedHead(NamedTuple):
    """A network whose last layer alone was fitted.

    Attributes:
        accuracy: on the images held out.
        weights: all of the network's.
    """

    accuracy: float
    weights: list[torch.Tensor]


def begin_with_head(
    model: "keras.Model", train: Split, validation: Split, reporter: Reporter
) -> FittedHead:
    """Fit the last layer, and tell how good the network is with it."""
    start = time.perf_counter()
    fit_head(model, train)
    seconds = time.perf_counter() - start
    accuracy = _measure_accuracy(model, validation)
    reporter.on_head(accuracy, seconds)
    return FittedHead(accuracy, get_weights(model))


def average_with_start(
    weights: list[torch.Tensor], head: FittedHead, share: float
) -> list[torch.Tensor]:
    """Average the weights that were learned with those that the training began with.

    Normalisations are frozen, so that the averaged network needs no new statistics.
    """
    return [
        torch.lerp(learned, start, share) if learned.is_floating_point() else learned
        for learned, start in zip(weights, head.weights, strict=True)
    ]


def keep_better(
    model: "keras.Model", validation: Split, head: FittedHead, state: State, reporter: Reporter
) -> State:
    """The state in which, where training all layers made nothing better, the network of the fitted
    last layer is kept.

    `best_epoch` is 0 then, as before the first.
    """
    set_weights(model, state.best_weights)
    accuracy = _measure_accuracy(model, validation)
    better = accuracy >= head.accuracy
    reporter.on_finetune(head.accuracy, accuracy, better)
    return state if better else replace(state, best_epoch=0, best_weights=head.weights)


def _measure_accuracy(model: "keras.Model", split: Split) -> float:
    answers = compute_logits(model, split.images).argmax(axis=1)
    return float(np.mean(answers == split.labels))


def _weighty(model: "keras.Model") -> "list[keras.Layer]":
    return [layer for layer in model.layers if layer.weights and layer.name != "logits"]


def _shapes(layer: "keras.Layer") -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]
