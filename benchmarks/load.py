"""Requests a second and latency of `POST /predict`, beside a bare endpoint of the same model.

    python benchmarks/load.py [--model BUNDLE] [--seconds 10] [--repetitions 5]

Sends a 32×32 PNG with `wrk` (https://github.com/wg/wrk) at 1 and at 16 connections to two servers
on this machine: Imagette's, and the shortest Flask application on Granian that reads a picture
and runs the same bundle, with as many workers. The two take turns, so that both meet the same
machine; the figures are the median and the range over the repetitions. `wrk` runs on the same
cores as the servers. Prints a table and writes results/load.csv.
"""

import argparse
import csv
import http.client
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from PIL import Image

from imagette.inference.bundle import SHIPPED

RESULTS = Path(__file__).parent / "results" / "load.csv"
CONNECTIONS = (1, 16)

IMAGETTE = """
import sys
from imagette.serving.server import serve
from imagette.serving.settings import Settings
serve(Settings(), port=int(sys.argv[1]))
"""

BARE = """
import io, os
import numpy as np, onnxruntime
from flask import Flask, request
from PIL import Image
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["IMAGETTE_MODEL"], options)
name = session.get_inputs()[0].name
app = Flask(__name__)
@app.post("/predict")
def predict():
    image = Image.open(io.BytesIO(request.get_data())).convert("RGB").resize((32, 32))
    probabilities = session.run(["probabilities"], {name: np.asarray(image)[np.newaxis]})[0][0]
    return {"prediction": int(probabilities.argmax()), "probabilities": probabilities.tolist()}
"""

# wrk's own summary is rounded for reading; this gives the numbers.
SCRIPT = """
local file = io.open(os.getenv("PICTURE"), "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "image/png"
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def running(command: list[str], port: int, environment: dict[str, str], cwd: str) -> Iterator[str]:
    """Run a server in a process of its own; give the address of its `/predict`."""
    process = subprocess.Popen(
        command, env=os.environ | environment, cwd=cwd, stdout=subprocess.DEVNULL
    )
    try:
        while not answers(port):
            if process.poll() is not None:
                sys.exit(f"The server stopped at once: {' '.join(command)}")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/predict"
    finally:
        process.terminate()
        process.wait()


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        connection.getresponse()
        return True
    except OSError:
        return False
    finally:
        connection.close()


def load(url: str, connections: int, seconds: int, folder: Path) -> dict[str, float]:
    """What wrk measures in some seconds."""
    output = subprocess.run(
        [*f"wrk -t1 -c{connections} -d{seconds}s --latency -s".split(), folder / "post.lua", url],
        env=os.environ | {"PICTURE": str(folder / "picture.png")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    measured = json.loads(output.strip().splitlines()[-1])
    if measured["errors"]:
        sys.exit(f"{url} answered {measured['errors']} requests with an error")
    return {
        "requests_per_second": measured["requests"] / measured["seconds"],
        "p50_ms": measured["p50_ms"],
        "p99_ms": measured["p99_ms"],
    }


def measure(model: Path, workers: int, seconds: int, repetitions: int) -> list[dict]:
    """A row for each server, number of connections and repetition."""
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "post.lua").write_text(SCRIPT)
        (folder / "bare.py").write_text(BARE)
        Image.effect_noise((32, 32), 60).convert("RGB").save(folder / "picture.png")
        environment = {"IMAGETTE_MODEL": str(model), "IMAGETTE_WORKERS": str(workers)}
        imagette_port, bare_port = free_port(), free_port()
        granian = ["-m", "granian", "--interface", "wsgi", "--log-level", "error", "bare:app"]
        granian += ["--workers", str(workers), "--port", str(bare_port)]
        commands = {
            "imagette": ([sys.executable, "-c", IMAGETTE, str(imagette_port)], imagette_port),
            "bare": ([sys.executable, *granian], bare_port),
        }
        urls = {
            name: stack.enter_context(running(command, port, environment, str(folder)))
            for name, (command, port) in commands.items()
        }
        for url in urls.values():
            load(url, max(CONNECTIONS), 2, folder)  # warm every worker
        for repetition in range(repetitions):
            for connections in CONNECTIONS:
                for name, url in urls.items():
                    figures = load(url, connections, seconds, folder)
                    row = {"server": name, "connections": connections, "repetition": repetition}
                    rows.append(row | figures)
                    print(f"{row} {figures['requests_per_second']:.0f}/s", file=sys.stderr)
    return rows


def print_table(rows: list[dict], model: Path, workers: int) -> None:
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" {workers} workers, {model.name} ({model.stat().st_size / 1e6:.1f} MB)"
    )
    print(f"{'connections':>11}  {'server':<9}{'requests/s':>20}{'p50 ms':>20}{'p99 ms':>20}")
    for connections in CONNECTIONS:
        medians = {}
        for server in ("imagette", "bare"):
            of_server = [
                row for row in rows if (row["server"], row["connections"]) == (server, connections)
            ]
            cells = ""
            for column, digits in (("requests_per_second", 0), ("p50_ms", 2), ("p99_ms", 2)):
                values = [row[column] for row in of_server]
                median = statistics.median(values)
                medians[server, column] = median
                spread = f"({min(values):.{digits}f}–{max(values):.{digits}f})"
                cells += f"{f'{median:.{digits}f} {spread}':>20}"
            print(f"{connections:>11}  {server:<9}{cells}")
        speed = "requests_per_second"
        ratio = medians["imagette", speed] / medians["bare", speed]
        print(f"{'':>11}  imagette / bare: {ratio:.2f} times the requests a second")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["lite"])
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed (`apt install wrk`, `brew install wrk`).")
    model = options.model.resolve()
    rows = measure(model, options.workers, options.seconds, options.repetitions)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print_table(rows, model, options.workers)


if __name__ == "__main__":
    main()
