"""`import imagette` is light, and what serves never brings in a training framework."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

import imagette

HEAVY = {"keras", "torch", "tensorflow", "jax", "onnx", "onnxscript", "sklearn", "matplotlib"}
HEAVY |= {"scipy", "pandas", "streamlit", "pooch", "ray", "optuna"}


def modules_after(code: str) -> set[str]:
    """The top-level packages that a fresh interpreter has loaded after running `code`."""
    code += "\nimport json, sys; print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_alone_loads_next_to_nothing():
    loaded = modules_after("import imagette")
    assert not loaded & (HEAVY | {"numpy", "PIL", "onnxruntime", "pydantic", "flask", "rich"})


def test_a_command_does_not_wait_for_what_others_import():
    code = """
import contextlib, sys
from imagette.cli.app import main
sys.argv = ["imagette", "--version"]
with contextlib.suppress(SystemExit):
    main()
"""
    assert not modules_after(code) & (
        HEAVY | {"numpy", "PIL", "onnxruntime", "pydantic_settings", "flask"}
    )


def test_what_predicts_and_serves_needs_no_training_framework(bundle_path, tmp_path):
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), (10, 200, 30)).save(picture)
    code = f"""
import imagette
import imagette.serving.app
imagette.ImageError
prediction = imagette.Classifier({str(bundle_path)!r}).predict({str(picture)!r})
assert prediction.label in prediction.probabilities
"""
    assert not modules_after(code) & HEAVY


@pytest.mark.slow
def test_a_command_without_ray_does_not_import_it(bundle_path, tmp_path):
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), (10, 200, 30)).save(picture)
    code = """
import contextlib, sys
from imagette.cli.app import main
sys.argv = ["imagette", *{arguments!r}]
with contextlib.suppress(SystemExit):
    main()
"""
    predict = ["predict", str(picture), "--model", str(bundle_path)]
    train = ["train", "digits", "--recipe", "sprint-70", "--runs-dir", str(tmp_path), "--name", "a",
             "--set", "epochs=1", "--set", "model_options.widths=[4]"]  # fmt: skip
    for arguments in (predict, train):
        assert "imagette" in (loaded := modules_after(code.format(arguments=arguments)))
        assert not loaded & {"ray", "optuna"}
    assert (tmp_path / "a" / "metrics.json").is_file()


def test_predicting_leaves_nothing_at_home_and_tells_nobody(bundle_path, tmp_path):
    """ONNX Runtime would keep an id of the machine there, and what it is going to send."""
    code = f"""
import imagette, numpy
imagette.Classifier({str(bundle_path)!r}).predict(numpy.zeros((32, 32, 3), numpy.uint8))
"""
    # It sends nothing, and writes nothing, where these are set.
    quiet = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "ORT_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in quiet}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=120)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", imagette.__all__)
def test_every_public_name_is_there(name):
    assert getattr(imagette, name).__doc__


def test_data_and_recipes_load_no_framework():
    code = "import imagette; imagette.Dataset, imagette.Recipe, imagette.load_dataset"
    assert not modules_after(code) & {"keras", "torch", "tensorflow"}


def test_dir_lists_the_public_names():
    listed = dir(imagette)
    assert set(imagette.__all__) <= set(listed)
    assert len(listed) == len(set(listed))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Clasifier'"):
        _ = imagette.Clasifier
    assert not hasattr(imagette, "clasifier")


def test_completion_offers_the_public_names_alone():
    assert {name for name in dir(imagette) if not name.startswith("__")} == set(imagette.__all__)
