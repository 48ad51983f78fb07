"""What the pictures of a request pass before they are decoded: budgets, and queues.

Tiny pictures go at once. Others have a queue for what takes a moment, as photographs do, and one
for what takes long; and explanations have one. Turns come fairly between clients.
"""

import math
import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Lock, Semaphore
from typing import Any, TypeVar, TypeVarTuple

from imagette.images.formats import ImageInput
from imagette.images.open_image import OpenedImage, open_image
from imagette.serving.decoders import DecoderEndedError, Decoders
from imagette.serving.decoding_process import Job
from imagette.serving.fair_queue import FairQueue, TooLongError, Turn
from imagette.serving.metrics import Metrics
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings

_TINY = 256 * 256
"""Pixels: smaller pictures are decoded in about a millisecond, and take no turns."""

_SMALL = 1_000_000
"""Pixels: smaller pictures are decoded by the worker itself, in some milliseconds."""

_BRIEF = 32_768
"""Bytes: what is not longer is opened, and if it is tiny decoded, as one of few threads that
compute. A longer file of tiny pixels can be made to take seconds, which others do not wait for."""

_QUICK_SHARE = 1 / 4
"""What part of the memory for decoding is kept for pictures that take no more than that."""

_BYTES_A_DECODER = 400_000_000
"""There is one more process of either kind for each time that decoding may take so much memory: a
process takes some 25 MB when it has nothing to do."""

_NICENESS_QUICK, _NICENESS_SLOW = 5, 10
"""Below the workers in priority, which answer tiny pictures meanwhile: where one of these wants the
processor too, a process has a quarter of it, or a tenth; and all of it where none does."""

_PAUSE = 0.0002
"""Seconds between two pictures of a request, in which others may begin to compute."""

_BUDGET = 2
"""How many times the memory for decoding the pictures of one request may take, one by one."""

_JPEG = b"\xff\xd8\xff"
_QUICK = (b"\x89PNG", _JPEG, b"GIF8", b"RIFF")
"""How the files begin whose decoders leave the worker to others meanwhile (PNG, JPEG, GIF, WebP).
That of JPEG 2000 does not, and some are written in Python."""

_MOST_SCANS = 30
"""A JPEG file that is made to take long is drawn in thousands of scans; usual ones have ten."""
_SCAN = b"\xff\xda"

Ts = TypeVarTuple("Ts")
R = TypeVar("R")


class Lane:
    """A queue before pictures are decoded, and the processes that decode the larger of them.

    Args:
        capacity: bytes that those under way may take together.
        at_once: how many may be under way.
        waiting: a context that each wait is in.
        niceness: of the processes.
    """

    def __init__(
        self, capacity: int, at_once: int, waiting: AbstractContextManager[object], niceness: int
    ) -> None:
        self.queue = FairQueue(capacity, at_once, waiting)
        self.decoders = Decoders(at_once, niceness)


