"""How a network learns: one training loop for all recipes.

The images stay in memory as uint8 (on a GPU, in its memory; those that are mapped from a file
stay there), become batches by indexing and are augmented a batch at a time. PyTorch runs the Keras
network on its own weights (see `torch_graph`), in bfloat16 where the hardware multiplies that.

All randomness of an epoch derives from the recipe's seed and the epoch's number, so a `State`
holds everything: a training that goes on from one (with the same teacher, where it has one) ends
with the same weights, bit for bit on a CPU, as one that was never interrupted.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from imagette.data.dataset import Split
from imagette.errors import ImagetteError
from imagette.models.sprint import whiten
from imagette.training import distributed
from imagette.training.augment import Batch, augment_batch, shrink
from imagette.training.batch_order import epoch_order, first_mirrored
from imagette.training.fold_batchnorm import Folded
from imagette.training.hardware import choose_device, choose_precision, configure
from imagette.training.losses import compute_class_weights, compute_loss
from imagette.training.meter import Meter
from imagette.training.optimizers import make_optimizers, set_rates
from imagette.training.outputs import Network, measure
from imagette.training.recipe import Recipe
from imagette.training.schedules import rate_factor
from imagette.training.state import EpochProgress, State
from imagette.training.weights import get_weights, set_weights

if TYPE_CHECKING:
    import keras


class DivergedError(ImagetteError):
    """The loss is no longer a number."""


def train_epochs(
    model: "keras.Model",
    train: Split,
    validation: Split,
    recipe: Recipe,
    state: State,
    on_progress: Callable[[EpochProgress], None] = lambda _: None,
    on_eta: Callable[[float], None] = lambda _: None,
    teacher: "keras.Model | None" = None,
) -> Iterator[State]:
    """Train epoch by epoch, until the recipe's last one or until patience runs out.

    Args:
        model: a network of the registry; its weights are trained in place.
        train: images to learn from.
        validation: images that choose the best epoch.
        recipe: how to train, resolved for the device and the images.
        state: `State()` to begin, or an earlier state to go on from.
        on_progress: called now and then during an epoch.
        on_eta: called once before the first, with about how many seconds all epochs will take.
        teacher: a trained network of the registry whose answers are learned beside the labels.

    Yields:
        The state after each epoch.

    Raises:
        DivergedError: the loss is no longer a number.
        ImagetteError: the network cannot take the smaller images that the recipe begins with,
            or so few images at once.
    """
    if state.finished(recipe):
        return
    start = time.perf_counter()
    trainer = Trainer(model, train, recipe, teacher)
    trainer.warm_up()
    trainer.restore(state)
    held_out = _to_device(validation, trainer.device)
    on_eta(trainer.seconds_from(state.epoch * trainer.steps_per_epoch))
    preparation = time.perf_counter() - start

    # The clock includes what prepares the images for the first step.
    start = time.perf_counter()
    if not state.epoch and not recipe.init_from:
        whiten(model, train.images)
    distributed.same_everywhere([weight.value for weight in model.weights])
    while not state.finished(recipe):
        progress = trainer.train_epoch(state.epoch + 1, on_progress)
        seconds = time.perf_counter() - start

        start = time.perf_counter()
        val_loss, val_accuracy = measure(trainer.network, *held_out, trainer.precision)
        _check_finite(progress, val_loss, recipe)
        row = {
            "epoch": progress.epoch,
            "loss": progress.loss,
            "accuracy": progress.accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": seconds,
            "pictures_per_second": progress.images / seconds,
            "validation_seconds": time.perf_counter() - start,
            "preparation_seconds": preparation,
        }
        optimizers = [copy.deepcopy(each.state_dict()) for each in trainer.optimizers]
        state = state.after(row, get_weights(model), optimizers, recipe)
        yield state
        start, preparation = time.perf_counter(), 0.0


class Trainer:
    """Network, optimizers and images on their device, and the steps of learning.

    The arguments are those of `train_epochs`.
    """

    def __init__(
        self, model: "keras.Model", train: Split, recipe: Recipe, teacher: "keras.Model | None"
    ) -> None:
        self.model, self.recipe = model, recipe
        self.device = choose_device()
        configure(self.device)
        self.precision = choose_precision(self.device, recipe.precision)
        self.images, self.labels = _to_device(train, self.device)
        self.classes = model.output_shape[-1]
        found = compute_class_weights(train, self.classes)
        self.class_weights = None if found is None else torch.tensor(found).float().to(self.device)
        self.mirrored = first_mirrored(recipe.seed, len(train)).to(self.device)
        self.network = Folded(model, until="logits", frozen_only=True)
        self.compiled = _compile(self.network) if _compiles(self.device) else self.network
        self.teacher = Folded(teacher, until="logits") if teacher else None
        self.shared = distributed.share(
            self.compiled, [weight.value for weight in model.trainable_weights]
        )
        self.optimizers = make_optimizers(model, recipe, self.precision)
        self.batches = math.ceil(len(train) / recipe.batch_size)
        self.steps_per_epoch = recipe.epoch_repeats * self.batches
        self.total_steps = math.ceil(recipe.epochs * self.steps_per_epoch - 1e-9)
        self.small_steps = recipe.progressive_share * self.total_steps
        self.augmented_steps = (1 - recipe.augment.no_aug_share) * self.total_steps
        # Of a step, found by warming up.
        self.full_step_seconds = self.small_step_seconds = 0.0

    def warm_up(self) -> None:
        """Make a step of every shape that will come, so that what is prepared once is prepared.

        That is the compiling on a GPU, and the convolutions' choice of kernels on a CPU. What
        they change, `restore` makes good.

        Raises:
            ImagetteError: the network cannot take so few images at once, or the smaller ones
                that the recipe begins with.
        """
        if self.small_steps:
            self._check_progressive_size()
        smallest = len(self.images) // self.batches
        if smallest < distributed.size():
            raise ImagetteError(
                f"Batches of {smallest} are too small for {distributed.size()} workers.",
                f"Share the training among at most {smallest}, or set a larger batch_size.",
            )
        weights = get_weights(self.model)
        try:
            if self.small_steps:
                self.small_step_seconds = self._time_step(0)
            if self.small_steps < self.total_steps:
                self.full_step_seconds = self._time_step(math.ceil(self.small_steps))
        except ValueError as error:  # by normalisation, of one value a channel
            size = len(self.images) // self.batches
            raise ImagetteError(
                f"The network {self.model.name} cannot learn from {size} picture at a time.",
                "Give more pictures, or set a batch_size of 2 or more.",
            ) from error
        except RuntimeError:
            if self.compiled is self.network:
                raise
            # PyTorch finds no compiler for this GPU.
            self.compiled = self.shared = self.network
            self.warm_up()
        finally:
            set_weights(self.model, weights)

    def _time_step(self, number: int) -> float:
        """Make a step with each size of batch; the seconds of one when all is prepared."""
        few, many = len(self.images) // self.batches, -(-len(self.images) // self.batches)
        seconds = 0.0
        for size in [*sorted({few, many}), many]:  # the last one again, to time it
            start = time.perf_counter()
            logits, _ = self.train_step(number, torch.arange(size, device=self.device))
            float(logits[0, 0])  # a GPU has finished when a value is there
            seconds = time.perf_counter() - start
        return seconds

    def _check_progressive_size(self) -> None:
        side = self.recipe.progressive_size
        try:
            with torch.no_grad():
                small = shrink(self.images[:1].to(self.device), side)
                self.network(small.to(self.precision), training=False)
        except RuntimeError as error:
            raise ImagetteError(
                f"The network {self.model.name} cannot learn from pictures of {side} pixels.",
                "Set progressive_share=0, or a larger progressive_size.",
            ) from error

    def restore(self, state: State) -> None:
        """Be as after `state`: its weights, and optimizers that remember only what it says."""
        self.optimizers = make_optimizers(self.model, self.recipe, self.precision)
        if state.epoch:
            set_weights(self.model, state.weights)
            for optimizer, remembered in zip(self.optimizers, state.optimizers, strict=True):
                optimizer.load_state_dict(copy.deepcopy(remembered))

    def seconds_from(self, step: int) -> float:
        """How long the steps from this one to the last will take, by those of the warm-up."""
        left, small_left = self.total_steps - step, max(0.0, self.small_steps - step)
        return self.small_step_seconds * small_left + self.full_step_seconds * (left - small_left)

    def train_epoch(
        self, epoch: int, on_progress: Callable[[EpochProgress], None]
    ) -> EpochProgress:
        """Make the steps of an epoch."""
        recipe, first = self.recipe, (epoch - 1) * self.steps_per_epoch
        order = epoch_order(recipe.seed, epoch, len(self.images), recipe.epoch_repeats)
        # Batches that differ by one image at most: no last batch is too small to learn from.
        batches = order.to(self.device).tensor_split(self.steps_per_epoch)
        batches = batches[: self.total_steps - first]
        meter = Meter(epoch, sum(map(len, batches)), on_progress)
        for number, indices in enumerate(batches, start=first):
            logits, loss = self.train_step(number, indices)
            left = self.seconds_from(number + 1)
            meter.add(logits, self.labels[indices], loss, self.seconds_from(first) - left, left)
        return meter.now()

    def train_step(self, number: int, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from the images at `indices`; their logits `(batch, classes)` and mean loss."""
        recipe, taught = self.recipe, None
        set_rates(self.optimizers, rate_factor(recipe.schedule, number / self.total_steps))
        images = self.images[indices.to(self.images.device)].to(self.device)
        # In every other pass over the images, an alternating flip mirrors the other half.
        mirrored = self.mirrored[indices] ^ (number // self.batches % 2 == 1)
        batch = Batch(images, self.labels[indices], self.classes, mirrored)
        batch = augment_batch(batch, recipe.augment, at_the_end=number >= self.augmented_steps)
        images, targets, *_ = batch
        count = len(images)
        images = images[distributed.part(count)]
        if self.teacher:  # which always sees the full size
            with torch.no_grad():
                taught = self.teacher(images.to(self.precision), training=False)
                taught = distributed.whole(taught, count)
        if number < self.small_steps:
            images = shrink(images, recipe.progressive_size)
        with distributed.batch_of(count):
            logits = self.shared(images.to(self.precision), training=True)
        logits = distributed.whole(logits, count)
        loss = compute_loss(logits, targets, recipe, self.class_weights, taught)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        distributed.backward(loss)
        for optimizer in self.optimizers:
            optimizer.step()
        return logits.detach(), loss.detach()


def _compiles(device: torch.device) -> bool:
    """Whether steps are compiled: on a GPU, for which PyTorch brings a compiler. Not where several
    processes share a step: normalisation exchanges sums in the middle of it."""
    return device.type == "cuda" and distributed.size() == 1


def _compile(network: Network) -> Network:
    """The network, compiled when it is called, anew for each size of batch and image."""
    # What earlier trainings of this process compiled would count against PyTorch's limit.
    torch.compiler.reset()
    return torch.compile(network, dynamic=False)


def _to_device(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    """Images and labels; images that are mapped from a file stay there."""
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels).to(device)
    return images if isinstance(split.images, np.memmap) else images.to(device), labels


def _check_finite(progress: EpochProgress, val_loss: float, recipe: Recipe) -> None:
    loss = val_loss if math.isfinite(progress.loss) else progress.loss
    if not math.isfinite(loss):
        kept = " The best network before that is kept in its folder." if progress.epoch > 1 else ""
        raise DivergedError(
            f"The loss became {loss} in epoch {progress.epoch}: the training has run away.{kept}",
            "Start a new run with a lower learning rate, such as"
            f" --set optimizer.learning_rate={recipe.optimizer.learning_rate / 10:g}.",
        )
