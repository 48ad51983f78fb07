"""What the terminal shows while a network trains."""

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TextColumn

from imagette.cli.console import duration, err, say
from imagette.cli.step_progress import StepProgress
from imagette.data import Dataset
from imagette.images.views import ViewName
from imagette.terminal import local
from imagette.training.recipe import Recipe
from imagette.training.reporter import Reporter

if TYPE_CHECKING:
    from imagette.training.state import EpochProgress


class TrainingReporter(Reporter):
    """A bar for the epoch under way where there is a terminal, and a line per epoch everywhere."""

    def __init__(self) -> None:
        self.bar = Progress(
            # Together they fit a terminal of 80 columns.
            TextColumn("{task.fields[epoch]}"),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[learned]}"),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, epoch=local("getting ready"), learned="")
        self.steps = StepProgress()
        self.folder: Path | None = None
        self.closed_form = False
        self.epochs = self.patience = self.last_epoch = 0
        self.averaged = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_drawing()

    def _stop_drawing(self) -> None:
        self.bar.stop()
        self.steps.stop()

    def on_recipe(self, why: str) -> None:
        say(why)

    def on_data(self, lines: list[str]) -> None:
        for line in lines:
            say(line)

    def on_start(self, folder: Path, recipe: Recipe, dataset: Dataset, epochs_done: int) -> None:
        self.folder, self.epochs, self.last_epoch = folder, math.ceil(recipe.epochs), epochs_done
        self.patience = recipe.patience
        self.averaged = ", averaged with the start" if recipe.pretrained_share else ""
        begins = f"resuming after epoch {epochs_done}" if epochs_done else "from the start"
        epochs = f"{round(recipe.epochs, 1):g} {'epoch' if recipe.epochs == 1 else 'epochs'}"
        say(
            f"Training {recipe.model} by the recipe {recipe.name} on {dataset.name},"
            f" {begins}, {'at most ' if recipe.patience else ''}{epochs}; run folder {folder}"
        )
        self.bar.start()

    def on_eta(self, seconds: float, last_steps: dict[str, float]) -> None:
        self.steps.plan(last_steps)
        at_most = "at most " if self.patience and seconds else ""
        after = self.steps.total
        then = f", the last {duration(after)} to save and measure the network"
        then = then if seconds >= 1 else ""  # where pictures or epochs are still to come
        say(f"This will take {at_most}about {duration(seconds + after)}{then}.")

    def on_prepare(self) -> None:
        say("Preparing the network that looks at the pictures, once; this takes some seconds ...")

    def on_collect(self, folder: Path, recipe: Recipe, pictures: int) -> None:
        self.folder, self.closed_form = folder, True
        say(
            f"Looking at {pictures:,} pictures with EfficientNet-Lite{recipe.variant}, by the"
            f" recipe {recipe.name}; run folder {folder} ..."
        )

    def on_fit(self, view: ViewName) -> None:
        what = "all of each picture" if view == "whole" else "the middle of each picture"
        say(f"The classes are told apart best by {what}.")

    def on_head(self, accuracy: float | None, seconds: float) -> None:
        if self.closed_form:
            good = (
                "a single picture of each class does not tell how good it is."
                if accuracy is None
                else f"{accuracy:.2%} of the pictures are classified correctly by a layer that has"
                " not learned from them."
            )
            say(f"The last layer is fitted ({seconds:.1f} s): {good}")
            return
        say(
            f"last layer, on frozen features: val accuracy {accuracy:.2%}  {seconds:.1f} s;"
            " now all layers"
        )

    def on_finetune(self, before: float, after: float, kept: bool) -> None:
        self.bar.stop()
        say(
            f"All layers{self.averaged}: val accuracy {after:.2%}, the last layer alone"
            f" {before:.2%}; {'all layers are kept' if kept else 'the last layer alone is kept'}"
        )
        if not kept:
            say("Training all layers gained nothing: --recipe photos does as well in seconds.")

    def on_progress(self, progress: "EpochProgress") -> None:
        at_most = "≤ " if self.patience else ""  # it may stop earlier
        self.bar.update(
            self.task,
            completed=progress.images,
            total=progress.total_images,
            epoch=local(f"epoch {progress.epoch}/{self.epochs}"),
            learned=local(
                f"loss {progress.loss:.3f} accuracy {progress.accuracy:.1%}"
                f" {progress.images / progress.seconds:,.0f} pictures/s"
                f" {at_most}{duration(progress.seconds_left + self.steps.total)} left"
            ),
        )

    def on_epoch(self, row: dict[str, float], best: bool) -> None:
        self.last_epoch = int(row["epoch"])
        self.bar.reset(self.task)
        say(
            f"epoch {self.last_epoch:>2}/{self.epochs}"
            f"  loss {row['loss']:.4f}  accuracy {row['accuracy']:.2%}"
            f"  val loss {row['val_loss']:.4f}  val accuracy {row['val_accuracy']:.2%}"
            f"  {row['seconds']:.1f} s  {row['pictures_per_second']:,.0f} pictures/s"
            f"{'  best so far' if best and self.patience else ''}"
        )

    def on_stop(self) -> None:
        self._stop_drawing()
        say("Stopping: saving the best network so far ...")

    def on_second_stop(self) -> None:
        say("It ends as soon as the network is saved, in a moment.")

    def on_step(self, name: str) -> None:
        self.bar.stop()
        self.steps.begin(name)

    def interrupted(self) -> None:
        """Say what a stop by Ctrl-C left and how to go on."""
        self._stop_drawing()
        if self.folder is None:
            say("Stopped before the training began; nothing was written.")
        elif not (self.folder / "run.json").is_file():
            say(
                "Stopped. What was computed from the pictures so far is kept: the same command"
                " continues from there."
                if self.closed_form
                else "Stopped before the training began."
            )
        else:
            say(self._what_is_left(self.folder))

    def _what_is_left(self, folder: Path) -> str:
        run = shlex.quote(str(folder))
        again = shlex.join(["--name", folder.name, "--runs-dir", str(folder.parent), "--resume"])
        go_on = f"Resume it with: imagette train {again}"
        if self.steps.name:
            kept = "" if self.closed_form else " No epoch is lost."
            return f"Stopped while {self.steps.name}.{kept} {go_on}"
        said = f"Stopped; whole epochs done: {self.last_epoch}."
        if (folder / "model.keras").is_file():
            said += (
                f" The best network so far is saved in {folder / 'model.keras'}; measure it, and"
                f" make its bundle, with: imagette evaluate {run}."
            )
        return f"{said} {go_on}"
