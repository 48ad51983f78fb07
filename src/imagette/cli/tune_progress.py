"""What the terminal shows while trials run."""

import shlex
import time
from pathlib import Path
from typing import Any, Self

from rich.cells import cell_len
from rich.progress import BarColumn, Progress, TextColumn

from imagette.cli.console import duration, err, say, shown
from imagette.cluster.search_space import SearchSpace
from imagette.cluster.tune import TuneReporter
from imagette.terminal import local
from imagette.translate import in_numbers, system_language


class TrialTable(TuneReporter):
    """A table to which each trial adds a line, with a progress bar below it on a terminal."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("{task.fields[done]}"), BarColumn(bar_width=20),
            TextColumn("{task.fields[left]}"), console=err, transient=True,
            disable=not err.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("", done="", left="")
        self.folder: Path | None = None
        self.space: SearchSpace | None = None
        self.trials = self.done = self.here = 0
        self.widths: list[int] = []
        self.begun = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def on_start(
        self, folder: Path, space: SearchSpace, trials: int, rows: list[dict[str, Any]]
    ) -> None:
        self.folder, self.space, self.trials, self.done = folder, space, trials, len(rows)
        self.begun = time.monotonic()
        say(
            f"Going on after {len(rows)} of {trials} trials; folder {folder}"
            if rows
            else f"Running {trials} trials; folder {folder}"
        )
        names = [name.rpartition(".")[2] for name in space.names]
        heads = [*map(local, ["trial", *names, "val accuracy", "epochs", "seconds"])]
        values = [max(len(to_text(one)) for one in field.values) for field in space.fields]
        widest = [0, *(max(wide, 7) for wide in values), 0, 0, 0]
        # One word a line, so that three fields fit into 80 columns.
        words = [head.replace("_", "_ ").split() for head in heads]
        self.widths = [
            max(wide, *map(cell_len, each)) for wide, each in zip(widest, words, strict=True)
        ]
        lines = max(map(len, words))
        padded = [[""] * (lines - len(each)) + each for each in words]
        for line in zip(*padded, strict=True):
            self._line([*line])
        self.bar.start()
        self._show()

    def on_trial(self, row: dict[str, Any], best: bool) -> None:
        if self.space is None:
            return
        self.done += 1
        self.here += 1
        cells = [
            str(row["trial"]),
            *(to_text(row[name]) for name in self.space.names),
            shown(row["val_accuracy"], "{:.2%}"),
            str(row["epochs"]),
            f"{row['seconds']:.0f}",
        ]
        ended = "" if row["ended"] == "finished" else row["ended"]
        self._line(cells, "new best" if best else ended)
        if row["problem"]:
            say(row["problem"])
        self._show()

    def _line(self, cells: list[str], note: str = "") -> None:
        language = system_language()
        written = [in_numbers(cell, language) for cell in cells]
        line = "  ".join(
            " " * (wide - cell_len(cell)) + cell
            for cell, wide in zip(written, self.widths, strict=True)
        )
        err.print(f"{line}  {local(note)}".rstrip(), markup=False, soft_wrap=True)

    def _show(self) -> None:
        left = (time.monotonic() - self.begun) / max(1, self.here) * (self.trials - self.done)
        self.bar.update(
            self.task, completed=self.done, total=self.trials,
            done=local(f"{self.done} of {self.trials} trials"),
            left=local(f"about {duration(left)} left") if self.here else "",
        )  # fmt: skip

    def on_end(self, folder: Path, trials: int) -> None:
        self.bar.stop()
        self.folder, self.trials, self.done = folder, trials, trials
        say("The best recipe is now trained, and measured on pictures that no trial has seen.")

    def on_wait(self) -> None:
        from imagette.cluster.connection import NO_CORE_YET

        say(NO_CORE_YET)

    def interrupted(self) -> None:
        """Say what Ctrl-C has kept and how to go on."""
        self.bar.stop()
        if self.folder is None:
            say("Stopped before the first trial.")
            return
        again = shlex.join(["--name", self.folder.name, "--runs-dir", str(self.folder.parent)])
        say(
            f"Stopped; {self.done} of {self.trials} trials are kept. Resume the search with:"
            f" imagette tune {again} --resume"
        )


def to_text(value: Any) -> str:
    """A field's value, a float in four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
