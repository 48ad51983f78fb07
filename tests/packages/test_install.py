"""What serves installs without any training framework, in a fresh environment."""

import ast
import subprocess

TRAINING = {"keras", "torch", "tensorflow", "jax", "onnx", "scikit-learn", "matplotlib"}


def run(*command, cwd):
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def test_no_training_framework_comes_along(installed, tmp_path):
    names = "import importlib.metadata as m; print([one.name for one in m.distributions()])"
    listed = run(installed / "python", "-c", names, cwd=tmp_path)
    found = {name.lower().replace("_", "-") for name in ast.literal_eval(listed.stdout)}
    assert {"imagette", "granian", "onnxruntime", "pillow-heif", "streamlit"} <= found
    assert not found & (TRAINING | {"pip"})


def test_a_command_that_trains_says_what_to_install(installed, tmp_path):
    answer = run(installed / "imagette", "train", "digits", cwd=tmp_path)
    assert answer.returncode == 1
    assert "pip install 'imagette[train]'" in answer.stderr
