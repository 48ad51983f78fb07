"""Ctrl-C and SIGTERM at moments when an exception could not be dealt with."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ctrl_c_ends_at_once() -> Iterator[None]:
    """For while modules are loaded: those in C make errors of their own of a KeyboardInterrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield  # where Python lets nobody say what a signal does
        return
    before = signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def stops_answered(answer: Callable[[], None]) -> Iterator[None]:
    """Let what is being written after a stop be written: `answer` is called at the next Ctrl-C or
    SIGTERM, and nothing at those after it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def hear(number: int, _: Any) -> None:
        came.append(number)
        if len(came) == 1:
            answer()

    before = {one: signal.signal(one, hear) for one in STOPS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def stops_held() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the end of this.

    Processes that are begun meanwhile never get them: they end with the one that began them, and
    stopping is for that one to say.
    """
    came: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for one in STOPS:
            before[one] = signal.signal(one, lambda number, _: came.append(number))
    # Not enough by itself, because another thread may take them; but processes inherit it.
    can_block = hasattr(signal, "pthread_sigmask")  # not on Windows
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS) if can_block else set()
    try:
        yield
    finally:
        if can_block:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
