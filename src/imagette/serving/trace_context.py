"""`traceparent`, the header by which a request tells the trace that it is part of (W3C Trace
Context)."""

import re

HEADER_KEY = "HTTP_TRACEPARENT"
"""Where in a request's WSGI environment the header stands."""

# A later version may append fields; the first has none.
_FORM = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})"
    r"-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<more>-.*)?",
    re.ASCII,
)


def trace_id_of(header: str) -> str | None:
    """The id of the trace, 32 hexadecimal digits; None where the header is not well formed."""
    found = _FORM.fullmatch(header)
    if not found or (found["more"] is not None and found["version"] == "00"):
        return None
    return found["trace"]
