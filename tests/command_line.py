"""The command line: as a process of its own, and within this one."""

import contextlib
import io
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

from imagette.cli import main

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
    ):
        try:
            main()
        except SystemExit as end:
            status = end.code
        finally:
            signal.signal(signal.SIGTERM, on_sigterm)
    return subprocess.CompletedProcess(command, status, printed.getvalue(), messages.getvalue())
