"""How often each client may ask.

`limits`, the library that Flask-Limiter is made of, does the counting. It is used directly, since
Flask-Limiter takes some 60 µs a request more. Its storage in memory takes 3 µs a request and, up to
a hundred times a second, a thread that drops the clients whose minute is over: less than 1 % of a
processor with a hundred clients a minute, a seventh with ten thousand, where Redis is better.
"""

import ipaddress
import logging
import math
import time

from flask import request
from limits import RateLimitItemPerMinute
from limits.errors import ConfigurationError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from imagette.errors import ImagetteError
from imagette.serving.problems import RequestError

# Probes, which come every few seconds.
_UNCOUNTED_RULES = frozenset(("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"))


class RateLimit:
    """So many requests a minute for each client.

    A client's minute begins with its first request. A client is an IPv4 address, or the first half
    of an IPv6 one, which is what one subscriber has; a port behind it, as some proxies write,
    counts for nothing.

    Each process that counts in its own memory allows the whole rate, and not its share of it: a
    client that keeps its connection open is answered by one worker alone, so a share would refuse
    it long before it has asked as often as it may.

    Args:
        per_minute: how many.
        storage: where they are counted, as `limits` writes addresses.

    Raises:
        ImagetteError: there is no such storage.
    """

    def __init__(self, per_minute: int, storage: str) -> None:
        self._item = RateLimitItemPerMinute(per_minute)
        try:
            self._limiter = FixedWindowRateLimiter(storage_from_string(storage))
        # ConfigurationError also where the package that speaks to the storage is missing.
        except (ConfigurationError, ValueError) as error:
            raise ImagetteError(
                f"Requests cannot be counted in {storage}: {error}.",
                "Give an address such as redis://host:6379 and install what speaks to it"
                " (`pip install redis`), or leave IMAGETTE_RATE_STORAGE empty.",
            ) from error

    def count_request(self) -> None:
        """Count the request under way; a `before_request` function of Flask.

        Raises:
            RequestError: its client has asked too often.
        """
        rule = request.url_rule
        if rule is not None and rule.rule in _UNCOUNTED_RULES:
            return
        address = request.remote_addr or ""
        try:
            if self.allows(address):
                return
            seconds = self.seconds_to_wait(address)
        except Exception:  # whatever the client of a storage elsewhere raises
            # Rather a server without a limit than none.
            logging.getLogger("imagette").exception("Requests cannot be counted")
            return
        raise RequestError(
            "too-many-requests",
            f"This client has asked more than the {self._item.amount} times a minute that this"
            " server allows.",
            f"Ask again in {seconds} s.",
            {"Retry-After": str(seconds)},
        )

    def allows(self, address: str) -> bool:
        """Count a request from an address; say whether it is within the limit."""
        return self._limiter.hit(self._item, _client(address))

    def seconds_to_wait(self, address: str) -> int:
        """How long until this address may ask again."""
        reset = self._limiter.get_window_stats(self._item, _client(address)).reset_time
        return max(1, math.ceil(reset - time.time()))


def _client(address: str) -> str:
    if ":" not in address:
        return address
    if address.startswith("["):  # [2001:db8::1]:1234
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:  # 203.0.113.7:1234
        return address.partition(":")[0]
    try:
        known = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if known.ipv4_mapped:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, 64), strict=False))
