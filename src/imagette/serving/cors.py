"""Which other sites' pages may read the answers (Cross-Origin Resource Sharing)."""

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def headers_for_sites(
    origins: Collection[str],
) -> "Callable[[WSGIEnvironment], list[tuple[str, str]]]":
    """What lets pages of other sites read an answer.

    Args:
        origins: of the sites, such as `https://example.org`; `*` is any.

    Returns:
        What gives for a request the headers that its answer needs.
    """
    every_site, known = "*" in origins, frozenset(origins)
    varies = [] if every_site or not origins else [("Vary", "Origin")]
    exposed = ("Access-Control-Expose-Headers", "Location, Retry-After, X-Request-ID")
    before_asking = [
        ("Access-Control-Allow-Methods", "GET, POST, DELETE"),
        ("Access-Control-Allow-Headers", "Authorization, Content-Type, X-API-Key, X-Request-ID"),
        ("Access-Control-Max-Age", "3600"),
    ]

    def headers(environ: "WSGIEnvironment") -> list[tuple[str, str]]:
        origin = environ.get("HTTP_ORIGIN", "")
        if not every_site and origin not in known:
            return varies
        allowed = ("Access-Control-Allow-Origin", "*" if every_site else origin)
        # A browser asks by OPTIONS what it may send.
        more = before_asking if environ["REQUEST_METHOD"] == "OPTIONS" else []
        return [*varies, allowed, exposed, *more]

    return headers
