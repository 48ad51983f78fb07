"""Whether small files or large bodies end a server within the limits that `deploy/` ships.

    python experiments/memory_under_attack.py [--seconds 60] [--connections 64]
                                              [--only compose,heroku] [--bombs webp,png]

For Linux, as root: `imagette serve` runs in a control group of the kernel (version 1 or 2) that has
the memory limit of a deployment. Each bomb in turn is sent over 64 connections without a pause, and
beside them, over one connection each from other addresses, a 32×32 PNG and a JPEG of 12 megapixels.
The aim: no worker is killed, and these are answered. AWS Lambda gives a process one request at a
time; its limit is tried with the server all the same.

Prints a row for each deployment and bomb: workers that ended, answers to the bombs by status, good
requests answered and failed (with the slowest), and the group's memory at its peak and 5 s after,
without the pages of files; writes results/load/memory_under_attack.csv. Ends with 1 where the aim
is missed.
"""

import argparse
import http.client
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Event, Lock

import psutil
from PIL import Image
from shared.beside import beside
from shared.bombs import BODIES, BOMBS, bombs, flat, written
from shared.servers import (
    RESULTS,
    Post,
    free_port,
    imagette,
    machine,
    running,
    say,
    stop_at_signals,
)

from imagette.files import write_csv, write_json

GROUPS = Path("/sys/fs/cgroup")
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Deployment:
    """What `deploy/` says of a server: bytes of memory, workers, and the largest picture."""

    memory: int
    workers: int
    max_pixels: int = 50_000_000


DEPLOYMENTS = {
    "compose": Deployment(2048 * MEGABYTE, 2),
    "kubernetes": Deployment(2048 * MEGABYTE, 1),
    "heroku": Deployment(512 * MEGABYTE, 1, 16_000_000),
    "lambda": Deployment(1769 * MEGABYTE, 1),
}


@dataclass
class Load:
    """Connections that send requests in turn, and what they were answered."""

    port: int
    posts: list[Post]
    connections: int
    source: str = "127.0.0.1"
    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def works(self) -> list[Callable[[Event], None]]:
        """What each connection does until told that it is done."""
        return [partial(self._ask, number) for number in range(self.connections)]

    def told(self, without: str = "") -> str:
        """How many answers there were by status, without one of them."""
        found = sorted(self.answers.items())
        return " ".join(f"{status}:{count}" for status, count in found if status != without)

    def _ask(self, number: int, done: Event) -> None:
        while not done.is_set():
            post, started = self.posts[number % len(self.posts)], time.monotonic()
            answer, number = self._answer(post), number + 1
            with self._lock:
                self.answers[answer] += 1
                self.slowest = max(self.slowest, time.monotonic() - started)
            if not answer.isdigit():
                time.sleep(0.2)

    def _answer(self, post: Post) -> str:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=60, source_address=(self.source, 0)
        )
        try:
            is_chunked = "Transfer-Encoding" in post.headers
            connection.request(
                "POST", "/predict", post.body, dict(post.headers), encode_chunked=is_chunked
            )
            response = connection.getresponse()
            response.read()
            return str(response.status)
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()


class Group:
    """A control group of the kernel with a limit of memory.

    Args:
        name: of its folder.
        limit: in bytes.
    """

    def __init__(self, name: str, limit: int) -> None:
        self._is_old = (GROUPS / "memory").is_dir()
        self._folder = (GROUPS / "memory" if self._is_old else GROUPS) / name
        self._folder.mkdir(exist_ok=True)
        self._write("memory.limit_in_bytes" if self._is_old else "memory.max", limit)
        with suppress(OSError):  # no swap
            if self._is_old:
                self._write("memory.memsw.limit_in_bytes", limit)
            else:
                self._write("memory.swap.max", 0)

    def _write(self, name: str, value: int) -> None:
        (self._folder / name).write_text(str(value), encoding="ascii")

    def _read(self, name: str) -> dict[str, int]:
        text = (self._folder / name).read_text(encoding="ascii")
        return {key: int(value) for key, value in map(str.split, text.splitlines())}

    def run(self, command: list[str]) -> list[str]:
        """A command that runs another one in the group."""
        return ["sh", "-c", f'echo $$ > {self._folder}/cgroup.procs; exec "$@"', "sh", *command]

    def used(self) -> int:
        """Bytes that its processes hold, without the pages of files."""
        return self._read("memory.stat")["total_rss" if self._is_old else "anon"]

    def kills(self) -> int:
        """How many processes the kernel has killed because the limit was met."""
        return self._read("memory.oom_control" if self._is_old else "memory.events")["oom_kill"]

    def remove(self) -> None:
        for _ in range(50):
            with suppress(OSError):
                self._folder.rmdir()
                return
            time.sleep(0.1)


