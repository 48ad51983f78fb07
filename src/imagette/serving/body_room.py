"""Room for the bodies of requests: how many bytes of them a worker holds at once.

A body is held until its request is answered, and pictures wait for their turn meanwhile: without a
limit, as many as there are threads would be held, each as large as a body may be.
"""

from threading import Lock
from typing import TYPE_CHECKING

from flask import Request

from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_SMALL = 131_072
"""Bytes: smaller bodies are not counted."""

_SHARE = 1 / 4
"""How much bodies may take, of the memory for decoding."""

_HELD_KEY = "imagette.body_bytes"
"""Where in a request's WSGI environment stands how much room it takes."""


class BodyRoom:
    """Counts the bodies that are held, and refuses what there is no room for.

    Args:
        settings: the largest body, of which there is always room for three, and the memory for
            decoding.
    """

    def __init__(self, settings: Settings) -> None:
        self._largest = settings.max_upload_bytes
        self._free = max(3 * self._largest, int(settings.decoding_bytes * _SHARE))
        self._lock = Lock()

    def take(self, request: Request) -> None:
        """Take room for a request's body, until `leave`.

        Raises:
            RequestError: there is none now.
        """
        length = request.content_length
        if length is None:  # in chunks, which say nothing beforehand
            length = self._largest if "HTTP_TRANSFER_ENCODING" in request.environ else 0
        # One that is too large is not read.
        if not _SMALL < length <= self._largest:
            return
        with self._lock:
            if length <= self._free:
                self._free -= length
                request.environ[_HELD_KEY] = length
                return
        raise RequestError(
            "overloaded",
            "The server holds as many large requests as it has memory for.",
            "Ask again in 1 s.",
            {"Retry-After": "1"},
        )

    def leave(self, environ: "WSGIEnvironment") -> None:
        """Give back what room a request took, if any."""
        if length := environ.pop(_HELD_KEY, 0):
            with self._lock:
                self._free += length
