"""Where a training stands: after each epoch, and during one."""

from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor

from imagette.training.recipe import Recipe


@dataclass
class State:
    """Everything needed to go on after `epoch` epochs.

    Attributes:
        epoch: epochs done.
        weights: every weight of the network, in Keras' order.
        optimizers: the optimizers' own states.
        best_epoch: the epoch with the lowest validation loss or, in a recipe without patience, the
            last one; 0 before the first.
        best_weights: the weights after that epoch.
        history: a row an epoch: `epoch`, `loss` (of what is learned: blended targets and a teacher
            count in it), `accuracy`, `val_loss` (of the labels alone), `val_accuracy`,
            `seconds` (of training), `pictures_per_second`, `validation_seconds`, and
            `preparation_seconds` (compiling and warming up before the first epoch, 0 after it).
        settled: whether nothing is left to learn or to choose: `best_weights` are what is saved,
            and the other weights and the optimizers are no longer kept.
    """

    epoch: int = 0
    weights: list[Tensor] = field(default_factory=list)
    optimizers: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: list[Tensor] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    settled: bool = False

    def finished(self, recipe: Recipe) -> bool:
        """Whether the recipe asks for no further epoch."""
        out_of_patience = recipe.patience and self.epoch - self.best_epoch >= recipe.patience
        return self.epoch >= recipe.epochs or bool(out_of_patience)

    def after(
        self,
        row: dict[str, float],
        weights: list[Tensor],
        optimizers: list[dict[str, Any]],
        recipe: Recipe,
    ) -> "State":
        """The state after one more epoch, whose row of the history is `row`."""
        lowest = min((each["val_loss"] for each in self.history), default=float("inf"))
        # Without patience the last epoch is the one that the schedule was made for.
        improved = row["val_loss"] < lowest or not recipe.patience
        return State(
            epoch=self.epoch + 1,
            weights=weights,
            optimizers=optimizers,
            best_epoch=self.epoch + 1 if improved else self.best_epoch,
            best_weights=weights if improved else self.best_weights,
            history=[*self.history, row],
        )

    def settle(self) -> "State":
        """The state once the network to keep has been chosen."""
        return replace(self, weights=[], optimizers=[], settled=True)


@dataclass(frozen=True)
class EpochProgress:
    """Where an epoch under way stands.

    Attributes:
        epoch: its number, from 1.
        images: how many have been learned.
        total_images: how many there will have been at its end.
        loss: mean over the epoch so far.
        accuracy: likewise, a fraction.
        seconds: what the epoch has taken.
        seconds_left: to the end of the recipe's last epoch.
    """

    epoch: int
    images: int
    total_images: int
    loss: float
    accuracy: float
    seconds: float
    seconds_left: float
