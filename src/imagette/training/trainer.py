"""How a network learns: one loop for all recipes.

The pictures stay in memory as uint8 (on a GPU, in its memory; those that are mapped from a file
stay there), become batches by indexing and are augmented a batch at a time. PyTorch runs the Keras
network on its own weights (see `translation`), in bfloat16 where the hardware multiplies that.

All randomness of an epoch derives from the recipe's seed and the epoch's number, so a `State`
holds everything: a training that goes on from one (with the same teacher, where it has one) ends
with the same weights, bit for bit on a CPU, as one that was never interrupted.
"""

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from imagette.data.dataset import IMBALANCE_RATIO, Split
from imagette.errors import ImagetteError
from imagette.images.batches import default_batch_size
from imagette.models.sprint import whiten
from imagette.training import augment
from imagette.training.fold_batchnorm import Folded, FrozenFolded
from imagette.training.hardware import choose_device, choose_precision, configure
from imagette.training.optimizers import make_optimizers, schedule, set_rates
from imagette.training.recipe import Recipe
from imagette.training.torch_graph import TorchNetwork

if TYPE_CHECKING:
    import keras

EVALUATION_BATCH = 500
# In float32 and, after Ctrl-C, beside the training's memory, so in smaller batches.
CALIBRATION_BATCH = 100

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
        ema: their running (exponential moving) average, where the recipe keeps one.
        optimizers: the optimizers' own states.
        best_epoch: the epoch with the lowest validation loss or, in a recipe without patience, the
            last one; 0 before the first.
        best_weights: the weights (or their average) after that epoch.
        history: a row an epoch: `epoch`, `loss` (of what is learned: blended targets and a teacher
            count in it), `accuracy`, `val_loss` (of the labels alone), `val_accuracy`,
            `seconds` (of training), `pictures_per_second`, `validation_seconds`, and
            `preparation_seconds` (compiling and rehearsing before the first epoch, 0 after it).
    """

    epoch: int = 0
    weights: list[Tensor] = field(default_factory=list)
    ema: list[Tensor] = field(default_factory=list)
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
    """Where an epoch under way stands.

    Loss and accuracy are means over the epoch so far, `seconds` it has taken, `left` to the end
    of the recipe's last epoch.
    """

    epoch: int
    pictures: int
    total_pictures: int
    loss: float
    accuracy: float
    seconds: float
    left: float


def epochs(
    model: "keras.Model",
    train: Split,
    validation: Split,
    recipe: Recipe,
    state: State,
    report: Callable[[Progress], None] = lambda _: None,
    expect: Callable[[float], None] = lambda _: None,
    teacher: "keras.Model | None" = None,
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
        teacher: a trained network of the registry whose answers are learned beside the labels.

    Yields:
        The state after each epoch.

    Raises:
        DivergedError: the loss is no longer a number.
        ImagetteError: the network cannot take the smaller pictures that the recipe begins with,
            or so few pictures at once.
    """
    if state.finished(recipe):
        return
    start = time.perf_counter()
    training = Trainer(model, train, recipe, teacher)
    training.warm_up()
    training.restore(state)
    images, labels = _to_device(validation, training.device)
    expect(training.seconds_from(state.epoch * training.steps_an_epoch))
    preparation = time.perf_counter() - start

    # The clock includes what prepares the pictures for the first step.
    start = time.perf_counter()
    if not state.epoch and not recipe.start:
        whiten(model, train.images)
    while not state.finished(recipe):
        progress = training.learn(state.epoch + 1, report)
        seconds = time.perf_counter() - start

        start = time.perf_counter()
        weights = get_weights(model)
        if recipe.ema:
            set_weights(model, training.ema)
        val_loss, val_accuracy = measure(training.network, images, labels, training.precision)
        _check_finite(progress.epoch, progress.loss, val_loss, recipe)
        measured = get_weights(model)
        set_weights(model, weights)
        best_so_far = min((row["val_loss"] for row in state.history), default=float("inf"))
        # Without patience the last epoch is the one that the schedule was made for.
        improved = val_loss < best_so_far or not recipe.patience
        row = {
            "epoch": progress.epoch,
            "loss": progress.loss,
            "accuracy": progress.accuracy,
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "seconds": seconds,
            "pictures_per_second": progress.pictures / seconds,
            "validation_seconds": time.perf_counter() - start,
            "preparation_seconds": preparation,
        }
        state = State(
            epoch=progress.epoch,
            weights=weights,
            ema=[weight.to("cpu", copy=True) for weight in training.ema],
            optimizers=[copy.deepcopy(each.state_dict()) for each in training.optimizers],
            best_epoch=progress.epoch if improved else state.best_epoch,
            best_weights=measured if improved else state.best_weights,
            history=[*state.history, row],
        )
        yield state
        start, preparation = time.perf_counter(), 0.0


