"""How far a command has come whose steps are known, and about how long it will take."""

import time

from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from imagette.cli.console import duration, err, say
from imagette.terminal import local

_NEARLY = 0.95
"""No step that is under way counts for more than this share of it."""


class StepProgress:
    """A bar where there is a terminal, and a line a step elsewhere.

    Steps that took longer than was thought make those to come longer too.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.name = ""
        self._done = self._spent = 0.0
        self._begun = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            _Bar(self),
            _Left(self),
            console=err,
            transient=True,
            disable=not err.is_terminal,
        )
        self._task = self._bar.add_task("", total=None)

    def plan(self, seconds: dict[str, float]) -> None:
        """What is to be done, in order: about how many seconds each step takes, by its name."""
        self.seconds, self.name = dict(seconds), ""
        self._done = self._spent = 0.0

    def begin(self, name: str) -> None:
        """One of the steps begins, or one that was not planned; those before it are done."""
        now = time.monotonic()
        if self.name in self.seconds:
            self._done += self.seconds[self.name]
            self._spent += now - self._begun
        self.name, self._begun = name, now
        names = list(self.seconds)
        where = f"Step {names.index(name) + 1} of {len(names)}: " if name in names else ""
        if self._bar.disable:
            about = self.seconds.get(name, 0.0) * self._slowness
            say(f"{where}{name}{f', about {duration(about)}' if about >= 1 else ''} ...")
            return
        self._bar.update(self._task, description=local(f"{where}{name}"))
        self._bar.start()

    def stop(self) -> None:
        """Take away what is drawn."""
        self._bar.stop()

    @property
    def _slowness(self) -> float:
        """How much longer the steps took than was thought, once enough are done to tell."""
        return min(max(self._spent / self._done, 0.5), 8.0) if self._done >= 0.5 else 1.0

    @property
    def total(self) -> float:
        """Seconds that all steps were thought to take."""
        return sum(self.seconds.values())

    @property
    def reached(self) -> float:
        """How many of those are over."""
        of_this = self.seconds.get(self.name, 0.0)
        so_far = (time.monotonic() - self._begun) / self._slowness
        return self._done + min(so_far, _NEARLY * of_this)

    @property
    def left(self) -> float:
        """About how many seconds are left."""
        return (self.total - self.reached) * self._slowness


class _Bar(BarColumn):
    def __init__(self, steps: StepProgress) -> None:
        super().__init__(bar_width=10)
        self.steps = steps

    def render(self, task: Task):  # type: ignore[no-untyped-def]
        task.total, task.completed = self.steps.total or None, self.steps.reached
        return super().render(task)


class _Left(ProgressColumn):
    def __init__(self, steps: StepProgress) -> None:
        super().__init__()
        self.steps = steps

    def render(self, task: Task) -> Text:
        return Text(local(f"{duration(self.steps.left)} left") if self.steps.seconds else "")
