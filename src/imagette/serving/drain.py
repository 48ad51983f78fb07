"""What is left of a body where a request is answered without it, such as one that is refused."""

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_AT_ONCE = 262_144


def discard_body(environ: "WSGIEnvironment", max_bytes: int) -> None:
    """Read the rest of a request's body, if any, before its answer goes out.

    A server that answers while the body still comes closes the connection, and its client sees
    that and not the answer: nginx makes 502 of it. Twice the limit is read at most, and nothing of
    a body that says it is larger; nor is one asked for that the client sends only when told to
    (`Expect: 100-continue`).

    Args:
        environ: of the request; what answers it has read all that it needs.
        max_bytes: the largest body that is not refused.
    """
    length = environ.get("CONTENT_LENGTH")
    if not length and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    # Not every server says where a body ends; reading on would then wait for ever.
    if "HTTP_EXPECT" in environ or not environ.get("wsgi.input_terminated"):
        return
    left = 2 * max_bytes
    if length and (not length.isdecimal() or int(length) > left):
        return
    body = environ["wsgi.input"]
    with suppress(OSError, ValueError):  # of a client that has gone
        while left > 0 and (read := body.read(min(left, _AT_ONCE))):
            left -= len(read)
