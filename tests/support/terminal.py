"""A program on a terminal of its own, where keys can be pressed."""

import fcntl
import os
import pty
import subprocess
import termios
import time
from pathlib import Path


class Terminal:
    """A command whose input and output are a terminal that it is in the foreground of."""

    def __init__(self, command: list[str], cwd: Path) -> None:
        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            command, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)

    def wait_for(self, text: str, seconds: float = 240) -> None:
        """Read what is shown until that is among it."""
        end = time.monotonic() + seconds
        while text not in self.shown:
            assert time.monotonic() < end, self.shown[-2000:]
            assert self._read(), self.shown[-2000:]

    def press_ctrl_c(self) -> None:
        os.write(self._ours, b"\x03")

    def finish(self) -> int:
        """Read all that is still shown; the exit status."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(60)

    def _read(self) -> bool:
        try:
            part = os.read(self._ours, 65536)
        except OSError:  # how Linux says that nobody holds the other end
            return False
        self.shown += part.decode(errors="replace")
        return bool(part)
