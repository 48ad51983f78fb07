"""The body of a request, whole and unpacked, within the limit of bytes."""

import time
import zlib
from contextlib import suppress

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from imagette.serving.problems import RequestError
from imagette.serving.state import ServerState
from imagette.serving.uploads.upload import HOW_TO_SEND

_GZIP = b"\x1f\x8b"
_MOST_GAIN = 1032
"""How many times as much as its compressed form a body can be, by the format."""
_WBITS_GZIP, _WBITS_ZLIB, _WBITS_RAW = 31, 15, -15


def read_body(request: Request, state: ServerState) -> bytes:
    """The body, unpacked where the client has compressed it.

    Args:
        request: its body not read yet.
        state: of the application.

    Raises:
        RequestError: it is cut short, came too slowly, or is compressed in a way that is not
            understood.
        RequestEntityTooLarge: it is larger than the application's limit, as it came or unpacked.
    """
    started = time.monotonic()
    body, limit = _read(request), request.max_content_length
    room = state.body_room
    room.has_come(request.environ)
    room.hold(request.environ, len(body))
    declared = request.content_length
    # Werkzeug cuts a body of undeclared length (a chunked one) off at the limit, and says nothing.
    if declared is None and len(body) == limit:
        raise RequestEntityTooLarge
    if declared is not None and len(body) < declared:
        raise _cut_short(state, len(body), declared, time.monotonic() - started)
    encoding = request.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower()
    if encoding in ("", "identity"):
        # No picture begins like this: a compressed body of which the client does not say so.
        return _unpack(request, state, body, "gzip") if body.startswith(_GZIP) else body
    if encoding in ("gzip", "x-gzip", "deflate"):
        return _unpack(request, state, body, encoding) if body else body
    raise RequestError(
        "unsupported-content-type",
        f"The body is compressed by `{encoding}`, which this server does not unpack.",
        "Send it as it is, or compressed by gzip or deflate.",
        {"Accept-Encoding": "gzip, deflate, identity"},
    )


def _read(request: Request) -> bytes:
    """The body as it came; as much as came of one that is cut short."""
    length, limit = request.content_length, request.max_content_length
    # What Werkzeug does with any body; with one whose end is known it takes 6 µs more.
    if length is None or limit is None or not request.environ.get("wsgi.input_terminated"):
        return request.get_data(cache=False)
    if length > limit:
        raise RequestEntityTooLarge
    stream, parts = request.environ["wsgi.input"], list[bytes]()
    with suppress(OSError, ValueError):  # of a client that has gone; what came is too short then
        while length > 0 and (part := stream.read(length)):
            parts.append(part)
            length -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _cut_short(state: ServerState, came: int, declared: int, seconds: float) -> RequestError:
    what = f"{came} bytes of {declared} have come"
    if seconds < state.settings.body_seconds:
        return RequestError(
            "bad-request", f"The body is cut short: {what}.", "Send it again, whole."
        )
    return RequestError(
        "too-slow",
        f"The body came too slowly: {what} in {seconds:.0f} s.",
        "Send it again over a better connection, or smaller pictures.",
    )


def read_filled_body(request: Request, state: ServerState) -> bytes:
    """The body, as by `read_body`.

    Raises:
        RequestError: it is empty, too.
        RequestEntityTooLarge: as of `read_body`.
    """
    if body := read_body(request, state):
        return body
    raise RequestError("no-picture", "The body of the request is empty.", HOW_TO_SEND)


def _unpack(request: Request, state: ServerState, body: bytes, encoding: str) -> bytes:
    room, limit = state.body_room, state.settings.max_upload_bytes
    room.hold(request.environ, min(limit, len(body) * _MOST_GAIN))
    remedy = "Send it as it is, without `Content-Encoding`, or compress it again."
    wbits = _WBITS_GZIP
    if encoding == "deflate":  # with zlib's head by the standard, and without by many clients
        has_head = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
        wbits = _WBITS_ZLIB if has_head else _WBITS_RAW
    unpacking = zlib.decompressobj(wbits)
    try:
        # No more than one byte above the limit, however much a small body unpacks to.
        content = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        problem = f"The body cannot be unpacked: it is damaged, or not {encoding}."
        raise RequestError("bad-request", problem, remedy) from error
    if len(content) > limit:
        raise RequestEntityTooLarge
    if not unpacking.eof:
        raise RequestError("bad-request", "The compressed body is cut short.", remedy)
    if unpacking.unused_data:
        raise RequestError(
            "bad-request", "Something follows the end of the compressed body.", remedy
        )
    room.hold(request.environ, max(len(body), len(content)))
    return content
