"""What deploy/Dockerfile makes, run as a container would be: alone, on a read-only disk.

The Dockerfile's own steps are carried out, and its own commands run, but not by Docker: see
tests/support/dockerfile.py.
"""

import ast
import http.client
import json
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import dockerfile
from support.locked import locked
from support.running_server import free_port, wait_until

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/Dockerfile"
SHIP = ROOT / "src/imagette/assets/samples/ship.png"
TRAINING = {"keras", "torch", "tensorflow", "jax", "onnx", "scikit-learn", "matplotlib"}


class Container:
    """A stage that runs; only its port is another, since that may be taken here."""

    def __init__(self, stage, folder, **environment):
        self.port = free_port()
        self._locked = locked(folder)
        self._health = [word.replace(str(stage.port), str(self.port)) for word in stage.health]
        self._variables = stage.variables() | {"HOME": str(folder), "TMPDIR": str(folder)}
        self.process = subprocess.Popen(
            [*self._locked, *stage.command, "--port", str(self.port)],
            env=self._variables | environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def is_healthy(self):
        assert self.process.poll() is None, self.process.stdout.read()
        check = subprocess.run(
            [*self._locked, *self._health], env=self._variables, cwd="/", capture_output=True
        )
        assert check.returncode in (0, 1)
        return check.returncode == 0

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.read()

    def stop(self):
        """What `docker stop` does; the exit status and all that was printed."""
        self.process.send_signal(signal.SIGTERM)
        printed, _ = self.process.communicate(timeout=15)
        return self.process.returncode, printed


@contextmanager
def running(stage, folder, **environment):
    container = Container(stage, folder, **environment)
    try:
        yield container
    finally:
        container.process.kill()
        container.process.communicate()


def installed(stage):
    names = "import importlib.metadata as m; print([one.name for one in m.distributions()])"
    listed = subprocess.run(
        ["python", "-c", names], env=stage.variables(), capture_output=True, text=True, check=True
    )
    return {name.lower() for name in ast.literal_eval(listed.stdout)}


def test_the_images_hold_what_they_need_and_no_more(images):
    assert {"imagette", "granian", "onnxruntime", "pillow-heif"} <= {
        name.replace("_", "-") for name in installed(images["api"])
    }
    assert not installed(images["api"]) & (TRAINING | {"streamlit", "pip"})
    assert "streamlit" in installed(images["page"])
    assert not installed(images["page"]) & (TRAINING | {"pip"})
    for name in ("api", "page"):  # nothing of where they were made
        assert [file.name for file in images[name].folder.iterdir()] == ["opt"]


def test_the_api_is_healthy_answers_and_stops(images, tmp_path):
    with running(images["api"], tmp_path, IMAGETTE_WORKERS="1") as container:
        assert not container.is_healthy()  # it cannot be yet
        wait_until(container.is_healthy)
        status, body = container.ask(
            "POST", "/predict", SHIP.read_bytes(), {"Content-Type": "image/png"}
        )
        assert status == 200
        assert json.loads(body)["class"] == "ship"
        status, printed = container.stop()
        assert status == 0
        assert "Traceback" not in printed
    assert list(tmp_path.iterdir()) == []  # nor does it leave anything


def test_the_page_is_healthy_takes_visitors_of_a_proxy_and_stops(images, tmp_path):
    api = f"http://127.0.0.1:{free_port()}"
    with running(images["page"], tmp_path, IMAGETTE_API_URL=api) as container:
        wait_until(container.is_healthy)
        assert container.ask("GET", "/")[0] == 200
        opening = {
            "Host": "pictures.example.org",
            "Origin": "https://pictures.example.org",
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=30)
        connection.request("GET", "/_stcore/stream", headers=opening)
        assert connection.getresponse().status == 101
        connection.close()
        # Before it is stopped: the check above can see the page sooner than the command does.
        ready = container.process.stdout.readline()
        assert ready == f"The page is ready: http://127.0.0.1:{container.port}\n"
        status, printed = container.stop()
        assert status == 0, printed
        assert "Traceback" not in printed


@pytest.mark.parametrize("name", ["api", "page"])
def test_neither_runs_as_root(images, name):
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", images[name].user)
    assert images[name].health


def test_versions_are_pinned_and_no_secret_is_in_it():
    steps = dockerfile.instructions(FILE)
    for name, rest in steps:
        if name == "RUN" and " install " in rest:
            assert "--constraint constraints.txt" in rest
        if name in ("ENV", "ARG"):
            assert not re.search("key|secret|password|token", rest, re.IGNORECASE)
    bases = {rest.split()[0] for name, rest in steps if name == "FROM"}
    stages = {rest.split()[2] for name, rest in steps if name == "FROM"}
    assert bases - stages == {"python:3.13-slim"}


def test_docker_is_given_what_is_copied_and_nothing_else():
    given = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = set()
    for name, rest in dockerfile.instructions(FILE):
        if name == "COPY" and not rest.startswith("--from="):
            copied |= set(rest.split()[:-1])
    assert given == copied
    assert all((ROOT / path).exists() for path in given)
