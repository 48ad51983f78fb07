"""What is pushed to Heroku, and its command as Heroku runs it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.deployed import run_script
from support.running_server import RunningServer, free_port, picture_file

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/heroku"
APP = json.loads((FOLDER / "app.json").read_bytes())
SETTINGS = {name: entry.get("value") for name, entry in APP["env"].items()}


class Dyno(RunningServer):
    """The command of the Procfile, with the variables of app.json, in a group of its own."""

    def __init__(self, installed, folder):
        kind, _, command = (FOLDER / "Procfile").read_text(encoding="utf-8").strip().partition(": ")
        assert kind == "web"
        self.port = free_port()
        variables = {name: value for name, value in SETTINGS.items() if value is not None}
        variables |= {"PATH": f"{installed}{os.pathsep}{os.defpath}", "HOME": str(folder)}
        variables |= {"PORT": str(self.port), "IMAGETTE_API_KEYS": "secret"}
        self.process = subprocess.Popen(
            ["bash", "-c", command], env=variables, cwd=folder, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, process_group=0,
        )  # fmt: skip
        self.printed = ""


@pytest.mark.skipif(os.name != "posix", reason="Heroku's command is one for bash")
def test_the_command_answers_on_heroku_s_port_and_ends_in_time(installed, tmp_path):
    with Dyno(installed, tmp_path) as dyno:
        dyno.wait_until_ready()
        # Heroku's router says after the client's own words who that is.
        headers = {
            "Content-Type": "image/png",
            "Authorization": "Bearer secret",
            "X-Forwarded-For": "198.51.100.1, 203.0.113.7",
        }
        assert dyno.ask("POST", "/predict", picture_file(), headers)[0] == 200
        assert dyno.ask("GET", "/model")[0] == 401
        os.killpg(dyno.process.pid, signal.SIGTERM)  # every process gets it
        status, printed = dyno.finish(timeout=30)  # what Heroku gives
    assert status in (0, -signal.SIGTERM)
    assert "Traceback" not in printed
    logged = [json.loads(line) for line in printed.splitlines() if '"/predict"' in line]
    assert [line["client"] for line in logged] == ["203.0.113.7"]


def test_what_is_pushed_installs(tmp_path, tmp_path_factory):
    pushed = tmp_path_factory.mktemp("heroku")
    run_script(FOLDER / "prepare.sh", pushed)
    names = {"Procfile", "app.json", ".python-version", "requirements.txt", "constraints.txt"}
    (wheel,) = pushed.glob("imagette-*.whl")
    assert {file.name for file in pushed.iterdir()} == names | {wheel.name}
    assert wheel.stat().st_size < 20e6
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    install = subprocess.run(
        [*pip, "--no-deps", "--no-compile", "--target", tmp_path, "-r", "requirements.txt"],
        cwd=pushed, capture_output=True, text=True,
    )  # fmt: skip
    assert install.returncode == 0, install.stderr
    assert (tmp_path / "imagette/assets/cifar10.onnx").exists()