@contextmanager
def peak_of(group: Group) -> Iterator[list[int]]:
    """A list whose only number is the most memory that the group has held meanwhile."""
    peak = [0]

    def watch(done: Event) -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], group.used())

    with beside(watch):
        yield peak


def attack(
    server: psutil.Process, group: Group, port: int, posts: list[Post], options: argparse.Namespace
) -> dict:
    """Send a bomb for some seconds beside good requests."""
    tiny = Post(written(Image.effect_noise((32, 32), 60), "PNG"), {"Content-Type": "image/png"})
    photograph = Image.effect_noise((1000, 750), 60).convert("RGB").resize((4000, 3000))
    large = Post(written(photograph, "JPEG", quality=90), {"Content-Type": "image/jpeg"})
    before, kills = {one.pid for one in server.children()}, group.kills()
    bad = Load(port, posts, options.connections)
    small_load = Load(port, [tiny], 1, "127.0.0.2")
    large_load = Load(port, [large], 1, "127.0.0.3")
    with peak_of(group) as peak:
        with beside(*bad.works(), *small_load.works(), *large_load.works()):
            time.sleep(options.seconds)
        time.sleep(5)
    row = {
        "killed": group.kills() - kills,
        "new_workers": len({one.pid for one in server.children()} - before),
        "bombs": bad.told(),
    }
    for name, load in (("tiny", small_load), ("12_mp", large_load)):
        row |= {
            f"{name}_answered": load.answers["200"],
            f"{name}_failed": load.told("200"),
            f"{name}_slowest_s": round(load.slowest, 2),
        }
    return row | {"peak_mb": round(peak[0] / 1e6), "after_mb": round(group.used() / 1e6)}


def try_deployment(name: str, options: argparse.Namespace) -> Iterator[dict]:
    """A row for each bomb."""
    deployment, port = DEPLOYMENTS[name], free_port()
    group = Group(f"imagette-attack-{os.getpid()}", deployment.memory)
    environment = {
        "IMAGETTE_WORKERS": str(deployment.workers),
        "IMAGETTE_MAX_PIXELS": str(deployment.max_pixels),
    }
    tiny = Post(flat(32, "RGB", "PNG"), {"Content-Type": "image/png"})
    url = f"http://127.0.0.1:{port}/predict"
    try:
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "log"
            with running(group.run(imagette(port)), url, tiny, log, environment) as server:
                say(f"{name}: {group.used() / 1e6:.0f} MB at rest")
                for bomb, posts in bombs(options.bombs, deployment.max_pixels):
                    row = {"deployment": name, "bomb": bomb}
                    row |= attack(server, group, port, posts, options)
                    say("  ".join(f"{key}={value}" for key, value in row.items()))
                    yield row
            if (text := log.read_text(errors="replace")).strip():
                say(text[-2000:])
    finally:
        group.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = lambda text: text.split(",")  # noqa: E731
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--only", type=names, default=list(DEPLOYMENTS))
    parser.add_argument("--bombs", type=names, default=[*BOMBS, *BODIES])
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    stop_at_signals()
    rows = [row for name in options.only for row in try_deployment(name, options)]
    write_csv(options.out / "memory_under_attack.csv", rows)
    write_json(options.out / "memory_under_attack-machine.json", machine())
    failed = ("killed", "new_workers", "tiny_failed", "12_mp_failed")
    sys.exit(any(row[key] for row in rows for key in failed))


if __name__ == "__main__":
    main()
