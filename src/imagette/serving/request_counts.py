"""How often each client asked within a minute of its own: in memory, or in a storage elsewhere.

Both count as `limits` calls it by fixed windows: a client's minute begins with its first request.
"""

import math
import re
import time
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

from imagette.errors import ImagetteError

_WINDOW = 60
"""Seconds."""

_SECONDS_TO_ANSWER = 0.2
_PASSWORD = re.compile(r"//[^/@\s]*@")  # of an address
_IN_MEMORY = "memory://"


class RequestCounts(Protocol):
    """Where requests are counted."""

    def count(self, client: str, cost: int) -> int:
        """Count something of a client, if that leaves it within its limit.

        Args:
            client: as `imagette.serving.client.client_of` has it.
            cost: as how many it counts.

        Returns:
            0, or in how many seconds its next window begins; nothing was counted then.
        """


def make_counts(storage: str, most: int) -> RequestCounts:
    """What counts in a storage.

    Args:
        storage: its address, as `limits` has it.
        most: how many a client may have in a minute.

    Raises:
        ImagetteError: there is no such storage.
    """
    if storage in ("", _IN_MEMORY):
        return CountsInMemory(most)
    return CountsElsewhere(storage, most)


class CountsInMemory:
    """Counts in the memory of this process.

    `limits` can do that too, with a thread that it starts up to a hundred times a second to drop
    old windows. Here they are dropped when a new one begins.

    Args:
        most: as of `make_counts`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        # Ends by a clock that nobody sets back, and counts; in the order of their ends.
        self._windows: dict[str, list[float]] = {}
        self._lock = Lock()

    def count(self, client: str, cost: int) -> int:
        """As of `RequestCounts`."""
        now = time.monotonic()
        with self._lock:
            window = self._windows.get(client)
            if window is None or window[0] <= now:
                self._drop_ended(now)
                window = self._windows[client] = [now + _WINDOW, 0]
            if window[1] + cost <= self._most:
                window[1] += cost
                return 0
        return max(1, math.ceil(window[0] - now))

    def _drop_ended(self, now: float) -> None:
        while self._windows:
            first = next(iter(self._windows))
            if self._windows[first][0] > now:
                return
            del self._windows[first]


class CountsElsewhere:
    """Counts in a storage that several processes or machines share, such as a Redis.

    Args:
        storage: as of `make_counts`.
        most: likewise.

    Raises:
        ImagetteError: there is no such storage.
    """

    def __init__(self, storage: str, most: int) -> None:
        try:
            # Imported only here: most count in memory, and do not have the package.
            from limits import RateLimitItemPerMinute
            from limits.storage import storage_from_string
            from limits.strategies import FixedWindowRateLimiter

            self._limiter = FixedWindowRateLimiter(
                storage_from_string(storage, **_options(storage))
            )
            self._item = RateLimitItemPerMinute(most)
        # Of whatever type `limits` has for an address that it does not know, or that needs a
        # package that is missing.
        except Exception as error:
            raise ImagetteError(
                _PASSWORD.sub("//…@", f"Requests cannot be counted in {storage}: {error}."),
                "Give an address such as redis://host:6379 and install what speaks to it"
                " (`pip install 'limits[redis]'`), or leave IMAGETTE_RATE_STORAGE empty.",
            ) from error

    def count(self, client: str, cost: int) -> int:
        """As of `RequestCounts`; raises whatever the client of the storage does."""
        # A single one is counted, or not, in one step; more would use up what is left in vain.
        if (cost == 1 or self._limiter.test(self._item, client, cost=cost)) and self._limiter.hit(
            self._item, client, cost=cost
        ):
            return 0
        reset = self._limiter.get_window_stats(self._item, client).reset_time
        return max(1, math.ceil(reset - time.time()))


def _options(storage: str) -> dict[str, Any]:
    """How long to wait for a storage elsewhere."""
    if not storage.startswith(("redis", "valkey")):
        return {}
    with suppress(ImportError):  # without it, there is an error that says so
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        seconds = _SECONDS_TO_ANSWER
        timeouts = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
        return timeouts | {"retry": Retry(NoBackoff(), 0)}
    return {}
