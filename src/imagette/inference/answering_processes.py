"""Processes that answer about pictures, each with a network of one thread.

Whatever ends the one that began them, they end with it and say nothing: they get neither Ctrl-C nor
SIGTERM, are killed by who closes them, and end by themselves where that one was killed. There are
no threads in the one that began them, so none can fail while it ends: an executor of
`concurrent.futures` now and then prints a traceback when it is left early.

Nothing heavy is imported here, so that processes can be begun first and load what they need while
the one that began them still loads the same.
"""

import gc
import math
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count, islice
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from multiprocessing.util import Finalize
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from imagette.errors import ImageError, ImagetteError
from imagette.inference.decoding_room import DecodingRoom
from imagette.interrupts import stops_held

if TYPE_CHECKING:
    from PIL.Image import Image

Picture = tuple[str, "str | bytes | Image | ImageError"]
"""What a picture is called, and its path, the bytes of its file, its pixels, or why there are none
(of what could not be fetched, say)."""
Row = dict[str, Any]
"""An answer: `file`, then the fields of a `Prediction`, or `error` and `remedy` of a picture that
cannot be read; and `model`, what `model_digest` says."""

DECODING_BYTES = 1 << 30
"""What all processes together may take for decoding; a picture that takes more is decoded alone."""

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")

_CHUNKS_AT_ONCE = 2
"""For each process: one that it answers, and one that is there when it has."""
_CHUNKS_AHEAD = 4
"""For each process, so that one slow chunk keeps no other process waiting."""


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: "connection.Connection[Any, Any]"
    under_way: deque[int] = field(default_factory=deque)
    """The numbers of the chunks that it has."""


class AnsweringProcesses:
    """Processes that load what they need at once, and are told later which model answers.

    Args:
        number: how many; one a core if None.
    """

    def __init__(self, number: int | None = None) -> None:
        self._workers: list[_Worker] = []
        self._room = DecodingRoom(DECODING_BYTES)
        # Where nobody closes it: at its end Python would wait for them, who take no signals.
        self._at_exit = Finalize(None, self.close, exitpriority=10)
        self._is_closed = False
        context = multiprocessing.get_context("spawn")
        if os.name == "posix":
            # Each process asks for it; as it begins it lets signals through that are held.
            resource_tracker.ensure_running()
        try:
            with stops_held():
                for _ in range(number or available_cores()):
                    ours, theirs = context.Pipe()
                    process = context.Process(
                        target=_answer_chunks, args=(theirs, self._room), daemon=True
                    )
                    process.start()
                    theirs.close()
                    self._workers.append(_Worker(process, ours))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all of them, whatever they are at; again, it does nothing."""
        if self._is_closed:
            return
        with stops_held():
            self._is_closed = True
            self._at_exit.cancel()
            for worker in self._workers:
                worker.process.kill()
            for worker in self._workers:
                worker.process.join()
                worker.pipe.close()
            self._workers = []
            self._room.close()

    def answer(
        self, path: Path, max_pixels: int, model: str, chunks: Iterable[list[Picture]]
    ) -> Iterator[list[Row]]:
        """Answer about pictures, a few at a time; once only.

        Args:
            path: of the bundle.
            max_pixels: as of `Classifier`.
            model: what `model_digest` says of the bundle.
            chunks: pictures that are answered together.

        Yields:
            The rows of each chunk, in order.

        Raises:
            ImagetteError: a process was killed, or what a process raised.
        """
        for worker in self._workers:
            _send(worker, (path, max_pixels, model))
        most = _CHUNKS_AHEAD * len(self._workers)
        numbered = iter(enumerate(chunks))
        next_ones: deque[tuple[int, list[Picture]]] = deque()
        found: dict[int, list[Row]] = {}
        for needed in count():
            while needed not in found:
                next_ones.extend(islice(numbered, most - len(next_ones)))
                self._hand_out(next_ones, needed + most)
                if not any(worker.under_way for worker in self._workers):
                    return
                for worker in self._that_have_answered():
                    found[worker.under_way.popleft()] = _receive(worker)
            yield found.pop(needed)

    def _hand_out(self, chunks: deque[tuple[int, list[Picture]]], end: int) -> None:
        """Give chunks, each with its number, to whoever has too few: those before number `end`."""
        for had in range(_CHUNKS_AT_ONCE):
            for worker in self._workers:
                # The last chunks are for whoever is done first.
                if had and len(chunks) < len(self._workers):
                    return
                if len(worker.under_way) == had and chunks and chunks[0][0] < end:
                    number, chunk = chunks.popleft()
                    _send(worker, chunk)
                    worker.under_way.append(number)

    def _that_have_answered(self) -> list[_Worker]:
        busy = {worker.pipe: worker for worker in self._workers if worker.under_way}
        return [busy[pipe] for pipe in connection.wait(list(busy))]  # type: ignore[index]


@contextmanager
def loading_quickly() -> Iterator[None]:
    """For modules that many pictures wait for: a quarter less time.

    NumPy begins no threads for products of matrices, of which there are none here, and nobody looks
    for garbage in what is loaded to stay.
    """
    variable, collected = "OPENBLAS_NUM_THREADS", gc.isenabled()
    is_new = variable not in os.environ
    os.environ.setdefault(variable, "1")
    gc.disable()
    try:
        yield
    finally:
        if is_new:
            del os.environ[variable]
        if collected:
            gc.enable()


def available_cores() -> int:
    """How many cores this process may run on, with what its container allows."""
    affinity = getattr(os, "sched_getaffinity", None)
    # Windows waits for no more than 63 pipes at once.
    cores = len(affinity(0)) if affinity else min(60, os.cpu_count() or 1)
    with suppress(OSError, ValueError):  # no such file, or `max`
        quota, period = _CPU_LIMIT.read_text(encoding="ascii").split()
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return cores


def _send(worker: _Worker, message: object) -> None:
    try:
        worker.pipe.send(message)
    except OSError as error:
        raise _killed() from error


def _receive(worker: _Worker) -> list[Row]:
    try:
        answer: list[Row] | Exception = worker.pipe.recv()
    except (EOFError, OSError) as error:
        raise _killed() from error
    if isinstance(answer, Exception):
        raise answer
    return answer


def _killed() -> ImagetteError:
    return ImagetteError(
        "A worker process was killed, most likely because memory ran out.",
        "Free some memory, then try again.",
    )


def _answer_chunks(pipe: "connection.Connection[Any, Any]", room: DecodingRoom) -> None:
    """What each process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows, where it cannot be held back
    messages: SimpleQueue[Any] = SimpleQueue()
    Thread(target=_read_ahead, args=(pipe, messages), daemon=True).start()

    with loading_quickly():
        from imagette.inference.batch import answer_pictures
        from imagette.inference.classifier import Classifier
    path, max_pixels, model = messages.get()
    classifier: Classifier | None = None
    while True:
        answer: list[Row] | Exception
        try:
            classifier = classifier or Classifier(path, threads=1, max_pixels=max_pixels)
            answer = list(answer_pictures(classifier, messages.get(), model, room))
        except Exception as error:
            if not isinstance(error, ImagetteError):  # which would not tell where it came from
                error.add_note(traceback.format_exc())
            answer = error
        try:
            pipe.send(answer)
        except OSError:  # the one that asked is gone
            os._exit(1)


def _read_ahead(pipe: "connection.Connection[Any, Any]", messages: "SimpleQueue[Any]") -> None:
    """Take what comes, so that nobody waits to send while the other end does, too; and let no
    process outlive the one that began it, even where that was killed."""
    try:
        while True:
            messages.put(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)
