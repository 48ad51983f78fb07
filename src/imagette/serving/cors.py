"""Which other sites' pages may read the answers (Cross-Origin Resource Sharing)."""

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_EXPOSED = ("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-ID")
_PREFLIGHT = [
    ("Access-Control-Allow-Methods", "GET, POST, PATCH, DELETE"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key, X-Request-ID"),
    ("Access-Control-Max-Age", "3600"),
]


class CorsPolicy:
    """What lets pages of other sites read an answer.

    Args:
        origins: of the sites, such as `https://example.org`; `*` is any.
    """

    def __init__(self, origins: Collection[str]) -> None:
        self._any, self._origins = "*" in origins, frozenset(origins)
        self._varies = [] if self._any or not origins else [("Vary", "Origin")]

    def headers(self, environ: "WSGIEnvironment") -> list[tuple[str, str]]:
        """The headers that the answer to a request needs."""
        origin = environ.get("HTTP_ORIGIN", "")
        if not self._any and origin not in self._origins:
            return self._varies
        allowed = ("Access-Control-Allow-Origin", "*" if self._any else origin)
        # A browser asks by OPTIONS what it may send.
        more = _PREFLIGHT if environ["REQUEST_METHOD"] == "OPTIONS" else []
        return [*self._varies, allowed, _EXPOSED, *more]
