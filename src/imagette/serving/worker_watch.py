"""Workers that end by themselves: each is started again, and the others go on.

Granian starts a worker again too, but ends all of them when one fails twice within seconds, as it
does where memory runs short.
"""

import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from granian.server import Server

from imagette.serving.metrics import count_worker_ends
from imagette.serving.worker import has_loaded
from imagette.terminal import tell

if TYPE_CHECKING:
    from prometheus_client import Counter

_PAUSES = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds until a worker is started again, by how often it ended in a row."""

_LONG_ENOUGH = 60.0
"""A worker that has lived for so many seconds was sound."""

_MOST_FAILED_STARTS = 3


@dataclass
class _Place:
    """What became of the worker that has one of the numbers.

    Attributes:
        ends: how often it ended in a row.
        failed_starts: how often in a row it ended before its model was loaded.
        due: when it is started again, by `time.monotonic`; None while it runs.
    """

    ends: int = 0
    failed_starts: int = 0
    due: float | None = None


@dataclass
class WorkerWatch:
    """Says when workers that have ended are started again, and counts them.

    Args:
        workers: how many there are.
        folder: where workers leave word that they have loaded their model.
    """

    workers: int
    folder: Path
    _places: dict[int, _Place] = field(default_factory=dict)
    _counter: "Counter | None" = None

    def ended(self, number: int, pid: int | None, status: int | None, lived: float) -> None:
        """Note that a worker has ended by itself.

        Args:
            number: its place among the workers, from 0.
            pid: its process; None where workers are threads.
            status: its exit status, or a signal's number below zero; None where workers are
                threads.
            lived: for how many seconds it ran.
        """
        place = self._places.setdefault(number, _Place())
        if lived >= _LONG_ENOUGH:
            place.ends = 0
        pause = _PAUSES[min(place.ends, len(_PAUSES) - 1)]
        place.ends += 1
        place.failed_starts = 0 if self._has_loaded(pid) else place.failed_starts + 1
        place.due = time.monotonic() + pause
        when = f"again in {pause:g} s" if pause else "again now"
        tell(f"Worker {number + 1} ended {describe_end(status)}. It starts {when}.")
        self._count_end("killed" if status == -_SIGKILL else "failed")

    def due(self) -> list[int]:
        """The places of workers that are to be started now; they count as started."""
        now = time.monotonic()
        found = [n for n, place in self._places.items() if place.due and place.due <= now]
        for number in found:
            self._places[number].due = None
        return found

    def seconds_until_due(self) -> float | None:
        """How long until the next is to be started; None if none is."""
        dues = [place.due for place in self._places.values() if place.due]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def has_failed(self, alive: Iterable[int | None]) -> bool:
        """Whether no worker has loaded its model, however often it was tried.

        Args:
            alive: the processes of all workers that run.
        """
        return all(
            self._places.get(number, _Place()).failed_starts >= _MOST_FAILED_STARTS
            for number in range(self.workers)
        ) and not any(self._has_loaded(pid) for pid in alive)

    def _has_loaded(self, pid: int | None) -> bool:
        return pid is not None and has_loaded(self.folder, pid).exists()

    def _count_end(self, reason: str) -> None:
        if self._counter is None:
            # Here because the package decides while it is imported whether it writes into files.
            from prometheus_client import CollectorRegistry

            self._counter = count_worker_ends(CollectorRegistry())
        self._counter.labels(reason).inc()


_SIGKILL = getattr(signal, "SIGKILL", 9)


def describe_end(status: int | None) -> str:
    """Why a process has ended, in words, by its exit status."""
    if status is None:
        return "for an unknown reason"
    if status == -_SIGKILL:
        return f"because it was killed (signal {_SIGKILL:d}), probably as memory ran out"
    if status < 0:
        try:
            return f"by the signal {signal.Signals(-status).name}"
        except ValueError:
            return f"by the signal {-status}"
    return f"with the exit status {status}"


class WatchedServer(Server):  # type: ignore[misc,valid-type]  # which of two classes, Python decides
    """Granian's server, with workers that are started again by a `WorkerWatch`.

    Attributes:
        watch: of its workers; to be set before it serves.
    """

    watch: WorkerWatch

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        while True:
            self.main_loop_interrupt.wait(self.watch.seconds_until_due())
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                return
            while self.interrupt_children:
                number = self.interrupt_children.pop()
                worker = self.wrks[number]
                self.watch.ended(
                    number,
                    getattr(worker.inner, "pid", None),
                    getattr(worker.inner, "exitcode", None),
                    time.monotonic() - worker.birth,
                )
            alive = [
                getattr(worker.inner, "pid", None) for worker in self.wrks if worker.is_alive()
            ]
            if self.watch.has_failed(alive):
                self.shutdown(1)
            if due := self.watch.due():
                self._respawn_workers(due, spawn_target, target_loader)
