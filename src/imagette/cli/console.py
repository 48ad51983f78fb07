"""What commands print with: results on stdout, all else on stderr."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from imagette.terminal import local
from imagette.translate import in_numbers, system_language
from imagette.wording import without_controls

out = Console(highlight=False, emoji=False)  # `:smile:` may be a name
err = Console(stderr=True, highlight=False, emoji=False)


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
        heading = local(name)
        # The first column, of names, is the one that gives way where all is too wide.
        widest = max(map(cell_len, heading.split())) if number else None
        table.add_column(
            heading, justify="right" if number else "left", overflow="fold", min_width=widest
        )
    for row in rows:
        table.add_row(escape(without_controls(row[0])), *(escape(_cell(cell)) for cell in row[1:]))
    out.print(table)


def _cell(text: str) -> str:
    """What a table says of something: a number as the person's language writes it, or a name."""
    return without_controls(in_numbers(text, system_language()))


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
