"""Whether a server holds: errors and memory over many requests, and large pictures among small.

    python experiments/soak.py [--requests 200000] [--model BUNDLE]

One Imagette with everything switched on answers 32×32 PNGs, which `wrk` sends over 4 connections
that stay open. After the first 1,000 requests and every few seconds from then on the resident
memory of all of its processes is read. The aim: no error, and memory that ends within 5 % of where
it was after the first 1,000. Then a JPEG of 12 megapixels is sent 30 times over one connection, and
small pictures are sent while another client sends large ones without a pause: to the worker that
decodes those, and to another. Writes results/load/soak.csv, large.csv and soak-machine.json; ends
with an error where the aim is missed.
"""

import argparse
import http.client
import io
import os
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from threading import Event

import numpy as np
import psutil
from PIL import Image
from shared.beside import beside
from shared.servers import (
    RESULTS,
    Post,
    accepted,
    client_port,
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
    workers,
    wrk,
)

from imagette.files import write_csv, write_json
from imagette.inference.bundle import SHIPPED

FIRST, CONNECTIONS, GROWTH = 1_000, 4, 0.05
LARGE, REPEATED = (4000, 3000), 30


def large_picture() -> bytes:
    """A JPEG of 12 megapixels, quality 90: smooth noise at several scales, as photographs have."""
    width, height = LARGE
    generator = np.random.default_rng(0)
    pixels = np.full((height, width, 3), 128, np.float32)
    for cells, strength in ((4, 60), (16, 30), (64, 20), (256, 10), (1024, 6), (4000, 4)):
        noise = generator.normal(0, strength, (cells * 3 // 4, cells, 3)).astype(np.float32)
        for channel in range(3):
            plane = Image.fromarray(noise[..., channel])
            pixels[..., channel] += np.asarray(plane.resize(LARGE, Image.Resampling.BICUBIC))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def soak(
    server: psutil.Process, url: str, post: Post, total: int, seconds: int, folder: Path
) -> list[dict]:
    """Send requests until there were `total`; a reading after each part.

    Returns:
        Rows of `requests` and `errors` so far, `megabytes` of all processes, `processes`, and
        `requests_per_second` of the part.
    """
    readings: list[dict] = []
    sent = errors = 0.0
    while sent < total:
        part = seconds if sent >= FIRST else 1
        figures = wrk(url, post, CONNECTIONS, part, folder)
        sent, errors = sent + figures["requests"], errors + figures["errors"]
        if sent < FIRST:
            continue
        family = [server, *descendants(server)]
        readings.append({
            "requests": sent,
            "errors": errors,
            "megabytes": sum(one.memory_info().rss for one in family) / 1e6,
            "processes": len(family),
            "requests_per_second": figures["requests_per_second"],
        })  # fmt: skip
        say(f"{sent} requests, {errors} errors, {readings[-1]['megabytes']:.1f} MB")
    return readings


def ask(connection: http.client.HTTPConnection, post: Post) -> float:
    """Send a request; give the milliseconds until its answer was there."""
    started = time.perf_counter()
    connection.request("POST", "/predict", post.body, dict(post.headers))
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        sys.exit(f"The server answered {response.status}: {answer[:500].decode()}")
    return (time.perf_counter() - started) * 1000


def open_connection(port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    return connection


def ask_beside_large(
    server: psutil.Process, port: int, small: Post, large: Post, seconds: float
) -> dict[str, list[float]]:
    """Latencies (ms) of small pictures, by which worker got them, while large ones are decoded."""
    busy = open_connection(port)
    ask(busy, large)

    def keep_busy(done: Event) -> None:
        while not done.is_set():
            ask(busy, large)

    connections = [open_connection(port) for _ in range(8)]
    for connection in connections:
        ask(connection, small)
    of_worker = [accepted(worker, port) for worker in workers(server)]
    neighbours = next(ports for ports in of_worker if client_port(busy) in ports)
    latencies: dict[str, list[float]] = defaultdict(list)
    end = time.perf_counter() + seconds
    with beside(keep_busy):
        while time.perf_counter() < end:
            for connection in connections:
                same = client_port(connection) in neighbours
                place = "small, same worker" if same else "small, another worker"
                latencies[f"{place} as large ones"].append(ask(connection, small))
    for connection in (busy, *connections):
        connection.close()
    return latencies


def measure_large(server: psutil.Process, port: int, small: Post, seconds: float) -> list[dict]:
    """Rows of `what`, `count`, `p50_ms`, `p99_ms` and `most_ms`."""
    content = large_picture()
    say(f"The large picture has {len(content) / 1e6:.1f} MB.")
    large = Post.raw(content, "jpeg")
    latencies = {}
    for what, post, count in (("large", large, REPEATED), ("small", small, 500)):
        connection = open_connection(port)
        for _ in range(3):
            ask(connection, post)
        latencies[f"{what}, alone"] = [ask(connection, post) for _ in range(count)]
        connection.close()
    latencies |= ask_beside_large(server, port, small, large, seconds)
    rows = []
    for what, values in latencies.items():
        p50, p99 = np.percentile(values, (50, 99))
        row = {"what": what, "count": len(values), "p50_ms": p50, "p99_ms": p99}
        rows.append(row | {"most_ms": max(values)})
    return rows


def print_tables(readings: list[dict], rows: list[dict]) -> None:
    print(f"{'requests':>9}{'errors':>8}{'MB':>9}{'processes':>11}{'requests/s':>12}")
    for one in readings:
        print(
            f"{one['requests']:>9}{one['errors']:>8}{one['megabytes']:>9.1f}"
            f"{one['processes']:>11}{one['requests_per_second']:>12.0f}"
        )
    print(f"\n{'latency of':<38}{'count':>6}{'p50 ms':>9}{'p99 ms':>9}{'most ms':>9}")
    for row in rows:
        figures = "".join(f"{row[name]:>9.1f}" for name in ("p50_ms", "p99_ms", "most_ms"))
        print(f"{row['what']:<38}{row['count']:>6}{figures}")


def verdict(readings: list[dict]) -> str:
    """What is wrong; empty if nothing."""
    growth = readings[-1]["megabytes"] / readings[0]["megabytes"] - 1
    errors = readings[-1]["errors"]
    print(f"\nMemory: {growth:+.1%} since the first {FIRST} requests; {errors} errors.")
    return "The aim is missed." if abs(growth) > GROWTH or errors else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["cifar10-lite"])
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=10, help="between readings of the memory")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    require_wrk()
    stop_at_signals()
    info = machine() | {"model": options.model.name}
    port, small = free_port(), Post.raw(small_picture())
    url = f"http://127.0.0.1:{port}/predict"
    environment = imagette_environment(options.model.resolve(), options.workers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running(imagette(port), url, small, folder / "log", environment) as server:
            readings = soak(server, url, small, options.requests, options.seconds, folder)
            rows = measure_large(server, port, small, options.seconds)
    write_csv(options.out / "soak.csv", readings)
    write_csv(options.out / "large.csv", rows)
    write_json(options.out / "soak-machine.json", info)
    print_tables(readings, rows)
    sys.exit(verdict(readings) or None)


if __name__ == "__main__":
    main()
