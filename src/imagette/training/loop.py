"""How a network learns: one loop for all recipes.

The pictures stay in memory as uint8 (on a GPU, in its memory), become batches by indexing and are
augmented a batch at a time. PyTorch runs the Keras network on its own weights (see
`translation`), in bfloat16 where the hardware multiplies that.

All randomness of an epoch derives from the recipe's seed and the epoch's number, so a `State`
holds everything: a training that goes on from one ends with the same weights, bit for bit on a
CPU, as one that was never interrupted.
"""

import math
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
from imagette.models.sprint import whiten
from imagette.training import augment
from imagette.training.hardware import choose_device, choose_precision, keep_memory
from imagette.training.optimizers import make_optimizers, schedule, set_rates
from imagette.training.recipe import Recipe
from imagette.training.translation import Translated

if TYPE_CHECKING:
    import keras

EVALUATION_BATCH = 500

Network = Callable[..., Tensor]
"""From pictures `(n, height, width, channels)` and `training=` to float32 logits."""


class DivergedError(ImagetteError):
    """The loss is no longer a number."""


@dataclass
class State:
    """Everything needed to go on after `epoch` epochs.

    Attributes:
        epoch: epochs done.
        weights: every weight of the network, in Keras' order.
        average: their running average, where the recipe keeps one.
        optimizers: the optimizers' own states.
        best_epoch: the epoch with the lowest validation loss or, in a recipe without patience, the
            last one; 0 before the first.
        best_weights: the weights (or their average) after that epoch.
        history: a row an epoch: `epoch`, `loss`, `accuracy`, `val_loss`, `val_accuracy`,
            `seconds` (of training, validation left out), `pictures_per_second`.
    """

    epoch: int = 0
    weights: list[Tensor] = field(default_factory=list)
    average: list[Tensor] = field(default_factory=list)
    optimizers: list[dict[str, Any]] = field(default_factory=list)
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
    expect: Callable[[float], None] = lambda _: None,
) -> Iterator[State]:
    """Train epoch by epoch, until the recipe's last one or until patience runs out.

    Args:
        model: a network of the registry; its weights are trained in place.
        train: pictures to learn from.
        validation: pictures that choose the best epoch.
        recipe: how to train, resolved for the device and the pictures.
        state: `State()` to begin, or an earlier state to go on from.
        report: called now and then during an epoch.
        expect: called once before the first, with about how many seconds all epochs will take.

    Yields:
        The state after each epoch.

    Raises:
        DivergedError: the loss is no longer a number.
        ImagetteError: the network cannot take the smaller pictures that the recipe begins with.
    """
    keep_memory()
    device = choose_device()
    precision = choose_precision(device, recipe.precision)
    network: Network = Translated(model, until="logits")
    # Compiling needs a C compiler, which not everybody with a CPU has.
    compiled = torch.compile(network) if device.type == "cuda" else network
    optimizers = make_optimizers(model, recipe, precision)
    if state.epoch:
        set_weights(model, state.weights)
        for optimizer, remembered in zip(optimizers, state.optimizers, strict=True):
            optimizer.load_state_dict(remembered)
    average = [weight.to(device) for weight in state.average]
    images, labels = _to_device(train, device)
    validation_images, validation_labels = _to_device(validation, device)
    batches = math.ceil(len(train) / recipe.batch_size)
    total_steps = max(1, round(recipe.epochs * batches))
    expect(_rehearse(compiled, model, images, labels, recipe, precision))

    # The clock includes what prepares the pictures for the first step.
    start = time.perf_counter()
    if not state.epoch:
        whiten(model, train.images)
    padded = augment.pad(images, recipe.translate) if recipe.translate else images
    mirrored = _first_mirrored(recipe.seed, len(train)).to(device)

    while not state.finished(recipe):
        epoch, done = state.epoch + 1, state.epoch * batches
        generator = _seed_epoch(recipe.seed, epoch)
        order = torch.randperm(len(train), generator=generator).to(device)
        # Batches that differ by one picture at most: no last batch is too small to learn from.
        parts = order.tensor_split(batches)[: total_steps - done]
        meter = _Meter(epoch, sum(map(len, parts)), report)
        for step, indices in enumerate(parts, start=done):
            set_rates(optimizers, schedule(recipe, step / total_steps))
            pictures = _take(padded, indices, mirrored, epoch, recipe)
            pictures, targets = _mix(pictures, labels[indices], model.output_shape[-1], recipe)
            if step < recipe.small_share * total_steps:
                pictures = augment.shrink(pictures, recipe.small_side)
            logits = compiled(pictures.to(precision), training=True)
            loss = functional.cross_entropy(logits, targets, label_smoothing=recipe.label_smoothing)
            for optimizer in optimizers:
                optimizer.zero_grad(set_to_none=True)
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            if recipe.average:
                _follow(average, model, recipe.average)
            meter.add(logits.detach(), labels[indices], loss.detach())
        progress = meter.now()
        seconds = time.perf_counter() - start

        weights = get_weights(model)
        if recipe.average:
            set_weights(model, average)
        val_loss, val_accuracy = measure(network, validation_images, validation_labels, precision)
        _check_finite(epoch, progress.loss, val_loss)
        measured = get_weights(model)
        set_weights(model, weights)

        best_so_far = min((row["val_loss"] for row in state.history), default=float("inf"))
        # Without patience the last epoch is the one that the schedule was made for.
        improved = val_loss < best_so_far or not recipe.patience
        row = {
            "epoch": epoch,
            "loss": progress.loss,
            "accuracy": progress.accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": seconds,
            "pictures_per_second": progress.pictures / seconds,
        }
        state = State(
            epoch=epoch,
            weights=weights,
            average=[weight.to("cpu", copy=True) for weight in average],
            optimizers=[optimizer.state_dict() for optimizer in optimizers],
            best_epoch=epoch if improved else state.best_epoch,
            best_weights=measured if improved else state.best_weights,
            history=[*state.history, row],
        )
        yield state
        start = time.perf_counter()


