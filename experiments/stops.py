"""What a stop costs: requests that are lost, and how long it takes; and signals that come at once.

    python experiments/stops.py [--stops 50] [--connections 16 64] [--pairs 50] [--model BUNDLE]

One Imagette with everything switched on, its page every tenth time, answers 32×32 PNGs over
connections that are kept open, until SIGTERM comes. Beside them one client sends its body a little
at a time, two have left off in the middle of theirs, and three connections wait for nothing. A
request is lost when it was sent and its answer did not come whole; connections that can no longer
be opened are none. Then servers get SIGHUP and SIGTERM, one right after the other.

The aim: no request lost, each stop in less than 8 s, and no signal lost. Writes
results/load/stops.csv and stops-machine.json; ends with an error where the aim is missed. For Linux
and macOS.
"""

import argparse
import asyncio
import os
import random
import signal
import socket
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
from shared.servers import (
    RESULTS,
    Post,
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

MOST_SECONDS = 8
PAGE_EVERY = 10


def as_bytes(post: Post) -> bytes:
    """A request as it goes over the wire."""
    heads = {"Host": "localhost", "Content-Length": str(len(post.body))} | dict(post.headers)
    lines = "".join(f"{name}: {value}\r\n" for name, value in heads.items())
    return f"POST /predict HTTP/1.1\r\n{lines}\r\n".encode() + post.body


class Load:
    """Clients that ask without a pause, each over a connection of its own.

    Attributes:
        answered: requests whose answer came whole.
        lost: what happened to each of the others.
    """

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self.answered, self.lost = 0, list[str]()

    async def run(self, connections: int) -> None:
        """Ask until nobody answers any more."""
        await asyncio.gather(*(self._keep_asking() for _ in range(connections)))

    async def _keep_asking(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                return
            with suppress(ConnectionError):
                await self._ask_on(reader, writer)
            writer.close()

    async def _ask_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        goes_on, asked = True, 0
        while goes_on:
            asked += 1
            try:
                writer.write(self._request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                await reader.readexactly(length)
            except (OSError, asyncio.IncompleteReadError) as error:
                self.lost.append(f"{type(error).__name__} at request {asked} of its connection")
                return
            if not head.startswith(b"http/1.1 200"):
                self.lost.append(head[:30].decode())
            self.answered += 1
            goes_on = b"\r\nconnection: close" not in head


class Bystanders:
    """Connections that are slow, that stall, and that wait for nothing."""

    def __init__(self, port: int, request: bytes) -> None:
        self._sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
        for one in self._sockets[:2]:
            one.sendall(request[:-20])

    async def send_slowly(self, port: int, request: bytes) -> str:
        """Send a request's body in twenty parts over a second; give the answer's first line."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        part = len(request) // 20 + 1
        for start in range(0, len(request), part):
            writer.write(request[start : start + part])
            await asyncio.sleep(0.05)
        line = await reader.readline()
        writer.close()
        return line.decode()

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def stop_under_load(options: argparse.Namespace, connections: int, page: bool) -> dict:
    """Start a server, stop it under load; give a row of what that cost."""
    port = free_port()
    command = imagette(port) + (["--ui", "--ui-port", str(free_port())] if page else [])
    post = Post.raw(small_picture())
    request = as_bytes(post)
    environment = imagette_environment(options.model, options.workers)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url, log = f"http://127.0.0.1:{port}/predict", folder / "log"
        server = stack.enter_context(running(command, url, post, log, environment))
        wait_for_ready(log)
        bystanders = Bystanders(port, request)
        load = Load(port, request)

        async def run() -> tuple[float, str]:
            asking = asyncio.create_task(load.run(connections))
            await asyncio.sleep(0.5 + random.random())
            slow = asyncio.create_task(bystanders.send_slowly(port, request))
            await asyncio.sleep(0.2)
            started = time.monotonic()
            server.send_signal(signal.SIGTERM)
            await asyncio.to_thread(server.wait, 60)
            seconds = time.monotonic() - started
            await asking
            return seconds, await slow

        seconds, slow = asyncio.run(run())
        bystanders.close()
        if not slow.startswith("HTTP/1.1 200"):
            load.lost.append(f"the slow one: {slow}")
        for reason in load.lost:
            say(f"lost: {reason}")
    return {"connections": connections, "page": page, "answered": load.answered,
            "lost": len(load.lost), "seconds": seconds}  # fmt: skip


def wait_for_ready(log: Path) -> None:
    while "Press Ctrl-C" not in log.read_text(errors="replace"):
        time.sleep(0.05)


def send_pair(options: argparse.Namespace) -> dict:
    """Send SIGHUP and SIGTERM at once; give a row of whether the server stopped."""
    port, post = free_port(), Post.raw(small_picture())
    environment = imagette_environment(options.model, options.workers)
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        url = f"http://127.0.0.1:{port}/predict"
        with running(imagette(port), url, post, log, environment) as server:
            wait_for_ready(log)
            started = time.monotonic()
            os.kill(server.pid, signal.SIGHUP)
            os.kill(server.pid, signal.SIGTERM)
            try:
                lost = int(server.wait(20) != 0)
            except psutil.TimeoutExpired:
                lost = 1
            seconds = time.monotonic() - started
    return {"connections": 0, "page": False, "answered": 0, "lost": lost, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["cifar10-lite"])
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--connections", type=int, nargs="*", default=[16, 64])
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    stop_at_signals()
    found, rows = machine(), []
    for connections in options.connections:
        for number in range(options.stops):
            rows.append(stop_under_load(options, connections, number % PAGE_EVERY == 0))
            say(str(rows[-1]))
    for _ in range(options.pairs):
        rows.append(send_pair(options))
        say(str(rows[-1]))
    options.out.mkdir(parents=True, exist_ok=True)
    write_csv(options.out / "stops.csv", rows)
    write_json(options.out / "stops-machine.json", found)
    for connections in [*options.connections, 0]:
        of = [row for row in rows if row["connections"] == connections]
        if of:
            what = f"stops at {connections} connections" if connections else "pairs of signals"
            lost, most = sum(row["lost"] for row in of), max(row["seconds"] for row in of)
            answered = sum(row["answered"] for row in of)
            print(f"{len(of)} {what}: {answered} answered, {lost} lost, {most:.1f} s at most")
    if any(row["lost"] or row["seconds"] >= MOST_SECONDS for row in rows):
        sys.exit("The aim is missed.")


if __name__ == "__main__":
    main()
