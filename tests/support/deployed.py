"""What the files in deploy/ are held by: its scripts run here, the settings they give exist."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagette.inference.bundle import SHIPPED
from imagette.serving.client import TOKEN_VARIABLE
from imagette.serving.settings import Settings, variable

VARIABLES = {variable(name) for name in Settings.model_fields} | {TOKEN_VARIABLE}


def run_script(script: Path, *arguments) -> str:
    """What a script prints that packs with pip, with the Python that runs the tests."""
    variables = os.environ | {"PYTHON": sys.executable}
    done = subprocess.run([script, *arguments], env=variables, capture_output=True, text=True)
    if "NewConnectionError" in done.stderr:
        pytest.skip("pip cannot reach the packages from here")
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_settings(given: dict[str, str | None]) -> None:
    """All are settings that there are, with values that they take; the model is one that ships."""
    assert given.keys() <= VARIABLES
    assert given["IMAGETTE_MODEL"] in SHIPPED
    Settings(**{name.removeprefix("IMAGETTE_").lower(): value for name, value in given.items()})
