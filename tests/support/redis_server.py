"""A real Redis, which can be made to hang."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.running_server import free_port, is_listening, wait_until

_REDIS = shutil.which("redis-server")


class RedisServer:
    """One that runs; `hang` stops it in the middle of what it does, `go_on` lets it work again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        words = [_REDIS, "--port", str(self.port), "--save", "", "--dir", str(folder)]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL)

    def hang(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def running_redis(folder: Path) -> Iterator[RedisServer]:
    """Redis while it lasts; it may write in `folder`."""
    if _REDIS is None:
        pytest.skip("there is no redis-server on this machine")
    server = RedisServer(folder)
    try:
        wait_until(lambda: is_listening(server.port))
        yield server
    finally:
        server.go_on()
        server.end()
