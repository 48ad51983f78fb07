"""What deploy/Dockerfile makes, run as a container would be: alone, on a read-only disk.

The Dockerfile's own steps are carried out, and its own commands run, but not by Docker: see
tests/support/dockerfile.py.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import dockerfile
from support.locked import locked
from support.running_server import RunningServer, free_port, wait_until

SHIP = dockerfile.ROOT / "src/imagette/assets/samples/ship.png"
STAGES = dockerfile.stages()


class Container(RunningServer):
    """A stage that runs; only its port is another, since that may be taken here."""

    def __init__(self, name: str, installed: Path, folder: Path, **environment: str) -> None:
        stage = STAGES[name]
        self.port = free_port()
        self._locked = locked(folder)
        health = json.loads(stage["HEALTHCHECK"][-1].partition(" CMD ")[2])
        self._health = [word.replace(stage["EXPOSE"][-1], str(self.port)) for word in health]
        self._variables = {
            "PATH": f"{installed}{os.pathsep}{os.defpath}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            **environment,
        }
        self.process = subprocess.Popen(
            [*self._locked, *json.loads(stage["CMD"][-1]), "--port", str(self.port)],
            env=self._variables, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.printed = ""

    def is_healthy(self) -> bool:
        assert self.process.poll() is None, self.process.stdout.read()
        check = subprocess.run(
            [*self._locked, *self._health], env=self._variables, cwd="/", capture_output=True
        )
        assert check.returncode in (0, 1)
        return check.returncode == 0

    def stop(self):
        """What `docker stop` does; the exit status and all that was printed."""
        self.process.send_signal(signal.SIGTERM)
        return self.finish(timeout=15)


def test_the_api_is_healthy_answers_and_stops(installed, tmp_path):
    with Container("api", installed, tmp_path, IMAGETTE_WORKERS="1") as container:
        assert not container.is_healthy()  # it cannot be yet
        wait_until(container.is_healthy)
        kind = {"Content-Type": "image/png"}
        status, _, body = container.ask("POST", "/predict", SHIP.read_bytes(), kind)
        assert status == 200
        assert json.loads(body)["class"] == "ship"
        status, printed = container.stop()
        assert status == 0
        assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []  # nor does it leave anything


@pytest.mark.parametrize("base_path", ["", "/imagette"])
def test_the_page_is_healthy_takes_visitors_of_a_proxy_and_stops(installed, tmp_path, base_path):
    api = f"http://127.0.0.1:{free_port()}"
    environment = {"IMAGETTE_API_URL": api, "IMAGETTE_BASE_PATH": base_path}
    with Container("page", installed, tmp_path, **environment) as container:
        wait_until(container.is_healthy)
        assert container.ask("GET", f"{base_path}/")[0] == 200
        opening = {
            "Host": "pictures.example.org",
            "Origin": "https://pictures.example.org",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        assert container.ask("GET", f"{base_path}/_stcore/stream", headers=opening)[0] == 101
        # Before it is stopped: the check above can see the page sooner than the command does.
        ready = container.process.stdout.readline()
        assert ready == f"The page is ready: http://127.0.0.1:{container.port}{base_path}\n"
        status, printed = container.stop()
        assert status == 0, printed
        assert "Traceback" not in printed
