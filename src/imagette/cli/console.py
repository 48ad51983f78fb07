"""What commands print with: results on stdout, all else on stderr."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imagette.translate import system_language, translated
from imagette.wording import without_controls

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def local(text: str) -> str:
    """A sentence in the language of the person's system, without what could upset a terminal."""
    return without_controls(translated(text, system_language()))


def print_line(text: str) -> None:
    """Print a line of the result, however long."""
    out.print(local(text), markup=False, soft_wrap=True)


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON that stays JSON on stdout: where that is not UTF-8, as mostly on Windows, in ASCII."""
    utf_8 = sys.stdout.encoding in (None, "utf-8")
    return json.dumps(value, indent=indent, ensure_ascii=not utf_8)


def say(text: str) -> None:
    """Tell people something beside the result, however long."""
    err.print(local(text), markup=False, soft_wrap=True)


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """Print a table, its first column to the left and all others to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for number, name in enumerate(columns):
        table.add_column(local(name), justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(without_controls(cell)) for cell in row))
    out.print(table)


def shown(value: Any, form: str) -> str:
    """The value in a form such as `{:.1%}`; a dash where there is none."""
    return "-" if value is None else form.format(value)


def duration(seconds: float) -> str:
    """About how long something takes."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


@contextmanager
def stoppable(on_stop: Callable[[], None] = lambda: say("Stopped.")) -> Iterator[None]:
    """Long work that Ctrl-C or a service manager's SIGTERM stops cleanly; then `on_stop` is called
    and the command ends with status 130."""
    came: list[int] = []

    def stop(number: int, _: Any) -> None:
        came.append(number)
        raise KeyboardInterrupt

    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, stop)}
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as a shell's background jobs have it
        before[signal.SIGINT] = signal.signal(signal.SIGINT, stop)
    try:
        yield
    except BaseException as error:
        # Modules in C make errors of their own of a stop that comes while they are loaded.
        if not came and not isinstance(error, KeyboardInterrupt):
            raise
        for one in before:
            signal.signal(one, signal.SIG_IGN)  # nothing is left to stop
        on_stop()
        raise typer.Exit(130) from None
    finally:
        if not came:
            for one, handler in before.items():
                signal.signal(one, handler)
