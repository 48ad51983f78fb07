"""What the processes that test together share."""

import os
from pathlib import Path

import pytest


def for_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests that all its processes share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if os.environ.get("PYTEST_XDIST_WORKER_COUNT") else folder