def measure(
    network: Network, pictures: Tensor, labels: Tensor, precision: torch.dtype
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and top-1 accuracy (fraction).

    Args:
        network: to logits.
        pictures: uint8 `(n, height, width, channels)`.
        labels: int64 `(n,)`.
        precision: the type to compute in.
    """
    loss, right = 0.0, 0
    with torch.no_grad():
        for batch, truth in zip(
            pictures.split(EVALUATION_BATCH), labels.split(EVALUATION_BATCH), strict=True
        ):
            logits = network(batch.to(precision), training=False)
            loss += float(functional.cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(1) == truth).sum())
    return loss / len(labels), right / len(labels)


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


def _take(padded: Tensor, indices: Tensor, mirrored: Tensor, epoch: int, recipe: Recipe) -> Tensor:
    """A batch of uint8 pictures, shifted, mirrored and covered as the recipe says."""
    if recipe.translate:
        pictures = augment.translate(padded, indices, recipe.translate)
    else:
        pictures = padded[indices]
    if recipe.flip == "random":
        pictures = augment.flip(pictures, torch.rand(len(indices)).to(pictures.device) < 0.5)
    elif recipe.flip == "alternating":
        pictures = augment.flip(pictures, mirrored[indices] ^ (epoch % 2 == 0))
    return augment.cutout(pictures, recipe.cutout) if recipe.cutout else pictures


def _mix(pictures: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Pictures and targets, blended by mixup or CutMix; where a recipe has both, one at random."""
    if not (recipe.mixup or recipe.cutmix):
        return pictures, labels
    targets = functional.one_hot(labels, classes).float()
    if recipe.mixup and (not recipe.cutmix or torch.rand(()) < 0.5):
        return augment.mixup(pictures, targets, recipe.mixup)
    return augment.cutmix(pictures, targets, recipe.cutmix)


def _follow(average: list[Tensor], model: "keras.Model", decay: float) -> None:
    """Move a running average of the weights a step on; it begins as the weights are."""
    weights = [weight.value.detach() for weight in model.weights]
    if not average:
        average.extend(weight.clone() for weight in weights)
    for mean, weight in zip(average, weights, strict=True):
        mean.lerp_(weight, 1 - decay)


def _rehearse(
    network: Network,
    model: "keras.Model",
    images: Tensor,
    labels: Tensor,
    recipe: Recipe,
    precision: torch.dtype,
) -> float:
    """Compute a step of every shape that will come, so that what is prepared once is prepared.

    That is the compiling on a GPU, and the convolutions' choice of kernels on a CPU. The weights
    end as they were.

    Returns:
        About how many seconds the whole training will take.
    """
    weights = get_weights(model)
    batches = math.ceil(len(images) / recipe.batch_size)
    sizes = sorted({len(images) // batches, -(-len(images) // batches)})
    seconds = 0.0
    for side, share in ((recipe.small_side, recipe.small_share), (0, 1 - recipe.small_share)):
        if not share:
            continue
        for size in [*sizes, sizes[-1]]:  # the last one again, to time it when all is prepared
            start = time.perf_counter()
            pictures = augment.shrink(images[:size], side) if side else images[:size]
            try:
                logits = network(pictures.to(precision), training=True)
            except RuntimeError as error:
                if not side:
                    raise
                raise ImagetteError(
                    f"The network {model.name} cannot learn from pictures of {side} pixels.",
                    "Set small_share=0, or choose a network that takes any size, such as sprint.",
                ) from error
            functional.cross_entropy(logits, labels[:size]).backward()
            last = time.perf_counter() - start
        seconds += last * share * recipe.epochs * batches
    for weight in model.trainable_weights:
        weight.value.grad = None
    set_weights(model, weights)
    return seconds


def _to_device(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(part.images).to(device), torch.from_numpy(part.labels).to(device)


def _first_mirrored(seed: int, count: int) -> Tensor:
    """Which pictures an alternating flip mirrors in the first epoch: about half."""
    generator = _seed_epoch(seed, 0)
    return torch.rand(count, generator=generator) < 0.5


def _seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Seed what an epoch draws, and return a generator for the order of its pictures."""
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
