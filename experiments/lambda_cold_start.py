"""How long AWS Lambda's first answer takes: from a new process to the answer about a picture.

The package is the one that `deploy/lambda/build.sh` makes. What Lambda does before, fetching the
package and starting its own machine, is not in it, and its disk is another.

    deploy/lambda/build.sh
    python experiments/lambda_cold_start.py
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from support.local_lambda import LocalLambda, copy_client, http_event  # noqa: E402

PICTURE = (ROOT / "src/imagette/assets/samples/ship.png").read_bytes()
EVENT = http_event("POST", "/predict", PICTURE, headers={"Content-Type": "image/png"})


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--package", type=Path, default=ROOT / "build/lambda/package")
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {megabytes(options.package):.0f} MB unpacked")
    with tempfile.TemporaryDirectory() as folder:
        path = [options.package, copy_client(Path(folder))]
        for model in ("cifar10", "cifar10-lite"):
            # 1,769 MB of memory is one processor on Lambda.
            for cores, command in (("1 core", ("taskset", "-c", "0")), ("all cores", ())):
                runs = [measure(path, command, model) for _ in range(options.runs)]
                first, busy, later, memory = (show(values) for values in zip(*runs, strict=True))
                print(
                    f"{model}, {cores}: first answer {first} s, of which the processor was busy"
                    f" with it {busy} s; later ones {later} ms; peak memory {memory} MB"
                )


def measure(
    path: list[Path], command: tuple[str, ...], model: str
) -> tuple[float, float, float, float]:
    """Seconds to the first answer, those of the processor among them, milliseconds of a later one,
    and the peak memory in MB."""
    started = time.perf_counter()
    function = LocalLambda(path, command=command, IMAGETTE_MODEL=model)
    try:
        answer = function.call(EVENT)
        first = time.perf_counter() - started
        busy = processor_seconds(function.process.pid)
        assert json.loads(answer["body"])["class"] == "ship", answer
        later = []
        for _ in range(20):
            started = time.perf_counter()
            function.call(EVENT)
            later.append(time.perf_counter() - started)
        return first, busy, 1000 * statistics.median(later), peak_memory(function.process.pid) / 1e6
    finally:
        function.stop()


def processor_seconds(process: int) -> float:
    """How long a process has kept a processor busy."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_memory(process: int) -> int:
    """The most memory that a process took, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def show(values: Sequence[float]) -> str:
    median, low, high = statistics.median(values), min(values), max(values)
    return f"{median:.3g} ({low:.3g}–{high:.3g})"


def megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


if __name__ == "__main__":
    main()
