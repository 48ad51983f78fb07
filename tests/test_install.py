"""What serves installs without any training framework, and works: in a fresh environment."""

import ast
import json
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING = {"keras", "torch", "tensorflow", "jax", "onnx", "scikit-learn", "matplotlib"}


@pytest.fixture(scope="module")
def environment(images):
    """`bin` folder of a new environment with `imagette[webapp]` and no training framework."""
    return images["page"].folder / "opt/imagette/bin"


def test_no_training_framework_comes_along(environment):
    names = "import importlib.metadata as m; print([one.name for one in m.distributions()])"
    listed = subprocess.run(
        [environment / "python", "-c", names], capture_output=True, text=True, check=True
    )
    installed = {name.lower() for name in ast.literal_eval(listed.stdout)}
    assert {"flask", "onnxruntime", "streamlit"} <= installed
    assert not installed & TRAINING


def test_it_predicts_with_the_shipped_model(environment, tmp_path):
    picture = ROOT / "src/imagette/assets/samples/ship.png"
    answer = subprocess.run(
        [environment / "imagette", "predict", picture, "--json"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)[0]["label"] == "ship"


def test_a_command_that_trains_says_what_to_install(environment, tmp_path):
    answer = subprocess.run(
        [environment / "imagette", "train", "digits"], capture_output=True, text=True, cwd=tmp_path
    )
    assert answer.returncode == 1
    assert "pip install 'imagette[train]'" in answer.stderr


def test_it_serves_and_shows_the_page(environment, tmp_path):
    """`imagette demo` on its own ports would be the same; free ones keep the tests apart."""
    from support.running_server import free_port

    api, page = free_port(), free_port()
    process = subprocess.Popen(
        [environment / "imagette", "serve", "--ui", "--port", str(api), "--ui-port", str(page)],
        stdout=subprocess.PIPE, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        said = "".join(process.stdout.readline() for _ in range(3))
        assert f"http://127.0.0.1:{api}" in said
        assert f"http://127.0.0.1:{page}" in said
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
