"""Commands timed from outside, with the most memory that they took at once."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path


def imagette(folder: Path, runs: Path, backbone: Path) -> dict:
    """`imagette train FOLDER`, with a cache that holds the backbone and no features.

    The run is left in `runs`, as `run`.
    """
    with tempfile.TemporaryDirectory() as cache:
        kept = Path(cache) / "backbones"
        kept.mkdir()
        shutil.copy(backbone, kept)
        words = [str(Path(sys.executable).with_name("imagette")), "train", str(folder)]
        words += ["--runs-dir", str(runs), "--name", "run"]
        measured = measure_command(words, {"IMAGETTE_CACHE_DIR": cache})
    metrics = json.loads((runs / "run" / "metrics.json").read_text(encoding="utf-8"))
    return measured | {"accuracy": metrics["accuracy"]}


def measure_command(words: list[str], variables: dict[str, str] | None = None) -> dict:
    """Run a command; its accuracy, where it prints one, wall seconds and megabytes."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            words, stdout=output, stderr=errors, env=os.environ | (variables or {})
        )
        most = 0.0
        while process.poll() is None:
            most = max(most, _megabytes(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - start
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(words)} failed:\n{errors.read()}")
        last = (output.read().splitlines() or [""])[-1]
    accuracy = json.loads(last)["accuracy"] if last.startswith("{") else None
    return {"accuracy": accuracy, "seconds": round(seconds, 3), "megabytes": round(most)}


def _megabytes(process: int) -> float:
    """The most that a process has held in memory so far, without its children (on Linux)."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0
