"""Work of many requests that can wait a moment, done together in a thread of its own."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import Generic, TypeVar

_SECONDS_BETWEEN = 0.1
_MOST_WAITING = 100_000  # older ones are lost where they cannot be handled

T = TypeVar("T")


class Batcher(Generic[T]):
    """Hands on what it is given, some at a time.

    A request that wrote its own line in the log would let go of Python's lock and wait for it among
    all others; and the same code takes a third of the time where it runs many times in a row, its
    memory still in the processor's caches. `logging`'s QueueHandler and QueueListener are not used:
    they take 20 µs of a processor a line, where this takes one, and wake their thread for each.

    Args:
        handle: what is done with some, in the order in which they came. Its errors are passed over:
            a full disk, say, may be mended.
    """

    def __init__(self, handle: Callable[[list[T]], None]) -> None:
        self._handle = handle
        self._waiting: deque[T] = deque(maxlen=_MOST_WAITING)
        self._wake = threading.Event()
        self._handling = threading.Lock()
        threading.Thread(target=self._handle_at_times, daemon=True).start()
        # Runs at the end of a process that `multiprocessing` started, too, which atexit does not.
        Finalize(None, self.flush, exitpriority=10)

    def add(self, one: T) -> None:
        """Have something handled within a moment."""
        self._waiting.append(one)
        if not self._wake.is_set():
            self._wake.set()

    def flush(self) -> None:
        """Handle what waits now."""
        with self._handling:
            some = []
            while self._waiting:
                some.append(self._waiting.popleft())
            if some:
                self._handle(some)

    def _handle_at_times(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(_SECONDS_BETWEEN)
            self._wake.clear()
            with suppress(Exception):  # whatever it is, the thread must live to the next time
                self.flush()
