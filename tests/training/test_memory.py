"""How much memory a training takes, measured from outside."""

import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys, imagette
recipe = imagette.Recipe.load(sys.argv[1]).change(epochs=0.04)
imagette.train("cifar10", recipe, runs_dir=sys.argv[2], data_dir=sys.argv[3])
print(open("/proc/self/status").read())
"""


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells the peak there")
def test_the_largest_sprint_fits_in_2500_mb(tmp_path, cifar10_dir):
    """A few steps of each size of picture, saving and measuring: the peak of the whole training."""
    process = subprocess.run(
        [sys.executable, "-c", CODE, "sprint-94", tmp_path, cifar10_dir],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    peak = next(line for line in process.stdout.splitlines() if line.startswith("VmHWM"))
    assert int(peak.split()[1]) * 1024 < 2.5e9
