"""What pictures pass before they are decoded: large ones one at a time, within a request's time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from imagette.serving.problems import RequestError

_LARGE = 1_000_000
"""Pixels: smaller pictures take some megabytes, and do not wait for each other."""


class Gate:
    """Lets one large picture at a time be decoded: it takes hundreds of megabytes meanwhile.

        with gate(opened.pixels):
            views = opened.views(height, width)

    Args:
        seconds: how long a request may wait and take, from now on. What is under way is not broken
            off.
        lock: whoever decodes a large picture holds it.
    """

    def __init__(self, seconds: float, lock: Lock) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._lock = lock

    @contextmanager
    def __call__(self, pixels: int) -> Iterator[None]:
        """Enter it, to decode so many pixels.

        Raises:
            RequestError: the time of the request is up, or was before its turn came.
        """
        left = self._deadline - time.monotonic()
        is_large = pixels > _LARGE
        if left < 0 or (is_large and not self._lock.acquire(timeout=left)):
            raise RequestError(
                "out-of-time",
                f"The {self._seconds:g} s that a request may take are up.",
                "Send fewer or smaller pictures at once, or ask again when the server has less to"
                " do.",
                {"Retry-After": "5"},
            )
        try:
            yield
        finally:
            if is_large:
                self._lock.release()