class Lanes:
    """The queues of a worker, and the processes that decode for it.

    Args:
        settings: how much memory decoding may take, and how many workers share the processors.
        metrics: where requests that wait are counted.

    Attributes:
        quick: for pictures that take a moment.
        slow: for those that take long.
        explanations: their queue.
        computing: what a thread holds for the fraction of a millisecond that it computes itself,
            and never while it waits for anything: as many at once as there are processors for it.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        own = max(1, (os.cpu_count() or 1) // settings.workers)
        # A container may have little memory for the processes, and count all of a machine's cores.
        cores = min(own, 1 + settings.decoding_bytes // _BYTES_A_DECODER)
        for_quick = int(settings.decoding_bytes * _QUICK_SHARE)
        waiting = metrics.waiting()
        self.quick = Lane(for_quick, cores + 2, waiting, _NICENESS_QUICK)
        self.slow = Lane(settings.decoding_bytes - for_quick, cores, waiting, _NICENESS_SLOW)
        self.explanations = FairQueue(cores, cores, waiting)
        # More threads that compute would only take Python's lock from one another.
        self.computing = Lock() if own == 1 else Semaphore(own)


@dataclass
class Gate:
    """What the pictures of one request pass, within its time and its budget.

    Attributes:
        lanes: the queues.
        settings: the limits.
        client: who asks.
        deadline: when the time of the request is up, by `time.monotonic`.
        spent: bytes that the pictures took so far, together.
    """

    lanes: Lanes
    settings: Settings
    client: str
    deadline: float
    spent: int = 0
    _waited: float = 0.0
    _asked: bool = False

    @classmethod
    def of_request(cls, lanes: Lanes, settings: Settings, client: str) -> "Gate":
        """That of a request that begins now."""
        return cls(lanes, settings, client, time.monotonic() + settings.max_seconds)

    def decode(
        self,
        content: ImageInput,
        at_least: int,
        function: Callable[[OpenedImage, *Ts], R],
        *arguments: *Ts,
    ) -> R:
        """Open a picture and, when its turn has come, do something with it.

        Args:
            content: the picture.
            at_least: how many pixels of the shorter side the function asks for, as for
                `imagette.images.open_image.open_image`.
            function: what to do: a function or method that a module holds, since large pictures are
                decoded in another process.
            arguments: what it takes besides.

        Returns:
            What the function gives.

        Raises:
            RequestError: the time of the request, or its budget, is up; or there is too much to do.
            ImageError: the picture cannot be read or has too many pixels.
        """
        limits = self.settings.max_pixels, at_least, self.lanes.slow.queue.capacity
        is_quick = not isinstance(content, bytes) or _is_quick(content)
        is_brief = is_quick and _bytes_of(content) <= _BRIEF
        compute = self.compute if is_brief else _call
        if self._asked:  # the place to compute goes to whoever comes next, and that is this thread
            time.sleep(_PAUSE)
        self._asked = True
        opened = compute(open_image, content, *limits)
        self._left()
        cost = opened.decoding_bytes
        self._spend(cost)
        is_small, fits = opened.pixels <= _SMALL, cost <= self.lanes.quick.queue.capacity
        if is_quick and opened.pixels <= _TINY:
            return compute(function, opened, *arguments)
        lane = self.lanes.quick if fits and (is_quick or is_small) else self.lanes.slow
        with self._turn(lane.queue, cost):
            if is_quick and is_small:
                return function(opened, *arguments)
            job = Job(function, content, *limits[:2], arguments, self._left())
            return self._decode_elsewhere(lane.decoders, job)

    def compute(self, function: Callable[[*Ts], R], *arguments: *Ts) -> R:
        """Do what takes a moment of a processor, as one of few threads that compute.

        Raises:
            RequestError: the time of the request is up.
        """
        began, computing = time.monotonic(), self.lanes.computing
        if not computing.acquire(timeout=max(0.0, self.deadline - began)):
            raise self._out_of_time()
        try:
            self._waited += time.monotonic() - began
            return function(*arguments)
        finally:
            computing.release()

    def turn_to_explain(self) -> Turn:
        """Wait for the turn of an explanation, which takes as long as many answers.

        Raises:
            RequestError: the time of the request is up, or there is too much to do.
        """
        return self._turn(self.lanes.explanations, 1)

    def waited(self) -> float:
        """Seconds that were spent waiting for turns since this was asked last."""
        waited, self._waited = self._waited, 0.0
        return waited

    def _spend(self, cost: int) -> None:
        megabytes = f"{cost / 1e6:.0f} MB of memory to decode"
        budget = _BUDGET * self.settings.decoding_bytes
        if self.spent + cost > budget:
            raise RequestError(
                "too-much-decoding",
                f"The picture takes some {megabytes}, and with those before it the request passes"
                f" the {budget / 1e6:.0f} MB that one may take in all.",
                "Send it in another request, or make the pictures smaller.",
            )
        self.spent += cost

    def _turn(self, queue: FairQueue, amount: int) -> Turn:
        began = time.monotonic()
        try:
            return queue.take_turn(
                self.client, amount, self.deadline, self.settings.max_wait_seconds
            )
        except TooLongError as wait:
            seconds = math.ceil(wait.seconds)
            raise RequestError(
                "overloaded",
                "The server has too much to do:"
                f" the turn of this picture would come in some {seconds} s.",
                "Ask again by then.",
                {"Retry-After": str(seconds)},
            ) from wait
        except TimeoutError as error:
            raise self._out_of_time() from error
        finally:
            self._waited += time.monotonic() - began

    def _decode_elsewhere(self, decoders: Decoders, job: Job) -> Any:
        try:
            return decoders.run(job)
        except DecoderEndedError as error:
            self._left()
            raise RequestError(
                "unreadable-picture",
                "The picture takes more memory than there is, or stops its decoder.",
                "Make it smaller, and save it again as PNG or JPEG.",
            ) from error

    def _left(self) -> float:
        """Seconds until the time of the request is up."""
        if (left := self.deadline - time.monotonic()) <= 0:
            raise self._out_of_time()
        return left

    def _out_of_time(self) -> RequestError:
        return RequestError(
            "out-of-time",
            f"The {self.settings.max_seconds:g} s that a request may take are up.",
            "Send fewer or smaller pictures at once, or ask again when the server has less to do.",
            {"Retry-After": "5"},
        )


def _call(function: Callable[[*Ts], R], *arguments: *Ts) -> R:
    return function(*arguments)


def _bytes_of(content: ImageInput) -> int:
    return len(content) if isinstance(content, bytes) else getattr(content, "nbytes", 0)


def _is_quick(content: bytes) -> bool:
    return content.startswith(_QUICK) and (
        not content.startswith(_JPEG) or content.count(_SCAN) <= _MOST_SCANS
    )
