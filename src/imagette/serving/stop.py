"""How the server is told to stop, and how its workers do so without losing a request."""

import os
import signal
import threading
import time
from multiprocessing.util import _exit_function  # type: ignore[attr-defined]

from imagette.serving.connections import has_clients, stop_accepting

_SECONDS_TO_TELL = 2.0
"""How long clients are told that their connection will close, those with many requests at once."""

_SECONDS_TO_ANSWER = 3.0
"""How long requests then under way have."""

SECONDS_TO_STOP = 6
"""Within which a worker has stopped; Docker waits for ten before it kills."""

_under_way = threading.Event()


def is_stopping() -> bool:
    """Whether this process stops, so that each answer must close its connection."""
    return _under_way.is_set()


class Interrupt:
    """What Granian's main thread waits for, in place of its `threading.Event`.

    Python's part of a signal's handler runs in the main thread. Where that waits without a limit of
    time, a signal that another thread gets, or that comes while the one before it is handled, does
    not wake it, and is lost. And a handler that sets an Event waits for itself if it interrupts the
    main thread in the middle of waiting.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set, or so many seconds are over; say whether it is set."""
        end = None if timeout is None else time.monotonic() + timeout
        while not self._is_set and (end is None or time.monotonic() < end):
            time.sleep(0.05)
        return self._is_set


def stop_at_sigterm(port: int) -> None:
    """Make SIGTERM stop this worker in good order, instead of what Granian makes of it.

    It must be called in the main thread before any other is started: SIGTERM is then kept for a
    thread that waits for it, even if it comes while the worker starts.

    Args:
        port: where the clients connect.
    """
    # Granian sets a handler of its own once it listens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})

    def wait() -> None:
        signal.sigwait({signal.SIGTERM})
        _stop(port)

    threading.Thread(target=wait, daemon=True).start()


def _stop(port: int) -> None:
    """Let every client go, then end this process.

    Granian closes connections that wait for a request, and with them a request on its way. So each
    answer says first that its connection will close; those that still wait after that are left.
    """
    _under_way.set()
    end = time.monotonic() + _SECONDS_TO_TELL
    while has_clients(port) and time.monotonic() < end:
        time.sleep(0.05)
    stop_accepting(port)
    time.sleep(0.1)  # Granian takes meanwhile what has connected
    while signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        time.sleep(0.05)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(_SECONDS_TO_ANSWER)
    # A client that has left off in the middle of its request.
    _exit_function()
    os._exit(0)
