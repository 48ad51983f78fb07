"""What a killed worker costs: which requests fail, and how soon another one answers.

    python benchmarks/kill_worker.py [--every 10] [--kills 6] [--model BUNDLE]

One Imagette with everything switched on answers 32×32 PNGs over 16 connections that are kept open
for 100 requests each. Every 10 seconds the worker that has most of them is killed (SIGKILL). Each
connection knows which worker serves it: the one that holds the other end of its socket. The aim:
only requests on connections of the killed worker fail, those that wait in its queue to be accepted
included, and a new worker answers within a second of the kill. Prints a row a kill, writes
results/load/kill_worker.csv and kill_worker-machine.json; ends with an error where the aim is
missed.
"""

import argparse
import http.client
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock, Thread

import psutil
from servers import (
    RESULTS,
    Post,
    free_port,
    imagette,
    imagette_environment,
    listeners,
    machine,
    owners,
    running,
    say,
    small_picture,
    stop_at_signals,
)

from imagette.files import write_csv, write_json
from imagette.inference.bundle import SHIPPED

CONNECTIONS, REQUESTS = 16, 100
AIM = 1.0
"""Seconds until a new worker answers."""

QUEUED = 0
"""Stands for the worker of a connection that none has accepted."""


@dataclass(frozen=True)
class Failure:
    """A request without a good answer: when, on a connection of which worker, and what happened."""

    moment: float
    worker: int
    reason: str


class Clients:
    """Connections that send the same request again and again until told to stop."""

    def __init__(self, server: psutil.Process, port: int, post: Post) -> None:
        self._server, self._port, self._post = server, port, post
        self._done, self._lock = Event(), Lock()
        self._threads = [Thread(target=self._keep_asking) for _ in range(CONNECTIONS)]
        self.answered: Counter[int] = Counter()
        self.failures: list[Failure] = []
        self.serving: Counter[int] = Counter()

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _keep_asking(self) -> None:
        while not self._done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
            worker = QUEUED
            try:
                connection.connect()
                worker = worker_of(connection, self._server, self._port)
                self._count(self.serving, worker, 1)
                for _ in range(REQUESTS):
                    self._ask(connection)
                    self._count(self.answered, worker, 1)
                    if self._done.is_set():
                        break
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.failures.append(Failure(time.monotonic(), worker, repr(error)))
            finally:
                self._count(self.serving, worker, -1)
                connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/predict", self._post.body, dict(self._post.headers))
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise http.client.HTTPException(f"status {response.status}")

    def _count(self, counter: Counter[int], worker: int, number: int) -> None:
        with self._lock:
            counter[worker] += number


def worker_of(connection: http.client.HTTPConnection, server: psutil.Process, port: int) -> int:
    """The process that serves a connection, once one has accepted it; QUEUED if none soon does."""
    end = time.monotonic() + 1
    while time.monotonic() < end:
        if worker := owners(server, port).get(connection.sock.getsockname()[1]):
            return worker
        time.sleep(0.005)
    return QUEUED


def seconds_until_back(server: psutil.Process, port: int, before: set[int], killed: float) -> float:
    """How long after the kill a worker that was not there before has answered; NaN if it does not.

    New connections go to any worker that listens, so they are opened until a new one has one.
    """
    while time.monotonic() < killed + 30:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            worker = owners(server, port).get(connection.sock.getsockname()[1], QUEUED)
            connection.getresponse().read()
            if worker and worker not in before:
                return time.monotonic() - killed
        except (OSError, http.client.HTTPException):
            pass  # the clients count failures; this one only looks for the new worker
        finally:
            connection.close()
        time.sleep(0.01)
    return float("nan")


def kill_one(server: psutil.Process, port: int, clients: Clients) -> dict:
    """Kill the busiest worker; say what it had, and how long until another one took its place."""
    before = listeners(server, port)
    victim = max(before, key=lambda pid: clients.serving[pid])
    had = clients.serving[victim]
    killed = time.monotonic()
    psutil.Process(victim).kill()
    back = seconds_until_back(server, port, before, killed)
    return {"worker": victim, "connections": had, "moment": killed, "seconds_until_back": back}


def assign(kills: list[dict], failures: list[Failure]) -> list[dict]:
    """The rows of the kills with what failed from each to the next."""
    rows = []
    for number, kill in enumerate(kills):
        following = kills[number + 1]["moment"] if number + 1 < len(kills) else float("inf")
        after = [one.worker for one in failures if kill["moment"] <= one.moment < following]
        rows.append({
            "kill": number + 1,
            "connections": kill["connections"],
            "failed_its_own": after.count(kill["worker"]),
            "failed_in_queue": after.count(QUEUED),
            "failed_of_others": len([one for one in after if one not in (kill["worker"], QUEUED)]),
            "seconds_until_back": kill["seconds_until_back"],
        })  # fmt: skip
    return rows


def measure(
    server: psutil.Process, port: int, post: Post, every: float, kills: int
) -> tuple[list[dict], Clients]:
    done = []
    with Clients(server, port, post) as clients:
        start = time.monotonic()
        for number in range(1, kills + 1):
            time.sleep(max(0, start + number * every - time.monotonic()))
            done.append(kill_one(server, port, clients))
            say(f"Kill {number}: back after {done[-1]['seconds_until_back']:.2f} s")
        time.sleep(every / 2)
    rows = assign(done, clients.failures)
    early = [one for one in clients.failures if one.moment < done[0]["moment"]]
    if early:
        sys.exit(f"{len(early)} requests failed before the first kill: {early[0].reason}")
    return rows, clients


def print_table(rows: list[dict], clients: Clients) -> None:
    heads = "its own", "its queue", "others", "back after"
    print(f"{'kill':>4}{'connections':>13}" + "".join(f"{head:>12}" for head in heads))
    for row in rows:
        print(
            f"{row['kill']:>4}{row['connections']:>13}{row['failed_its_own']:>12}"
            f"{row['failed_in_queue']:>12}{row['failed_of_others']:>12}"
            f"{row['seconds_until_back']:>10.2f} s"
        )
    answered, failed = sum(clients.answered.values()), len(clients.failures)
    print(f"\n{answered} requests were answered, {failed} failed:")
    for reason, count in Counter(one.reason for one in clients.failures).most_common():
        print(f"{count:>6}  {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, default=SHIPPED["lite"])
    parser.add_argument("--every", type=float, default=10, help="seconds from kill to kill")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    stop_at_signals()
    facts = machine() | {"command": sys.argv, "model": options.model.name}
    port, post = free_port(), Post.raw(small_picture())
    url = f"http://127.0.0.1:{port}/predict"
    environment = imagette_environment(options.model.resolve(), options.workers)
    with (
        tempfile.TemporaryDirectory() as folder,
        running(imagette(port), url, post, Path(folder) / "log", environment) as server,
    ):
        rows, clients = measure(server, port, post, options.every, options.kills)
    write_csv(options.out / "kill_worker.csv", rows)
    write_json(options.out / "kill_worker-machine.json", facts)
    print_table(rows, clients)
    # A comparison with NaN is false, so that a worker that never came back is a miss too.
    good = [not row["failed_of_others"] and row["seconds_until_back"] < AIM for row in rows]
    sys.exit(None if all(good) else "The aim is missed.")


if __name__ == "__main__":
    main()
