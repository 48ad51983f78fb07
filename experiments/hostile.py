"""Hostile input by the hundred thousand, for the picture decoder and for a running server.

    python experiments/hostile.py [--inputs 100000] [--seed 0] [--port 5200] [--folder hostile]

Needs `pip install imagette[fuzz]`. In turns, in shares of the inputs (see `PARTS`):

- **guided pictures**: bytes that Atheris (libFuzzer) makes of small valid files of every format
  Pillow can write, led by the coverage of Pillow's and Imagette's Python code, to the decoder;
- **made pictures**: files truncated, spliced, with flipped bits or lying headers, polyglots,
  and bombs of pixels, text, frames, runs, scans and tiles, to the decoder;
- **arrays**: shapes, types and values by Hypothesis, to the decoder;
- **guided requests**: bodies that Atheris makes of valid forms and JSON, led by the coverage of
  Werkzeug's and Imagette's code, to the API within the process;
- **requests**: strange but well-formed requests by Hypothesis (pictures, forms, JSON, content
  types, paths, methods, headers, chunks), over HTTP to one server, never restarted;
- **malformed**: bytes that are not quite HTTP, each over a connection of its own;
- **slow clients**: connections that send a byte now and then, or nothing more, while others ask.

The decoder must give a picture or a `ImageError`; the API must answer below 500, JSON or
problem+json that parses; what is not HTTP may be answered with a bare 4xx or a closed connection.
Nothing may take longer than `TIMEOUT` seconds, nor the server's memory, nor that of the process
that decodes the made pictures, grow by more than `GROWTH` from the first tenth to the end.

Prints progress and a table, and ends with 1 if anything failed. Each failure is a file in
FOLDER/failures, which `--replay FILE` runs again. The same seed makes the same inputs, except the
guided ones: those go on from the corpus in FOLDER, so that a second run digs deeper.
"""

import argparse
import contextlib
import faulthandler
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

from hostile_inputs.in_process import IN_PROCESS, application, decode
from hostile_inputs.over_http import OVER_HTTP, send_bytes, serve
from hostile_inputs.report import GROWTH, TIMEOUT, Report

PARTS = {
    "guided pictures": 0.40,
    "made pictures": 0.25,
    "arrays": 0.02,
    "guided requests": 0.10,
    "requests": 0.20,
    "malformed": 0.028,
    "slow clients": 0.002,
}
"""What share of the inputs each part has."""


def run_child(options: argparse.Namespace, part: str, total: int) -> int:
    """Run a part in a process of its own; its exit status, or a signal's number below zero."""
    command = [sys.executable, __file__, "--child", part, "--inputs", str(total),
               "--seed", str(options.seed), "--folder", str(options.folder)]  # fmt: skip
    with (options.folder / f"{part}.log").open("w", encoding="utf-8") as log:
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        progress, seen = read_report(options.folder, part), time.monotonic()
        while child.poll() is None:
            time.sleep(0.2)
            if (now := read_report(options.folder, part)) != progress:
                progress, seen = now, time.monotonic()
            elif time.monotonic() - seen > 3 * TIMEOUT:
                child.kill()
        return child.wait()


def read_report(folder: Path, part: str) -> dict:
    path = folder / f"{part}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


@contextlib.contextmanager
def shown_progress(folder: Path, part: str, total: int) -> Iterator[None]:
    """Print now and then how far a part has come."""
    stop = Event()

    def show() -> None:
        start = time.monotonic()
        while not stop.wait(10):
            done = sum(read_report(folder, part).get("outcomes", {}).values())
            print(f"{part}: {done:,} of {total:,} in {time.monotonic() - start:.0f} s", flush=True)

    thread = Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def problems_of(part: str, report: dict, total: int, status: int) -> list[str]:
    """What is wrong with the outcome of a part."""
    problems = []
    if failures := report.get("failures"):
        problems.append(f"{failures} inputs failed")
    if status != 0:
        problems.append(f"its process ended with {status}")
    if sum(report.get("outcomes", {}).values()) < total:
        problems.append("not all inputs were run")
    memory = report.get("memory", [])
    # libFuzzer's corpus and counters grow by themselves; it has a limit of its own.
    if not part.startswith("guided") and memory and memory[-1] - memory[0] > GROWTH:
        problems.append("memory grew")
    return [f"{part}: {problem}" for problem in problems]


def row(part: str, report: dict, seconds: float) -> str:
    outcomes = ", ".join(f"{name} {count:,}" for name, count in sorted(report["outcomes"].items()))
    memory = " → ".join(f"{bytes_ / 1e6:.0f}" for bytes_ in report["memory"]) or "–"
    total = sum(report["outcomes"].values())
    slowest = f"{report['slowest']:.2f} s ({report['slowest_kind']})"
    return f"| {part} | {total:,} | {seconds:.0f} s | {outcomes} | {slowest} | {memory} |"


def run_all(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    rows, problems = [], []
    with serve(options.port, options.folder / "server.log") as server:
        for part, share in PARTS.items():
            total = max(1, round(options.inputs * share))
            (options.folder / f"{part}.json").unlink(missing_ok=True)
            start, status = time.monotonic(), 0
            with shown_progress(options.folder, part, total):
                if part in IN_PROCESS:
                    status = run_child(options, part, total)
                else:
                    report = Report(options.folder, part, total)
                    OVER_HTTP[part](report, options.seed, server)
                    report.write()
            known = read_report(options.folder, part)
            problems += problems_of(part, known, total, status)
            if known:
                rows.append(row(part, known, time.monotonic() - start))
    print("| part | inputs | time | outcomes | slowest | memory, MB, first → last |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")
    print(*problems, sep="\n")
    return 1 if problems else 0


def replay(path: Path, options: argparse.Namespace) -> int:
    """Run one kept input again, and print what comes of it."""
    content = path.read_bytes()
    if path.suffix == ".request":
        with serve(options.port, Path(os.devnull)) as server:
            print(send_bytes(server.port, content))
    elif path.suffix == ".body":
        print(application()(content))
    else:
        print(decode(content))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--inputs", type=int, default=100_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=5200)
    parser.add_argument("--folder", type=Path, default=Path("hostile"), help="for what it keeps")
    parser.add_argument("--replay", type=Path, help="run this kept input again")
    parser.add_argument("--child", choices=IN_PROCESS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.replay:
        return replay(options.replay, options)
    if options.child:
        faulthandler.enable()
        report = Report(options.folder, options.child, options.inputs)
        IN_PROCESS[options.child](report, options.seed)
        report.write()
        return 0
    return run_all(options)


if __name__ == "__main__":
    sys.exit(main())
