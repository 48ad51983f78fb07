"""What is published and deployed, installed as there: `make packages` runs these tests."""

import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from support import dockerfile
from support.shared import for_all


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> Path:
    """The `bin` folder of a fresh installation of the API and the page, as deploy/Dockerfile's."""
    folder = for_all(tmp_path_factory) / "installed"
    with FileLock(f"{folder}.lock"):
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            try:
                dockerfile.install(folder)
            except subprocess.CalledProcessError as error:
                if "NewConnectionError" in error.stderr:
                    pytest.skip("pip cannot reach the packages from here")
                pytest.fail(error.stderr)
            (folder / "done").touch()
    return folder / "imagette/bin"
