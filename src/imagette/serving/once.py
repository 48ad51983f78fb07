"""What takes long to compute and is the same for every worker: one of them computes it, once."""

import time
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from threading import Lock

from imagette.errors import ImagetteError
from imagette.files import shared_folder, write_bytes
from imagette.serving.problems import RequestError

_FAILED_FOR = 60
"""Seconds that a failure is told again, before anything is tried anew."""


class Once:
    """Computed answers, kept by a key: in memory, and in a file that all workers read."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: dict[str, bytes] = {}
        self._failed: dict[str, tuple[float, ImagetteError]] = {}

    def get(self, key: str, compute: Callable[[], bytes], seconds: float) -> bytes:
        """What `compute` gives; nothing is computed twice, nor by two at once.

        Args:
            key: what it is known by, in all workers.
            compute: makes it.
            seconds: how long to wait for whoever computes it.

        Raises:
            RequestError: the time is up.
            ImagetteError: what `compute` raises, which is kept for a minute.
        """
        if (found := self._found.get(key)) is not None:
            return found
        deadline = time.monotonic() + seconds
        if not self._lock.acquire(timeout=seconds):
            raise _out_of_time()
        try:
            if key not in self._found:
                self._raise_if_failed(key)
                try:
                    self._found[key] = _compute_for_all(key, compute, deadline)
                except ImagetteError as error:
                    if not isinstance(error, RequestError):
                        self._failed[key] = time.monotonic(), error
                    raise
            return self._found[key]
        finally:
            self._lock.release()

    def _raise_if_failed(self, key: str) -> None:
        when, error = self._failed.get(key, (0.0, None))
        if error and time.monotonic() - when < _FAILED_FOR:
            raise error


def _compute_for_all(key: str, compute: Callable[[], bytes], deadline: float) -> bytes:
    folder = shared_folder()
    if folder is None:
        return compute()
    from filelock import FileLock, Timeout  # imported only here: most servers never get here

    path = folder / f"once-{sha256(key.encode()).hexdigest()[:16]}"
    try:
        with FileLock(f"{path}.lock", timeout=max(0.0, deadline - time.monotonic())):
            if path.exists():
                return path.read_bytes()
            found = compute()
            with suppress(ImagetteError):  # the disk is full: each worker computes it, then
                write_bytes(path, found)
            return found
    except Timeout as error:
        raise _out_of_time() from error


def _out_of_time() -> RequestError:
    return RequestError(
        "out-of-time",
        "What was asked for is still being computed.",
        "Ask again in a few seconds.",
        {"Retry-After": "5"},
    )
