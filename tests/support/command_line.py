"""The command line: as a process of its own, and within this one."""

import contextlib
import io
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from imagette.cli.app import main

PROGRAM = [sys.executable, "-m", "imagette"]


def imagette(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """Run a command as people do; `options` are those of `subprocess.run`."""
    command = [*PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, **options)


def imagette_here(*arguments: str | Path, cwd: str | Path = ".") -> subprocess.CompletedProcess:
    """The same within this process, which need not import PyTorch and Keras anew for it."""
    command = ["imagette", *map(str, arguments)]
    printed, messages, status = io.StringIO(), io.StringIO(), 0
    on_sigterm = signal.getsignal(signal.SIGTERM)  # a training has its own
    with (
        contextlib.chdir(cwd),
        mock.patch.object(sys, "argv", command),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(messages),
        _warnings_on_stderr(),
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, on_sigterm)
    return subprocess.CompletedProcess(command, status, printed.getvalue(), messages.getvalue())


@contextlib.contextmanager
def _warnings_on_stderr() -> Iterator[None]:
    """Show the warnings that a new Python shows; pytest would keep them to itself."""

    def show(*warning, **_):
        sys.stderr.write(warnings.formatwarning(*warning[:4]))

    with warnings.catch_warnings():
        warnings.resetwarnings()
        hidden = DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning
        for category in hidden:
            warnings.simplefilter("ignore", category)
        warnings.showwarning = show
        yield
