"""The API (and the page) as programs of their own, for the tests that need the real thing."""

import http.client
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest
from PIL import Image
from support.images import written


def picture_file(colour=(200, 30, 30), size=(32, 32), mode="RGB", kind="PNG") -> bytes:
    return written(Image.new(mode, size, colour), kind)


def free_port() -> int:
    """A port that nothing listens on, of those that no connection of this machine is given: another
    could be taken before a server listens there."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


PROGRAM = """
import sys
from imagette.errors import ImagetteError
from imagette.serving.server import serve
from imagette.serving.settings import Settings
try:
    serve(Settings(), port=int(sys.argv[1]), ui=len(sys.argv) > 2, ui_port=int(sys.argv[-1]))
except ImagetteError as error:
    sys.exit(f"{error.problem}\\n{error.remedy}")
"""


class RunningServer:
    """`serve` in a process of its own, in a group of its own as a terminal would start it."""

    def __init__(self, model, *, port=None, ui_port=None, **environment):
        if sys.platform == "win32":
            pytest.skip("Windows has neither process groups nor signals to end them with")
        self.port = port or free_port()
        self.ui_port = ui_port
        ports = [str(self.port)] + ([str(ui_port)] if ui_port else [])
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *ports],
            env=os.environ | {"IMAGETTE_MODEL": str(model), "IMAGETTE_WORKERS": "2"} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.printed = ""

    def wait_until_ready(self):
        for line in self.process.stdout:
            self.printed += line
            if "Press Ctrl-C" in line:
                return self
        raise AssertionError(f"the server stopped before it was ready:\n{self.printed}")

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def descendants(self):
        """Ids of all processes below this one, but for one that macOS' Python has for itself."""
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [one.pid for one in found if "resource_tracker" not in command_of(one.pid)]

    def finish(self, timeout=30):
        """Wait for the end; give the exit status and everything printed."""
        rest, _ = self.process.communicate(timeout=timeout)
        return self.process.returncode, self.printed + rest

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


def is_running(pid: int) -> bool:
    """Whether a process runs (one that has ended but is not waited for does not)."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command_of(pid: int) -> str:
    """The words that a process was started with; none if it has ended."""
    try:
        return " ".join(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return ""


def is_listening(port: int) -> bool:
    """Whether something accepts connections on a port of this machine."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)
