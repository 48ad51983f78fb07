"""Hostile requests to a running server."""

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import psutil
from shared.servers import Post, imagette, running, small_picture, workers

from hostile_inputs import requests as inputs
from hostile_inputs.report import TIMEOUT, Report, check_answer, generate

STALLED = 100
"""How many slow clients there are at a time."""


@dataclass(frozen=True)
class Server:
    """`imagette serve`, as a user would start it: its port, and the processes that answer."""

    port: int
    workers: list[psutil.Process]

    def memory(self) -> int:
        """Resident bytes of the largest process; raises `NoSuchProcess` if one has died."""
        return max(process.memory_info().rss for process in self.workers)


@contextlib.contextmanager
def serve(port: int, log: Path) -> Iterator[Server]:
    """Run the server until the block ends."""
    variables = {"IMAGETTE_WORKERS": "1", "IMAGETTE_MODEL": "cifar10-lite"}
    url, post = f"http://127.0.0.1:{port}/predict", Post.raw(small_picture())
    with running(imagette(port), url, post, log, variables) as process:
        yield Server(port, workers(process))


class Client:
    """Keeps one connection to the server, and opens another where the server has closed it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: socket.socket | None = None

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT)

    def ask(self, request: bytes, method: str) -> str:
        fresh = self.connection is None
        self.connection = self.connection or self.connect()
        try:
            return self._ask(self.connection, request, method)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if fresh:
                raise
            return self.ask(request, method)  # it was closed after the answer before
        except Exception:
            self.close()
            raise

    def _ask(self, connection: socket.socket, request: bytes, method: str) -> str:
        # A server may answer and close before it has read everything.
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
        response = http.client.HTTPResponse(connection, method=method)
        response.begin()
        body = response.read()
        if response.will_close:
            self.close()
        return check_answer(response.status, response.headers.get("Content-Type", ""), body, method)

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None


def requests(report: Report, seed: int, server: Server) -> None:
    client = Client(server.port)

    def check(request: inputs.HostileRequest) -> None:
        content = request.to_bytes()
        report.run(request.kind, content, "request", lambda: client.ask(content, request.method))
        if report.count % 50 == 0:
            report.note_memory(server.memory())

    generate(inputs.REQUESTS, report.total, seed, check)
    client.close()
    time.sleep(1)
    report.note_memory(server.memory())


def malformed(report: Report, seed: int, server: Server) -> None:
    for number in range(report.total):
        kind, content = inputs.malformed(Random(f"{seed} {number}"))
        report.run(kind, content, "request", partial(send_bytes, server.port, content))
        if number % 50 == 0:
            report.note_memory(server.memory())


def send_bytes(port: int, content: bytes) -> str:
    """Send bytes and no more; the outcome of all that the server has to say to them."""
    with Client(port).connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(content)
            with contextlib.suppress(OSError):  # the server may have hung up already
                connection.shutdown(socket.SHUT_WR)
        outcome = "closed"
        with contextlib.suppress(ConnectionError):
            while True:
                response = http.client.HTTPResponse(connection)
                try:
                    response.begin()
                    body = response.read()
                except (http.client.BadStatusLine, http.client.IncompleteRead):
                    break
                kind = response.headers.get("Content-Type", "")
                outcome = check_answer(response.status, kind, body)
                if response.will_close or not connection.recv(1, socket.MSG_PEEK):
                    break
        return outcome


def slow_clients(report: Report, seed: int, server: Server) -> None:
    """Some stalled connections at a time, while a client that does not stall asks."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ways = (
        ("nothing", b""),
        ("half a head", head),
        ("no body", head + b"Content-Length: 5000\r\n\r\n"),
        ("half a body", head + b"Content-Length: 5000\r\n\r\n" + bytes(2500)),
        ("half a chunk", head + b"Transfer-Encoding: chunked\r\n\r\n1000\r\nabc"),
        ("byte by byte", b""),
    )
    while report.count < report.total:
        with contextlib.ExitStack() as stack:
            connections = []
            for number in range(min(STALLED, report.total - report.count)):
                way, content = ways[number % len(ways)]
                connection = stack.enter_context(Client(server.port).connect())
                connection.sendall(content)
                connections.append((way, connection))
            for index, (way, connection) in enumerate(connections):
                if way == "byte by byte":
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(head[index % len(head) :][:1])
                client = Client(server.port)
                report.run(way, asked, "request", partial(client.ask, asked, "GET"))
                client.close()
        report.note_memory(server.memory())


OVER_HTTP = {"requests": requests, "malformed": malformed, "slow clients": slow_clients}