class Trainer:
    """Network, optimizers and pictures on their device, and the steps of learning.

    Args:
        model: its weights are trained in place.
        train: pictures to learn from.
        recipe: resolved.
        teacher: a trained network to learn from, or None.
    """

    def __init__(
        self,
        model: "keras.Model",
        train: Split,
        recipe: Recipe,
        teacher: "keras.Model | None" = None,
    ) -> None:
        self.model, self.recipe = model, recipe
        self.device = choose_device()
        configure(self.device)
        self.precision = choose_precision(self.device, recipe.precision)
        self.images, self.labels = _to_device(train, self.device)
        self.class_weights = _class_weights(train, model.output_shape[-1], self.device)
        self.mirrored = _first_mirrored(recipe.seed, len(train)).to(self.device)
        self.network = FrozenFolded(model, until="logits")
        self.compiled = _compile(self.network) if _compiles(self.device) else self.network
        self.teacher = Folded(teacher, until="logits") if teacher else None
        self.optimizers = make_optimizers(model, recipe, self.precision)
        self.ema: list[Tensor] = []
        self.batches = math.ceil(len(train) / recipe.batch_size)
        self.steps_an_epoch = recipe.passes * self.batches
        self.total_steps = math.ceil(recipe.epochs * self.steps_an_epoch - 1e-9)
        self.small_steps = recipe.small_share * self.total_steps
        self.calm_from = (1 - recipe.calm_share) * self.total_steps
        # Seconds of a step, found by rehearsing.
        self.of_full = self.of_small = 0.0

    def warm_up(self) -> None:
        """Make a step of every shape that will come, so that what is prepared once is prepared.

        That is the compiling on a GPU, and the convolutions' choice of kernels on a CPU. What
        they change, `restore` makes good.

        Raises:
            ImagetteError: the network cannot take so few pictures at once, or the smaller ones
                that the recipe begins with.
        """
        self._check_small_pictures()
        weights = get_weights(self.model)
        try:
            if self.small_steps:
                self.of_small = self._time_step(0)
            if self.small_steps < self.total_steps:
                self.of_full = self._time_step(math.ceil(self.small_steps))
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
            self.compiled = self.network
            self.warm_up()
        finally:
            set_weights(self.model, weights)

    def _time_step(self, number: int) -> float:
        """Make a step with each size of batch; the seconds of one when all is prepared."""
        few, many = len(self.images) // self.batches, -(-len(self.images) // self.batches)
        seconds = 0.0
        for size in [*sorted({few, many}), many]:  # the last one again, to time it
            start = time.perf_counter()
            logits, _ = self.step(number, torch.arange(size, device=self.device))
            float(logits[0, 0])  # a GPU has finished when a value is there
            seconds = time.perf_counter() - start
        return seconds

    def _check_small_pictures(self) -> None:
        side = self.recipe.small_side
        if not self.small_steps:
            return
        try:
            with torch.no_grad():
                small = augment.shrink(self.images[:1].to(self.device), side)
                self.network(small.to(self.precision), training=False)
        except RuntimeError as error:
            raise ImagetteError(
                f"The network {self.model.name} cannot learn from pictures of {side} pixels.",
                "Set small_share=0, or a larger small_side.",
            ) from error

    def restore(self, state: State) -> None:
        """Be as after `state`: its weights, and optimizers that remember only what it says."""
        self.optimizers = make_optimizers(self.model, self.recipe, self.precision)
        self.ema = [weight.to(self.device, copy=True) for weight in state.ema]
        if state.epoch:
            set_weights(self.model, state.weights)
            for optimizer, remembered in zip(self.optimizers, state.optimizers, strict=True):
                optimizer.load_state_dict(copy.deepcopy(remembered))

    def seconds_from(self, step: int) -> float:
        """How long the steps from this one to the last will take, by those rehearsed."""
        left, small_left = self.total_steps - step, max(0.0, self.small_steps - step)
        return self.of_small * small_left + self.of_full * (left - small_left)

    def learn(self, epoch: int, report: Callable[[Progress], None]) -> Progress:
        """Make the steps of an epoch."""
        first = (epoch - 1) * self.steps_an_epoch
        order = _order(self.recipe, epoch, len(self.images)).to(self.device)
        # Batches that differ by one picture at most: no last batch is too small to learn from.
        parts = order.tensor_split(self.steps_an_epoch)[: self.total_steps - first]
        meter = _Meter(epoch, sum(map(len, parts)), report)
        for number, indices in enumerate(parts, start=first):
            logits, loss = self.step(number, indices)
            left = self.seconds_from(number + 1)
            meter.add(logits, self.labels[indices], loss, self.seconds_from(first) - left, left)
        return meter.now()

    def step(self, number: int, indices: Tensor) -> tuple[Tensor, Tensor]:
        """Learn from the pictures at `indices`; their logits `(batch, classes)` and mean loss."""
        recipe = self.recipe
        set_rates(self.optimizers, schedule(recipe, number / self.total_steps))
        pictures = self.images[indices.to(self.images.device)].to(self.device)
        pictures = _move(pictures, self.mirrored[indices], number // self.batches, recipe)
        targets = self.labels[indices]
        if number < self.calm_from:
            pictures = _change(pictures, recipe)
            pictures, targets = _mix(pictures, targets, self.model.output_shape[-1], recipe)
        taught = self._ask_teacher(pictures)
        if number < self.small_steps:
            pictures = augment.shrink(pictures, recipe.small_side)
        logits = self.compiled(pictures.to(self.precision), training=True)
        loss = functional.cross_entropy(
            logits, targets, self.class_weights, label_smoothing=recipe.label_smoothing
        )
        if taught is not None:
            loss = torch.lerp(loss, distillation_loss(logits, taught, recipe), recipe.teacher_share)
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
        if recipe.ema:
            update_ema(self.ema, self.model, recipe.ema)
        return logits.detach(), loss.detach()

    def _ask_teacher(self, pictures: Tensor) -> Tensor | None:
        """The teacher's logits `(batch, classes)` for what is learned, always at full size."""
        if self.teacher is None:
            return None
        with torch.no_grad():
            return self.teacher(pictures.to(self.precision), training=False)


def distillation_loss(logits: Tensor, taught: Tensor, recipe: Recipe) -> Tensor:
    """How far answers are from a teacher's, whose logits are `taught`, both `(batch, classes)`.

    Cross-entropy at the recipe's temperature, times its square, so that gradients are as large as
    those of labels (Hinton et al., *Distilling the Knowledge in a Neural Network*, 2015, section
    2). That the teacher sees each picture with the same changes as the pupil follows Beyer et al.,
    *Knowledge distillation: A good teacher is patient and consistent*, 2022.
    """
    temperature = recipe.teacher_temperature
    targets = functional.softmax(taught / temperature, dim=1)
    return temperature**2 * functional.cross_entropy(logits / temperature, targets)


def _compiles(device: torch.device) -> bool:
    """Whether steps are compiled: on a GPU, where no user has to bring a compiler for it."""
    return device.type == "cuda"


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
        size = default_batch_size(EVALUATION_BATCH, *pictures.shape[1:3])
        for batch, truth in zip(pictures.split(size), labels.split(size), strict=True):
            logits = network(batch.to(labels.device, precision), training=False)
            loss += float(functional.cross_entropy(logits, truth, reduction="sum"))
            right += int((logits.argmax(1) == truth).sum())
    return loss / len(labels), right / len(labels)


def compute_logits(model: "keras.Model", images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a network of the registry says of pictures, float32 `(n, classes)`, computed in float32.

    Args:
        model: the network.
        images: uint8 `(n, height, width, channels)`.
    """
    return compute_outputs(model, images, "logits", torch.float32)


def compute_outputs(
    model: "keras.Model",
    images: NDArray[np.uint8],
    layer: str,
    precision: torch.dtype,
    mirrored: bool = False,
) -> NDArray[np.float32]:
    """What a layer of a network gives for pictures, float32 `(n, …)`.

    Args:
        model: the network, as it is in use.
        images: uint8 `(n, height, width, channels)`.
        layer: its name.
        precision: the type to compute in.
        mirrored: look at the mirror images.
    """
    network, device = TorchNetwork(model, until=layer), choose_device()
    size = default_batch_size(CALIBRATION_BATCH, *images.shape[1:3])
    with torch.no_grad():
        parts = [
            network((batch.flip(2) if mirrored else batch).to(device, precision)).cpu()
            for batch in torch.from_numpy(images).split(size)
        ]
    return torch.cat(parts).numpy()


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

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor, done: float, left: float) -> None:
        """Add a step. `done` and `left` are seconds by the rehearsal: of the epoch's steps so far,
        and of all to come. How long the former really took corrects the latter."""
        self.pictures += len(labels)
        self.loss += loss * len(labels)
        self.right += (logits.argmax(1) == labels).sum()
        if time.perf_counter() - self.reported > self.REPORT_SECONDS:
            self.reported = time.perf_counter()
            self.report(self.now(left * (self.reported - self.start) / done if done else 0.0))

    def now(self, left: float = 0.0) -> Progress:
        return Progress(
            epoch=self.epoch,
            pictures=self.pictures,
            total_pictures=self.total,
            loss=float(self.loss) / self.pictures,
            accuracy=float(self.right) / self.pictures,
            seconds=time.perf_counter() - self.start,
            left=left,
        )


def _move(pictures: Tensor, mirrored: Tensor, passes: int, recipe: Recipe) -> Tensor:
    """A batch of uint8 pictures, shifted and mirrored as the recipe says.

    An alternating flip mirrors those that `mirrored` marks, or after every other of the `passes`
    over all pictures the others.
    """
    if recipe.translate:
        pictures = augment.translate(pictures, recipe.translate)
    if recipe.flip == "random":
        pictures = augment.flip(pictures, torch.rand(len(pictures), device=pictures.device) < 0.5)
    elif recipe.flip == "alternating":
        pictures = augment.flip(pictures, mirrored ^ (passes % 2 == 1))
    return pictures


def _change(pictures: Tensor, recipe: Recipe) -> Tensor:
    """uint8 pictures, their colours and shapes changed and a part of them covered."""
    if recipe.operations:
        pictures = augment.apply_random_operations(pictures, recipe.operations)
    return augment.cutout(pictures, recipe.cutout) if recipe.cutout else pictures


def _mix(pictures: Tensor, labels: Tensor, classes: int, recipe: Recipe) -> tuple[Tensor, Tensor]:
    """Pictures and targets, blended by mixup or CutMix; where a recipe has both, one at random."""
    if not (recipe.mixup or recipe.cutmix) or torch.rand(()) >= recipe.mix_share:
        return pictures, labels
    targets = functional.one_hot(labels, classes).float()
    if recipe.mixup and (not recipe.cutmix or torch.rand(()) < 0.5):
        return augment.mixup(pictures, targets, recipe.mixup)
    return augment.cutmix(pictures, targets, recipe.cutmix)


def update_ema(ema: list[Tensor], model: "keras.Model", decay: float) -> None:
    """Move a running average of the weights a step on; it begins as the weights are."""
    weights = [weight.value.detach() for weight in model.weights]
    if not ema:
        ema.extend(weight.clone() for weight in weights)
    for mean, weight in zip(ema, weights, strict=True):
        mean.lerp_(weight, 1 - decay)


def _compile(network: Network) -> Network:
    """The network, compiled when it is called, anew for each size of batch and picture."""
    # What earlier trainings of this process compiled would count against PyTorch's limit.
    torch.compiler.reset()
    return torch.compile(network, dynamic=False)


def _to_device(split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
    """Pictures and labels; pictures that are mapped from a file stay there."""
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels).to(device)
    return images if isinstance(split.images, np.memmap) else images.to(device), labels


def class_weights(split: Split, classes: int) -> NDArray[np.float64] | None:
    """How much each class counts, `(classes,)`, so that all count alike together, 1 on average.

    None where no class has `IMBALANCE_RATIO` times as many pictures as another: all count alike
    then, too.
    """
    counts = np.bincount(split.labels, minlength=classes)
    if counts.max() < IMBALANCE_RATIO * counts.min():
        return None
    return len(split) / (classes * np.maximum(counts, 1))


def _class_weights(split: Split, classes: int, device: torch.device) -> Tensor | None:
    weights = class_weights(split, classes)
    return None if weights is None else torch.tensor(weights, dtype=torch.float32, device=device)


def _first_mirrored(seed: int, count: int) -> Tensor:
    """Which pictures an alternating flip mirrors in the first epoch: about half."""
    generator = _seed_epoch(seed, 0)
    return torch.rand(count, generator=generator) < 0.5


def _order(recipe: Recipe, epoch: int, count: int) -> Tensor:
    """The order of an epoch's pictures, each once a pass; seeds what the epoch draws, too."""
    generator = _seed_epoch(recipe.seed, epoch)
    return torch.cat([torch.randperm(count, generator=generator) for _ in range(recipe.passes)])


def _seed_epoch(seed: int, epoch: int) -> torch.Generator:
    """Seed what an epoch draws, and return a generator for the order of its pictures."""
    global_seed, order_seed = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    # PyTorch takes seeds below 2**63.
    torch.manual_seed(int(global_seed >> np.uint64(1)))
    return torch.Generator().manual_seed(int(order_seed >> np.uint64(1)))


def _check_finite(epoch: int, loss: float, val_loss: float, recipe: Recipe) -> None:
    if not np.isfinite(loss) or not np.isfinite(val_loss):
        kept = " The best network before that is kept in its folder." if epoch > 1 else ""
        raise DivergedError(
            f"The loss became {loss if not np.isfinite(loss) else val_loss} in epoch {epoch}:"
            f" the training has run away.{kept}",
            "Start a new run with a lower learning rate, such as"
            f" --set learning_rate={recipe.learning_rate / 10:g}.",
        )
