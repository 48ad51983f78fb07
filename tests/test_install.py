"""What serves installs without any training framework, and works: in a fresh environment."""

import ast
import json
import subprocess
from pathlib import Path

import pytest

SHIP = Path(__file__).parents[1] / "src/imagette/assets/samples/ship.png"
TRAINING = {"keras", "torch", "tensorflow", "jax", "onnx", "scikit-learn", "matplotlib"}


def run(*command, cwd):
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


@pytest.mark.slow
def test_no_training_framework_comes_along(installed, tmp_path):
    names = "import importlib.metadata as m; print([one.name for one in m.distributions()])"
    listed = run(installed / "python", "-c", names, cwd=tmp_path)
    found = {name.lower().replace("_", "-") for name in ast.literal_eval(listed.stdout)}
    assert {"imagette", "granian", "onnxruntime", "pillow-heif", "streamlit"} <= found
    assert not found & (TRAINING | {"pip"})


def test_it_predicts_with_the_shipped_model(installed, tmp_path):
    answer = run(installed / "imagette", "predict", SHIP, "--json", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["label"] == "ship"


def test_a_command_that_trains_says_what_to_install(installed, tmp_path):
    answer = run(installed / "imagette", "train", "digits", cwd=tmp_path)
    assert answer.returncode == 1
    assert "pip install 'imagette[train]'" in answer.stderr
