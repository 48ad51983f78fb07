"""What a training tells while it goes, and what it comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagette.data import Dataset
from imagette.images.views import ViewName
from imagette.training.recipe import Recipe

if TYPE_CHECKING:
    from imagette.training.state import EpochProgress


@dataclass(frozen=True)
class Run:
    """A run folder and what its training came to.

    Attributes:
        folder: the run folder.
        recipe: what it was trained with.
        metrics: what the evaluation measured (see `imagette.evaluation.Evaluation`); None where
            the run had finished before and nothing was left to do.
    """

    folder: Path
    recipe: Recipe
    metrics: dict[str, Any] | None


class Reporter:
    """Hears of a training as it goes; this one says nothing. The command line has one that does."""

    def on_recipe(self, why: str) -> None:
        """No recipe was named; which one was chosen, and why."""

    def on_data(self, lines: list[str]) -> None:
        """What is to be known of the pictures, a sentence or two each."""

    def on_start(self, folder: Path, recipe: Recipe, dataset: Dataset, epochs_done: int) -> None:
        """Everything is loaded and the first (or next) epoch is about to begin."""

    def on_eta(self, seconds: float, last_steps: dict[str, float]) -> None:
        """Everything is prepared; about how long what goes before the last steps (all epochs: less,
        if it stops early) will take, and then each of those, by its name and in order."""

    def on_prepare(self) -> None:
        """The network that looks at pictures is made of its weights first, once on a machine."""

    def on_collect(self, folder: Path, recipe: Recipe, pictures: int) -> None:
        """So many pictures are about to be looked at, for a head to be fitted to what is seen."""

    def on_fit(self, view: ViewName) -> None:
        """All have been looked at, in this view, and a head is about to be fitted."""

    def on_head(self, accuracy: float | None, seconds: float) -> None:
        """The last layer of a network that knows other pictures is fitted to these.

        `accuracy` is that on the pictures held out, or by leaving each out; None where each is the
        only one of its class.
        """

    def on_finetune(self, before: float, after: float, kept: bool) -> None:
        """All layers have learned, which took the accuracy on the pictures held out from `before`
        to `after`; `kept` is False where the fitted head alone was better."""

    def on_progress(self, progress: "EpochProgress") -> None:
        """Where the epoch stands, a few times a second during an epoch."""

    def on_stop(self) -> None:
        """The training ends early, and the best network so far is about to be saved."""

    def on_second_stop(self) -> None:
        """Ctrl-C was pressed again while that is being saved; it is saved nevertheless."""

    def on_epoch(self, row: dict[str, float], best: bool) -> None:
        """An epoch is over; `row` is its row of the history."""

    def on_step(self, name: str) -> None:
        """One of the last steps begins; all those before it are done, and what they wrote is
        kept."""
