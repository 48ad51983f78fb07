"""Room for the bodies of requests: how many may be coming to a worker, and how many bytes it holds.

A request that comes has a thread until it is whole, and clients may stall; its body is held until
it is answered, and pictures wait for their turn meanwhile. Neither is left to those who want most:
a client never has more than it leaves free, so that there is some for whoever comes.
"""

import time
from contextlib import AbstractContextManager
from threading import Condition
from typing import TYPE_CHECKING

from flask import Request

from imagette.serving.client import client_of
from imagette.serving.drain import discard_body
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MOST_COMING = 384
"""Requests whose bodies come at once: fewer than a worker has threads (`server.py`), so that some
are left for all that has no body, and for answers."""

_SMALL = 131_072
"""Bytes: smaller bodies are not counted."""

_SHARE = 1 / 4
"""How much bodies may take, of the memory for decoding."""

_COMING_KEY = "imagette.coming"
"""Where in a request's WSGI environment stands whose place it has among those that come."""

_HELD_KEY = "imagette.body_bytes"
"""Where in a request's WSGI environment stands who holds how much room."""

_REFUSED_KEY = "imagette.not_read"
"""Where in a request's WSGI environment it stands that its body is not read."""


class BodyRoom:
    """Counts the bodies that come and that are held, and refuses what there is no room for.

    Args:
        settings: the largest body, of which there is always room for three, the memory for
            decoding, and how long a body waits for room.
        waiting: a context that each wait is in.
    """

    def __init__(self, settings: Settings, waiting: AbstractContextManager[object]) -> None:
        self._largest = settings.max_upload_bytes
        self._max_wait, self._waiting = settings.max_wait_seconds, waiting
        self._places = _Shares(_MOST_COMING)
        self._bytes = _Shares(max(3 * self._largest, int(settings.decoding_bytes * _SHARE)))

    def enter(self, request: Request) -> None:
        """Take a place among the requests whose bodies come, until `has_come`.

        Raises:
            RequestError: its client has as many as it may.
        """
        environ = request.environ
        if not request.content_length and "HTTP_TRANSFER_ENCODING" not in environ:
            return
        client = client_of(environ)
        if self._places.take(client, 1, 0):
            environ[_COMING_KEY] = client
            return
        environ[_REFUSED_KEY] = True  # to read it would take the place that it does not get
        raise _overloaded("The server receives as many requests from this client as it can.")

    def take(self, request: Request) -> None:
        """Wait for room for a request's body, and take it until `leave`.

        Raises:
            RequestError: there was none in time.
        """
        length = request.content_length
        if length is None:  # in chunks, which say nothing beforehand
            length = self._largest if "HTTP_TRANSFER_ENCODING" in request.environ else 0
        if length <= self._largest:  # one that is too large is not read
            self.hold(request.environ, length)

    def hold(self, environ: "WSGIEnvironment", size: int) -> None:
        """Take another amount of room than a request has taken so far.

        Args:
            environ: of the request.
            size: bytes; at most as many as the largest body has.

        Raises:
            RequestError: there was no room in time.
        """
        client, held = environ.get(_HELD_KEY, ("", 0))
        if size <= held:
            self._bytes.give_back(client, held - size)
            environ[_HELD_KEY] = client, size
            return
        self.leave(environ)  # those who wait for more must not keep one another from it
        if size <= _SMALL:
            return
        client = client_of(environ)
        if not self._bytes.take(client, size, 0):
            with self._waiting:
                if not self._bytes.take(client, size, self._max_wait):
                    raise _overloaded(
                        "The server holds as many large requests as it has memory for."
                    )
        environ[_HELD_KEY] = client, size

    def leave(self, environ: "WSGIEnvironment") -> None:
        """Give back what room a request took, if any."""
        if held := environ.pop(_HELD_KEY, None):
            self._bytes.give_back(*held)

    def has_come(self, environ: "WSGIEnvironment") -> None:
        """Give back the place of a request that is whole, if it had one."""
        if client := environ.pop(_COMING_KEY, None):
            self._places.give_back(client, 1)

    def discard(self, environ: "WSGIEnvironment") -> None:
        """Read what is left of a body that was not needed, unless there was no place for it."""
        if _REFUSED_KEY not in environ:
            discard_body(environ, self._largest)


class _Shares:
    """An amount of something, shared between clients: each may have as much as it leaves free.

    One alone has up to half of it, two a third each, and so on: there is always some for another
    ("dynamic thresholds", as switches in networks share their memory).
    """

    def __init__(self, total: int) -> None:
        self._free = total
        self._held: dict[str, int] = {}
        self._changed = Condition()

    def take(self, client: str, amount: int, max_wait: float) -> bool:
        """Wait for some, for so many seconds; whether there was as much."""
        deadline = time.monotonic() + max_wait
        with self._changed:
            while self._held.get(client, 0) + amount > self._free:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return False
            self._held[client] = self._held.get(client, 0) + amount
            self._free -= amount
            return True

    def give_back(self, client: str, amount: int) -> None:
        """Give some back."""
        with self._changed:
            self._free += amount
            if left := self._held.get(client, 0) - amount:
                self._held[client] = left
            else:
                self._held.pop(client, None)
            self._changed.notify_all()


def _overloaded(problem: str) -> RequestError:
    return RequestError("overloaded", problem, "Ask again in 1 s.", {"Retry-After": "1"})
