"""What serves installs without any training framework, and works: in a fresh environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRAINING = {"keras", "torch", "tensorflow", "jax", "onnx", "scikit-learn", "matplotlib"}


def pip(bin: Path, *arguments: str | Path) -> subprocess.CompletedProcess:
    """The pip of this environment, at work on the one with that `bin` folder."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    return subprocess.run(
        [*command, "--python", bin / "python", *arguments], capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """`bin` folder of a new environment with `imagette[webapp]` and nothing else."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    bin = folder / ("Scripts" if os.name == "nt" else "bin")
    # Without compiling it takes half the time.
    install = pip(
        bin, "install", "--quiet", "--no-compile", "--constraint", ROOT / "constraints.txt",
        f"{ROOT}[webapp]",
    )  # fmt: skip
    if "NewConnectionError" in install.stderr:
        pytest.skip("pip cannot reach the packages from here")
    assert install.returncode == 0, install.stderr
    return bin


def test_no_training_framework_comes_along(environment):
    listed = pip(environment, "list", "--format", "json")
    assert listed.returncode == 0, listed.stderr
    installed = {package["name"].lower() for package in json.loads(listed.stdout)}
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
    from running_server import free_port

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
