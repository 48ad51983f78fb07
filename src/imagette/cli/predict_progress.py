"""What is shown while many pictures are answered: rows on stdout, how far it is on stderr."""

import sys
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from imagette.cli.console import duration, err, out, say
from imagette.terminal import local
from imagette.wording import without_controls

_BAR_AFTER, _LINE_AFTER, _LINE_EVERY = 1.0, 10.0, 30.0
"""Seconds; what is done sooner needs no word on how far it is."""


class PredictProgress:
    """A bar where somebody looks at a terminal; elsewhere a line on stderr every half minute.

    Args:
        total: pictures to answer; None where nobody knows, as of a video.
        prints: whether rows are printed on stdout. Where that is a terminal the bar is drawn there,
            below the rows, as stderr is mostly the same terminal.
    """

    def __init__(self, total: int | None, prints: bool) -> None:
        console: Console = out if prints and out.is_terminal else err
        self.total, self.done = total, 0
        self._begun = time.monotonic()
        self._say_at = self._begun + _LINE_AFTER
        self._bar = Progress(
            TextColumn("{task.fields[count]}"),
            *([BarColumn(bar_width=20)] if total is not None else []),
            TextColumn("{task.fields[speed]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=False,  # nothing but rows may come there
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("answers", total=total, count="", speed="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Take away what is drawn."""
        self._bar.stop()

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._begun

    @property
    def count(self) -> str:
        """How many are answered, in words."""
        if self.total is None:
            return "1 picture" if self.done == 1 else f"{self.done:,} pictures"
        if self.total == 1:
            return f"{self.done} of 1 picture"
        return f"{self.done:,} of {self.total:,} pictures"

    def print_lines(self, lines: list[str]) -> None:
        """Print rows as they are, at once, whatever is drawn below them."""
        text = "\n".join(lines)
        if self._bar.live.is_started and self._bar.console is out:
            out.print(text, markup=False, emoji=False, soft_wrap=True)
        else:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def say_lines(self, lines: list[str]) -> None:
        """Tell people something beside the rows."""
        drawn = self._bar.live.is_started and err.is_terminal
        console = self._bar.console if drawn else err  # the bar is drawn anew below them
        text = without_controls("\n".join(lines))
        console.print(text, markup=False, emoji=False, soft_wrap=True)

    def advance(self, pictures: int) -> None:
        """So many more are answered."""
        self.done += pictures
        now, seconds = time.monotonic(), self.seconds
        if seconds < _BAR_AFTER or self.done == self.total:
            return
        per_second = self.done / seconds
        speed = f"{per_second:,.0f}/s" if per_second >= 10 else f"{per_second:.1f}/s"
        if self.total is not None:
            left = duration(max(0, self.total - self.done) / per_second)
            speed = f"{speed}, {left} left"
        if not self._bar.disable:
            if not self._bar.live.is_started:
                self._bar.start()
            self._bar.update(
                self._task, completed=self.done, count=local(self.count), speed=local(speed)
            )
        elif now >= self._say_at:
            self._say_at = now + _LINE_EVERY
            say(f"{self.count}, {speed}")
