"""How a network learns: one loop over a Keras model, in PyTorch.

It is quicker than Keras' own `fit` because the pictures stay in memory as uint8 and become
batches by plain indexing, and because the network sees them channels-first in channels-last
memory, the layout PyTorch's convolutions like best.

All randomness of an epoch derives from the recipe's seed and the epoch's number, so a `State`
holds everything: a training that goes on from one ends with the same weights, bit for bit on a
CPU, as one that was never interrupted.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from imagette.data.dataset import Part
from imagette.errors import ImagetteError
from imagette.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

EVALUATION_BATCH = 500


class DivergedError(ImagetteError):
    """The loss is no longer a number."""


@dataclass
class State:
    """Everything needed to go on after `epoch` epochs.

    Attributes:
        epoch: epochs done.
        weights: every weight of the network, in Keras' order.
        optimizer: the optimizer's own state.
        best_epoch: the epoch with the lowest validation loss; 0 before the first.
        best_weights: the weights after that epoch.
        history: a row an epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`,
            `seconds`, `pictures_per_second`.
    """

    epoch: int = 0
    weights: list[Tensor] = field(default_factory=list)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best_epoch: int = 0
    best_weights: list[Tensor] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)

    def finished(self, recipe: Recipe) -> bool:
        """Whether the recipe asks for no further epoch."""
        out_of_patience = recipe.patience and self.epoch - self.best_epoch >= recipe.patience
        return self.epoch >= recipe.epochs or bool(out_of_patience)


@dataclass(frozen=True)
class Progress:
    """Where an epoch under way stands; loss and accuracy are means over the epoch so far."""

    epoch: int
    pictures: int
    total_pictures: int
    loss: float
    accuracy: float
    seconds: float


def epochs(
    model: "keras.Model",
    train: Part,
    validation: Part,
    recipe: Recipe,
    state: State,
    report: Callable[[Progress], None] = lambda _: None,
) -> Iterator[State]:
    """Train epoch by epoch, until the recipe's last one or until patience runs out.

    Args:
        model: a channels-first network of the registry; its weights are trained in place.
        train: pictures to learn from.
        validation: pictures that choose the best epoch.
        recipe: how to train.
        state: `State()` to begin, or an earlier state to go on from.
        report: called now and then during an epoch.

    Yields:
        The state after each epoch.

    Raises:
        DivergedError: the loss is no longer a number.
    """
    network = logits_model(model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train_pictures, train_labels = _to_device(train, device)
    validation_pictures, validation_labels = _to_device(validation, device)
    optimizer = make_optimizer(model, recipe)
    if state.epoch:
        set_weights(model, state.weights)
        optimizer.load_state_dict(state.optimizer)

    while not state.finished(recipe):
        epoch, start = state.epoch + 1, time.perf_counter()
        generator = _seed_epoch(recipe.seed, epoch)
        order = torch.randperm(len(train), generator=generator).to(device)
        meter = _Meter(epoch, len(train), report)
        for indices in order.split(recipe.batch_size):
            logits = network(to_network(train_pictures[indices]), training=True)
            loss = functional.cross_entropy(logits, train_labels[indices])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            meter.add(logits.detach(), train_labels[indices], loss.detach())
        progress = meter.now()
        seconds = time.perf_counter() - start
        val_loss, val_accuracy = measure(network, validation_pictures, validation_labels)
        _check_finite(epoch, progress.loss, val_loss)

        weights = get_weights(model)
        best_so_far = min((row["val_loss"] for row in state.history), default=float("inf"))
        improved = val_loss < best_so_far
        row = {
            "epoch": epoch,
            "loss": progress.loss,
            "accuracy": progress.accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": seconds,
            "pictures_per_second": len(train) / seconds,
        }
        state = State(
            epoch=epoch,
            weights=weights,
            optimizer=optimizer.state_dict(),
            best_epoch=epoch if improved else state.best_epoch,
            best_weights=weights if improved else state.best_weights,
            history=[*state.history, row],
        )
        yield state


def logits_model(model: "keras.Model") -> "keras.Model":
    """The same network up to its logits, which a loss can be computed from without rounding."""
    import keras

    return keras.Model(model.inputs, model.get_layer("logits").output)


def to_network(pictures: Tensor) -> Tensor:
    """uint8 `(n, height, width, 3)` to float32 `(n, 3, height, width)`, in channels-last memory."""
    return pictures.permute(0, 3, 1, 2).float()


def measure(network: "keras.Model", pictures: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy (nats) and top-1 accuracy (fraction).

    Args:
        network: from float32 pixels, channels first, to logits.
        pictures: uint8 `(n, height, width, 3)`.
        labels: int64 `(n,)`.
    """
    loss, right = 0.0, 0
    with torch.no_grad():
        for batch, truth in zip(
            pictures.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True
        ):
            logits = network(to_network(batch), training=False)
            loss += float(functional.cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(1) == truth).sum())
    return loss / len(labels), right / len(labels)


def make_optimizer(model: "keras.Model", recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the model's trainable weights, with Keras' defaults."""
    parameters = [weight.value for weight in model.trainable_weights]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(parameters, recipe.learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.Adam(parameters, recipe.learning_rate, eps=1e-7, fused=True)


def get_weights(model: "keras.Model") -> list[Tensor]:
    """Copies of every weight, on the CPU."""
    return [weight.value.detach().to("cpu", copy=True) for weight in model.weights]


def set_weights(model: "keras.Model", weights: list[Tensor]) -> None:
    """Put copies of `weights` into the model."""
    with torch.no_grad():
        for weight, value in zip(model.weights, weights, strict=True):
            weight.value.copy_(value)


class _Meter:
    """Means of loss and accuracy over an epoch, reported a few times a second.

    Sums stay tensors, so that a GPU is not made to wait for every batch.
    """

    REPORT_SECONDS = 0.2

    def __init__(self, epoch: int, total: int, report: Callable[[Progress], None]) -> None:
        self.epoch, self.total, self.report = epoch, total, report
        self.start = self.reported = time.perf_counter()
        self.pictures = 0
        self.loss: Tensor | float = 0.0
        self.right: Tensor | float = 0.0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        self.pictures += len(labels)
        self.loss += loss * len(labels)
        self.right += (logits.argmax(1) == labels).sum()
        if time.perf_counter() - self.reported > self.REPORT_SECONDS:
            self.reported = time.perf_counter()
            self.report(self.now())

    def now(self) -> Progress:
        return Progress(
            epoch=self.epoch,
            pictures=self.pictures,
            total_pictures=self.total,
            loss=float(self.loss) / self.pictures,
            accuracy=float(self.right) / self.pictures,
            seconds=time.perf_counter() - self.start,
        )


def _to_device(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.images).to(device), torch.from_numpy(part.labels).to(device)


def _seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Seed what dropout draws from, and return a generator for the order of the pictures."""
    global_seed, order_seed = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    # PyTorch takes seeds below 2**63.
    torch.manual_seed(int(global_seed >> np.uint64(1)))
    return torch.Generator().manual_seed(int(order_seed >> np.uint64(1)))


def _check_finite(epoch: int, loss: float, val_loss: float) -> None:
    if not np.isfinite(loss) or not np.isfinite(val_loss):
        kept = " The best network before that is kept in its folder." if epoch > 1 else ""
        raise DivergedError(
            f"The loss became {loss if not np.isfinite(loss) else val_loss} in epoch {epoch}:"
            f" the training has run away.{kept}",
            "Start a new run with a lower learning rate, such as --set learning_rate=0.0001.",
        )
