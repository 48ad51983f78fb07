"""What programs show in a terminal, a pseudo-terminal that a test reads."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from contextlib import suppress
from threading import Thread

from support.running_server import wait_until

_COLUMNS, _ROWS = 100, 40
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Screen:
    """A program that runs in a terminal of its own, and what it has shown there so far."""

    def __init__(self, command, **environment):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        environ = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
        self.process = subprocess.Popen(
            command,
            env=environ | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            process_group=0,
        )
        os.close(theirs)
        self._shown = b""
        self._reader = Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def _read(self, ours):
        with suppress(OSError):  # how Linux says that nobody holds the other end
            while part := os.read(ours, 65536):
                self._shown += part
        os.close(ours)

    @property
    def text(self):
        """All of it, with the colours as they came."""
        return self._shown.decode("utf-8", "replace").replace("\r\n", "\n")

    @property
    def words(self):
        """All of it without colours."""
        return _COLOURS.sub("", self.text)

    def wait_for(self, words, seconds=60):
        wait_until(lambda: words in self.words or not self._reader.is_alive(), seconds)
        assert words in self.words, self.words
        return self

    def finish(self):
        """Wait for the end; the exit status."""
        status = self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.finish()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
