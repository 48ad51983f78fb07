"""How often each client may ask."""

import logging
import math
import time
from collections.abc import Callable
from functools import partial
from threading import Lock

from flask import Request

from imagette.serving.client import client_of
from imagette.serving.problems import RequestError
from imagette.serving.request_counts import make_counts

COST_OF_EXPLANATION = 20
"""As how many pictures one counts that is explained: the network is asked 18 or 19 times."""

_PAUSE = 5.0
"""Seconds for which a storage that did not answer is left alone."""
_SECONDS_BETWEEN_LINES = 60.0

_LOGGER = logging.getLogger("imagette")

# Probes, which come every few seconds.
_UNCOUNTED_RULES = frozenset(("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"))


class RateLimit:
    """So many pictures a minute for each client.

    A request counts as one, with its first picture; each further picture as one more, and a picture
    that is to be explained as twenty.

    A client's minute begins with its first request. A client is a key, where the server asks for
    keys; or an IPv4 address, or the first half of an IPv6 one, which is what one subscriber has; a
    port behind it, as some proxies write, counts for nothing.

    Each process that counts in its own memory allows the whole rate, and not its share of it: a
    client that keeps its connection open is answered by one worker alone, so a share would refuse
    it long before it has asked as often as it may.

    Where a storage elsewhere does not answer, nothing is counted for a while: rather a server
    without a limit than none.

    Args:
        per_minute: how many.
        storage: where they are counted, as of `make_counts`.

    Raises:
        ImagetteError: there is no such storage.
    """

    def __init__(self, per_minute: int, storage: str) -> None:
        self._per_minute = per_minute
        self._counts = make_counts(storage, per_minute)
        self._outage = Outage()

    def count_request(self, request: Request) -> None:
        """Count a request.

        Raises:
            RequestError: its client has asked too often.
        """
        rule = request.url_rule
        if rule is not None and rule.rule in _UNCOUNTED_RULES:
            return
        seconds = self._outage.guard(partial(self.refused_for, client_of(request.environ)))
        if seconds:
            raise self._too_many("This client has asked more than", seconds)

    def count_pictures(self, request: Request, pictures: int, explained: bool) -> None:
        """Count what a request holds beyond the one that it was counted as.

        Where that is too much, it is not counted, and fewer may be sent.

        Args:
            pictures: how many it has.
            explained: whether each is to be explained.

        Raises:
            RequestError: its client may not send so many now.
        """
        cost = pictures * (COST_OF_EXPLANATION if explained else 1)
        if cost == 1:
            return
        if cost > self._per_minute:
            raise self._too_many(f"The request counts as {cost}, more than", 60)
        seconds = self._outage.guard(
            partial(self.refused_for, client_of(request.environ), cost - 1)
        )
        if seconds:
            raise self._too_many(
                f"The request counts as {cost}, and with it this client passes", seconds
            )

    def refused_for(self, client: str, cost: int = 1) -> int:
        """Count something of a client, if it is within the limit.

        Args:
            client: as `client_of` has it.
            cost: as how many it counts.

        Returns:
            0, or in how many seconds it will be within the limit.
        """
        return self._counts.count(client, cost)

    def _too_many(self, problem: str, seconds: int) -> RequestError:
        return RequestError(
            "too-many-requests",
            f"{problem} the {self._per_minute} times a minute that this server allows.",
            f"Send fewer pictures at once, or ask again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )


class Outage:
    """Keeps a storage that does not answer from holding up every request.

    After a failure the storage is left alone for some seconds; then one request tries it again. The
    log is told at the first failure, once a minute while it lasts, and when it is over.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self._told = -math.inf
        self._lasts = False

    def guard(self, ask: Callable[[], int]) -> int:
        """What the storage answers; 0 where it does not."""
        if self._lasts and not self._may_try():
            return 0
        try:
            answer = ask()
        except Exception as error:  # whatever the client of a storage elsewhere raises
            self._begin(error)
            return 0
        if self._lasts:
            self._lasts = False
            _LOGGER.warning("Requests are counted again")
        return answer

    def _may_try(self) -> bool:
        with self._lock:
            if (now := time.monotonic()) < self._until:
                return False
            self._until = now + _PAUSE  # for the others, while this one tries
            return True

    def _begin(self, error: Exception) -> None:
        with self._lock:
            now = time.monotonic()
            self._lasts, self._until = True, now + _PAUSE
            if now - self._told < _SECONDS_BETWEEN_LINES:
                return
            self._told = now
        _LOGGER.error("Requests cannot be counted, so none is refused for its rate: %s", error)
