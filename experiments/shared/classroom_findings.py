"""What thirty phones measure together, and what page and API take meanwhile."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock

import psutil

from shared.servers import descendants

STEPS = ("open", "begin", "upload of a class", "open camera", "answer", "answer in Chromium")


@dataclass(frozen=True)
class Taken:
    """What page and API have taken by some time: memory in bytes, and seconds of a processor."""

    time: float
    memory: dict[str, int]
    seconds: dict[str, float]


class Findings:
    """What all phones measure, in seconds by step, and what went wrong."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.troubles: dict[str, int] = defaultdict(int)
        self.taken: list[Taken] = []
        self.cameras_began = 0.0
        self._lock = Lock()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a step; what goes wrong in it is counted, and raised."""
        start = time.perf_counter()
        try:
            yield
        except Exception as trouble:
            self.note(f"{name}: {type(trouble).__name__}: {trouble}")
            raise
        self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        with self._lock:
            self.seconds[name].append(round(seconds, 3))

    def note(self, trouble: str) -> None:
        """Count something that went wrong."""
        with self._lock:
            self.troubles[trouble] += 1

    def most_memory(self) -> dict[str, int]:
        """The most that page and API took at any time, each by itself."""
        return {name: max(one.memory[name] for one in self.taken) for name in ("page", "API")}

    def computing(self) -> dict[str, float]:
        """Seconds of a processor that each live answer took, in the page and in the API."""
        answers = len(self.seconds["answer"]) + len(self.seconds["answer in Chromium"])
        live = [one for one in self.taken if one.time > self.cameras_began]
        return {
            name: round((live[-1].seconds[name] - live[0].seconds[name]) / max(1, answers), 4)
            for name in ("page", "API")
        }

    def summary(self) -> dict[str, dict[str, float]]:
        """Of each step, how many there were and what they took."""
        found = {}
        for name in STEPS:
            if measured := self.seconds.get(name):
                cuts = statistics.quantiles([*measured, max(measured)], n=100, method="inclusive")
                found[name] = {
                    "count": len(measured), "median": round(cuts[49], 3), "p95": round(cuts[94], 3),
                    "p99": round(cuts[98], 3), "slowest": max(measured),
                }  # fmt: skip
        return found


def watch(server: psutil.Process, findings: Findings, done: Event) -> None:
    """Note twice a second what the page takes, and all processes of the API together."""
    while not done.wait(0.5):
        memory, seconds = {"page": 0, "API": 0}, {"page": 0.0, "API": 0.0}
        for one in (server, *descendants(server)):
            try:
                name = "page" if "imagette.webapp.server" in one.cmdline() else "API"
                memory[name] += one.memory_full_info().uss
                seconds[name] += sum(one.cpu_times()[:2])
            except psutil.Error:
                continue
        findings.taken.append(Taken(time.monotonic(), memory, seconds))
