"""Requests a second and latency of `POST /predict`, beside other ways to serve the same bundle.

    python experiments/load.py [--model BUNDLE] [--seconds 5] [--rounds 5]

Sends a picture as large as the model looks at (a 32×32 PNG, a 224×224 JPEG) with `wrk`
(https://github.com/wg/wrk) over 1 to 256 connections that stay open to servers on this
machine that run the same bundle with as many workers:

    imagette, imagette-form    Imagette with everything switched on (EVERYTHING_ON of
                               shared/servers.py), the picture as the whole body, or in a form
    bare                       a ten-line Flask endpoint on Granian, with Imagette's threads
    litserve                   LitServe with its defaults (form)
    litserve-fast              with its faster queue, which it recommends above 100 requests/s
    litserve-batch             with that and batches of up to 8
    bentoml                    BentoML (whole body)

They take turns, so that all meet the same machine; those whose turn it is not stand still. `wrk`
runs on the same cores. LitServe and BentoML live in an environment of their own, which is made of
requirements-serving.txt where it is missing. Prints a table, and writes results/load/load.csv
(every measurement), summary.csv and ratios.csv (what is printed) and machine.json.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from shared.servers import (
    RESULTS,
    Post,
    descendants,
    free_port,
    imagette,
    imagette_environment,
    machine,
    require_wrk,
    running,
    say,
    small_picture,
    stop_at_signals,
    wrk,
)

from imagette import Classifier
from imagette.files import write_csv, write_json
from imagette.inference.bundle import SHIPPED

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements-serving.txt"
CONNECTIONS = (1, 4, 16, 64, 256)
COLUMNS = {"requests_per_second": 0, "p50_ms": 2, "p99_ms": 2}
"""What is measured, and its digits after the point."""

COMPARED = [
    ("imagette", "bare"),
    ("imagette-form", "litserve"),
    ("imagette-form", "litserve-fast"),
    ("imagette-form", "litserve-batch"),
    ("imagette", "bentoml"),
]
"""Whose requests a second are set against whose: always those that get the picture in one way."""


@dataclass(frozen=True)
class Contender:
    """A server, and the request that it gets."""

    name: str
    command: list[str]
    port: int
    post: Post
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/predict"


def serving_environment(folder: Path) -> Path:
    """The folder of the programs of an environment with LitServe and BentoML; made if missing."""
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    install = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install"]
    if not folder.exists():
        say(f"Making {folder} of {REQUIREMENTS.name} …")
        venv.create(folder, with_pip=True)
    # Nothing happens where all of it is there.
    subprocess.run([*install, "--quiet", "--requirement", str(REQUIREMENTS)], check=True)
    return programs


def contenders(model: Path, workers: int, threads: int, programs: Path) -> list[Contender]:
    picture = small_picture(Classifier(model).height)
    raw, form = Post.raw(picture), Post.form(picture)
    of_others = {"MODEL": str(model), "WORKERS": str(workers), "BENTOML_DO_NOT_TRACK": "true"}

    def granian(port: int) -> list[str]:
        options = f"--interface wsgi --http 1 --no-ws --log-level error --workers {workers}"
        options += f" --blocking-threads {threads} --port {port}"
        return [sys.executable, "-m", "granian", *options.split(), "bare:app"]

    def litserve(port: int, fast_queue: bool, batch: int) -> list[str]:
        arguments = f"litserve_server.py {port} {workers} {int(fast_queue)} {batch}"
        return [str(programs / "python"), *arguments.split()]

    def bentoml(port: int) -> list[str]:
        arguments = f"serve bentoml_server:Classifier --host 127.0.0.1 --port {port}"
        return [str(programs / "bentoml"), *arguments.split()]

    ports = [free_port() for _ in range(6)]
    ours = imagette(ports[0]), ports[0]
    our_environment = imagette_environment(model, workers)
    return [
        Contender("imagette", *ours, raw, our_environment),
        Contender("imagette-form", *ours, form, our_environment),
        Contender("bare", granian(ports[1]), ports[1], raw, of_others),
        Contender("litserve", litserve(ports[2], False, 1), ports[2], form, of_others),
        Contender("litserve-fast", litserve(ports[3], True, 1), ports[3], form, of_others),
        Contender("litserve-batch", litserve(ports[4], True, 8), ports[4], form, of_others),
        Contender("bentoml", bentoml(ports[5]), ports[5], raw, of_others),
    ]


def measure(taking_part: list[Contender], seconds: int, rounds: int) -> list[dict]:
    """A row for each contender, number of connections and round."""
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {}
        for one in {one.port: one for one in taking_part}.values():
            say(f"Starting {one.name} …")
            log = folder / f"{one.name}.log"
            servers[one.port] = stack.enter_context(
                running(one.command, one.url, one.post, log, one.environment, HERE / "serving")
            )
        for one in taking_part:
            wrk(one.url, one.post, max(CONNECTIONS), 2, folder)  # warm every worker
        for round_ in range(rounds):
            for connections in CONNECTIONS:
                for one in taking_part:
                    others = [server for port, server in servers.items() if port != one.port]
                    with standing_still(others):
                        figures = wrk(one.url, one.post, connections, seconds, folder)
                    row = {"server": one.name, "connections": connections, "round": round_}
                    rows.append(row | figures)
                    say(f"{row} {figures['requests_per_second']:.0f}/s")
    return rows


@contextmanager
def standing_still(servers: list[psutil.Process]) -> Iterator[None]:
    """Servers that nobody asks now do nothing: some are busy all the same."""
    processes = [one for server in servers for one in (server, *descendants(server))]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def summarise(rows: list[dict]) -> list[dict]:
    """Median, lowest and highest of every figure, for each number of connections and server."""
    summary = []
    for connections in CONNECTIONS:
        for server in dict.fromkeys(row["server"] for row in rows):
            of_server = _rows_of(rows, server, connections)
            found = {"connections": connections, "server": server, "rounds": len(of_server)}
            for column in COLUMNS:
                values = [row[column] for row in of_server]
                found |= {
                    column: statistics.median(values),
                    f"{column}_low": min(values),
                    f"{column}_high": max(values),
                }
            found["errors"] = sum(row["errors"] for row in of_server)
            summary.append(found)
    return summary


def compare(rows: list[dict]) -> list[dict]:
    """How many times the requests a second of another: median and range of the rounds' ratios."""
    ratios = []
    for connections in CONNECTIONS:
        for ours, other in COMPARED:
            # With --only, one of them may be missing.
            pairs = zip(
                _rows_of(rows, ours, connections), _rows_of(rows, other, connections), strict=False
            )
            values = [a["requests_per_second"] / b["requests_per_second"] for a, b in pairs]
            if values:
                ratios.append({
                    "connections": connections,
                    "ratio": f"{ours} / {other}",
                    "median": statistics.median(values),
                    "low": min(values),
                    "high": max(values),
                })  # fmt: skip
    return ratios


