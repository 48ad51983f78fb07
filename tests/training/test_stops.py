"""Ctrl-C at any moment of a training: what is kept, what is said, and how it goes on.

Each is pressed on a terminal, in a program of its own.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import PROGRAM, imagette_here

import imagette
from imagette.training.workers import Workers

if sys.platform == "win32":
    pytest.skip("Windows has no such terminal", allow_module_level=True)
from support.terminal import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("plain_plots")]

TRAIN = ["train", "digits", "--recipe", "classic", "--name", "run"]
SLOW_TO_SAVE = """
import time
from imagette.training import save_network
save_keras = save_network.save_keras
save_network.save_keras = lambda *given: (time.sleep(3), save_keras(*given))
from imagette.__main__ import main
main()
"""


def train(epochs: int, cwd: Path, program: list[str] = PROGRAM) -> Terminal:
    return Terminal([*program, *TRAIN, "--set", f"epochs={epochs}"], cwd)


def files_in(run: Path) -> set[str]:
    return {path.name for path in run.iterdir()}


def test_pressed_twice_while_learning_it_saves_and_says_how_to_go_on(tmp_path):
    """The second time while the network is being saved, which is then saved nevertheless."""
    run = tmp_path / "runs" / "run"
    terminal = train(50, tmp_path, [sys.executable, "-c", SLOW_TO_SAVE])
    terminal.wait_for("epoch  1/50")
    terminal.press_ctrl_c()
    terminal.wait_for("Stopping: saving the best network so far")
    terminal.press_ctrl_c()
    terminal.wait_for("It ends as soon as the network is saved")
    terminal.press_ctrl_c()
    assert terminal.finish() == 130
    said = " ".join(terminal.shown.split())
    assert "Traceback" not in said
    assert "Stopped; whole epochs done: " in said
    assert said.count("It ends as soon as") == 1
    assert "imagette evaluate runs/run" in said
    assert "imagette train --name run --runs-dir runs --resume" in said
    assert {"model.keras", "checkpoint.pt", "history.csv", "run.json"} <= files_in(run)
    assert not [name for name in files_in(run) if "writing" in name or name == "model.onnx"]
    # A network without a bundle is not served, and it is said how it comes to one.
    told = imagette_here("predict", ".", "--model", "runs/run", cwd=tmp_path)
    assert "stopped before its bundle was made" in told.stderr
    assert "imagette evaluate runs/run" in told.stderr

    measured = imagette_here("evaluate", "runs/run", "--json", cwd=tmp_path)
    assert measured.returncode == 0, measured.stderr
    assert "exporting it to ONNX" in measured.stderr
    assert json.loads(measured.stdout)["accuracy"] > 0.5
    assert imagette.Classifier(run).predict(np.zeros((32, 32, 3), np.uint8)).label
    again = imagette_here("evaluate", "runs/run", cwd=tmp_path)
    assert (again.returncode, "exporting" in again.stderr) == (0, False)
    assert not json.loads((run / "run.json").read_bytes())["finished"]


@pytest.mark.parametrize(
    ("step", "left"), [("exporting it to ONNX", True), ("drawing the plots", False)]
)
def test_pressed_after_the_last_epoch_what_is_left_is_done_later(tmp_path, monkeypatch, step, left):
    run = tmp_path / "runs" / "run"
    terminal = train(1, tmp_path)
    terminal.wait_for(step)
    terminal.press_ctrl_c()
    assert terminal.finish() == 130
    said = " ".join(terminal.shown.split())
    assert "Traceback" not in said
    assert f"Stopped while {step}" in said
    assert "No epoch is lost" in said
    assert "getting ready" in said
    assert "loss 0.000" not in said  # before there is any
    assert "This will take at most about" in said
    assert " s left" in said
    assert ("model.onnx" in files_in(run)) != left

    monkeypatch.setattr(Workers, "train_epochs", None)  # no epoch is left to make
    resumed = imagette_here("train", "--name", "run", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert ("exporting" in resumed.stderr) == left
    assert "saving the network" not in resumed.stderr
    assert json.loads((run / "run.json").read_bytes())["finished"]
    assert {"model.onnx", "metrics.json", "report.html"} <= files_in(run)
    assert "checkpoint.pt" not in files_in(run)


def test_pressed_while_a_fitted_network_is_measured(tmp_path, backbone):
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "mine" / name).mkdir(parents=True)
        for number in range(4):
            pixels = random.integers(0, 99, (40, 40, 3)).astype(np.uint8) + 150 * (name == "a")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / f"mine/{name}/{number}.png")
    terminal = Terminal([*PROGRAM, "train", "mine", "--name", "run"], tmp_path)
    terminal.wait_for("writing the report")
    terminal.press_ctrl_c()
    assert terminal.finish() == 130
    said = " ".join(terminal.shown.split())
    assert "Traceback" not in said
    assert "Resume it with: imagette train --name run --runs-dir runs --resume" in said
    resumed = imagette_here("train", "--name", "run", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads((tmp_path / "runs/run/run.json").read_bytes())["finished"]
