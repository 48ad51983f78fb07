"""What connections cost that wait for nothing, and those that left off in the middle of a body.

    python experiments/idle_connections.py [--idle 0 1000 3000] [--stalled 400] [--model BUNDLE]

One Imagette with everything switched on has some connections open on which nothing comes, half of
them after a request that it answered. Beside them other clients ask `/healthz`, each over a
connection of its own, and their requests are timed; so is what the processes take of memory. Then
some send a part of a body and no more, and it is timed how long each is borne.

The aim: nobody is refused or has to wait because of either, and each stalled body is ended. Writes
results/load/idle.csv and idle-machine.json; ends with an error where the aim is missed. For Linux.
"""

import argparse
import http.client
import os
import resource
import selectors
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import cast

import numpy as np
import psutil
from shared.servers import (
    RESULTS,
    Post,
    descendants,
    free_port,
    imagette,
    imagette_environment,
    machine,
    running,
    say,
    small_picture,
    stop_at_signals,
)

from imagette.files import write_csv, write_json
from imagette.inference.bundle import SHIPPED

MOST_MS = 1000
BODY_SECONDS, MAX_SECONDS = 5, 5
"""Settings of the second part, shorter than by default."""


def ask_health(port: int) -> float:
    """Milliseconds of a request over a new connection."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/healthz")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        sys.exit(f"/healthz answered {status}.")
    return (time.perf_counter() - started) * 1000


def connect(port: int, ask: bool) -> socket.socket:
    """A connection; asked once and answered, if wanted."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    if ask:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        response = http.client.HTTPResponse(connection)
        response.begin()
        response.read()
    return connection


def measure_idle(server: psutil.Process, port: int, count: int, requests: int) -> dict:
    """Ask `/healthz` beside idle connections; give a row of what came of it."""
    idle = [connect(port, ask=bool(number % 2)) for number in range(count)]
    milliseconds = [ask_health(port) for _ in range(requests)]
    family = [server, *descendants(server)]
    megabytes = sum(one.memory_info().rss for one in family) / 1e6
    for one in idle:
        one.close()
    p50, p99 = np.percentile(milliseconds, (50, 99))
    row = {"idle": count, "stalled": 0, "requests": requests, "p50_ms": p50, "p99_ms": p99}
    return row | {"most_ms": max(milliseconds), "megabytes": megabytes, "most_seconds": 0.0}


def measure_stalled(server: psutil.Process, port: int, post: Post, count: int) -> dict:
    """See how long bodies are borne that stall; give a row."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in post.headers.items())
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: 100000\r\n\r\n".encode()
    selector, started = selectors.DefaultSelector(), time.monotonic()
    for _ in range(count):
        one = connect(port, ask=False)
        one.sendall(head + post.body)
        selector.register(one, selectors.EVENT_READ)
    milliseconds, ended = [], 0
    while selector.get_map() and time.monotonic() - started < 60:
        milliseconds.append(ask_health(port))
        for key, _ in selector.select(0.1):
            one = cast(socket.socket, key.fileobj)
            # 408 when its time is up, or 503 at once, where a client has all that it may have.
            ended += one.recv(65536).startswith((b"HTTP/1.1 408", b"HTTP/1.1 503"))
            selector.unregister(one)
            one.close()
    seconds = time.monotonic() - started
    if ended < count:
        say(f"{count - ended} of {count} were not ended by 408 or 503.")
        seconds = float("inf")
    family = [server, *descendants(server)]
    p50, p99 = np.percentile(milliseconds, (50, 99))
    row = {"idle": 0, "stalled": count, "requests": len(milliseconds), "p50_ms": p50}
    row |= {"p99_ms": p99, "most_ms": max(milliseconds)}
    megabytes = sum(one.memory_info().rss for one in family) / 1e6
    return row | {"megabytes": megabytes, "most_seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["cifar10-lite"])
    parser.add_argument("--idle", type=int, nargs="*", default=[0, 1000, 3000])
    parser.add_argument("--stalled", type=int, default=400)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    stop_at_signals()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found, rows, post = machine(), [], Post.raw(small_picture())
    limits = {"BODY_SECONDS": str(BODY_SECONDS), "MAX_SECONDS": str(MAX_SECONDS)}
    environment = imagette_environment(options.model, options.workers)
    environment |= {f"IMAGETTE_{name}": value for name, value in limits.items()}
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log, url = Path(folder) / "log", f"http://127.0.0.1:{port}/predict"
        with running(imagette(port), url, post, log, environment) as server:
            time.sleep(3)  # the other workers come up meanwhile
            for count in options.idle:
                rows.append(measure_idle(server, port, count, options.requests))
                say(str(rows[-1]))
            rows.append(measure_stalled(server, port, post, options.stalled))
            say(str(rows[-1]))
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(options.out / "idle.csv", rows)
    write_json(options.out / "idle-machine.json", found)
    for row in rows:
        print(
            f"{row['idle']:>5} idle {row['stalled']:>4} stalled: p50 {row['p50_ms']:.1f} ms,"
            f" p99 {row['p99_ms']:.1f}, most {row['most_ms']:.1f}; {row['megabytes']:.0f} MB;"
            f" the last was ended after {row['most_seconds']:.0f} s"
        )
    if any(row["most_ms"] > MOST_MS or row["most_seconds"] > 60 for row in rows):
        sys.exit("The aim is missed.")


if __name__ == "__main__":
    main()