def _rows_of(rows: list[dict], server: str, connections: int) -> list[dict]:
    return [row for row in rows if (row["server"], row["connections"]) == (server, connections)]


def print_tables(summary: list[dict], ratios: list[dict]) -> None:
    heads = "".join(f"{head:>25}" for head in ("requests/s", "p50 ms", "p99 ms"))
    print(f"{'connections':>11}  {'server':<14}{heads}  errors")
    for row in summary:
        cells = ""
        for column, digits in COLUMNS.items():
            values = (row[name] for name in (column, f"{column}_low", f"{column}_high"))
            median, low, high = (f"{value:.{digits}f}" for value in values)
            cells += f"{f'{median} ({low}–{high})':>25}"
        print(f"{row['connections']:>11}  {row['server']:<14}{cells}  {row['errors']:>6}")
    print(f"\n{'connections':>11}  requests a second of one over another's, median (range)")
    for row in ratios:
        spread = f"{row['median']:.2f} ({row['low']:.2f}–{row['high']:.2f})"
        print(f"{row['connections']:>11}  {row['ratio']:<31}{spread}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["cifar10-lite"])
    parser.add_argument("--seconds", type=int, default=5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="of each server")
    parser.add_argument(
        "--threads", type=int, default=512, help="of each Granian worker, as Imagette has them"
    )
    parser.add_argument(
        "--serving-environment",
        type=Path,
        default=HERE.parent / ".venv-serving",
        help="virtual environment with LitServe and BentoML, made if missing",
    )
    parser.add_argument("--only", nargs="+", metavar="SERVER", help="leave the others out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    require_wrk()
    stop_at_signals()
    info = machine() | {"model": options.model.name}
    programs = serving_environment(options.serving_environment.absolute())
    taking_part = contenders(options.model.resolve(), options.workers, options.threads, programs)
    if options.only:
        taking_part = [one for one in taking_part if one.name in options.only]
    rows = measure(taking_part, options.seconds, options.rounds)
    summary, ratios = summarise(rows), compare(rows)
    write_csv(options.out / "load.csv", rows)
    write_csv(options.out / "summary.csv", summary)
    if ratios:
        write_csv(options.out / "ratios.csv", ratios)
    write_json(options.out / "machine.json", info)
    print_tables(summary, ratios)


if __name__ == "__main__":
    main()
