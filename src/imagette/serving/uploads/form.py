"""Forms: the parts of a multipart body, and which of them are pictures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Field, File, MultipartDecoder, NeedData, State

from imagette.serving.problems import RequestError
from imagette.serving.uploads.json_body import find_images
from imagette.serving.uploads.text import unwrap
from imagette.serving.uploads.upload import HOW_TO_SEND, Uploads, attempt, too_many

_MOST_PARTS = 1000
_AT_ONCE = 65_536  # bytes
_MOST_HEAD = 500_000
"""Bytes that are searched for the end of a part's head."""

_FIRST_LINE = re.compile(rb"\s{0,4}--([^\r\n]{1,200}?)[ \t]*\r?\nContent-", re.IGNORECASE)
_IMAGE = re.compile(r"images?[\W\d_]*", re.IGNORECASE)
"""Names of a field with pictures, as they are sent: `image`, `images`, `image[]`, `image2`."""

_MOST_ESCAPES = 500_000
"""Of a form that is text, such as `%2B`: as many as base64 of 10 MB has. Each takes a hundred bytes
of memory."""


@dataclass(frozen=True)
class _Part:
    name: str
    filename: str | None
    kind: str
    content: bytes

    def is_file(self) -> bool:
        """Whether it is a file, which some clients send without a name."""
        if self.filename is not None or self.kind.startswith(("image/", "application/octet")):
            return True
        try:
            return "\0" in self.content.decode()
        except UnicodeDecodeError:
            return True


def find_boundary(options: Mapping[str, str], body: bytes) -> bytes | None:
    """What stands between the parts of a body; None where the body is no multipart form.

    Clients that set the content type by hand leave the boundary out, or make one up; the first
    line of the body is it.

    Args:
        options: what the content type says besides.
        body: of the request.
    """
    declared = options.get("boundary", "").encode()
    if declared and b"--" + declared in body:
        return declared
    first = _FIRST_LINE.match(body)
    return first[1] if first else None


def read_form(body: bytes, boundary: bytes, max_images: int) -> Uploads:
    """The pictures of a multipart form: its files, or else its texts.

    Files under a name such as `image` or `images[]` are the pictures; where there are none, all
    files are.

    Args:
        body: of the request.
        boundary: what stands between its parts.
        max_images: refuse forms with more pictures than this.

    Raises:
        RequestError: the form is cut short or not well formed, or has no picture or too many.
        RequestEntityTooLarge: it has too many parts.
    """
    parts = _split(body, boundary)
    # A browser sends an input without a chosen file as a file without name and content.
    files = [part for part in parts if part.is_file() and (part.filename or part.content)]
    files = [part for part in files if _IMAGE.fullmatch(part.name)] or files
    if len(files) > max_images:
        raise too_many(max_images)
    if files:
        return Uploads(
            [
                attempt(partial(unwrap, part.content, f"`{part.name}`"), part.filename or "")
                for part in files
            ]
        )
    if texts := [part for part in parts if not part.is_file()]:
        return _read_texts([(part.name, part.content.decode()) for part in texts], max_images)
    if parts:
        problem = f"No file was chosen for the field `{parts[0].name}`."
        raise RequestError("no-picture", problem, HOW_TO_SEND)
    raise RequestError("no-picture", "The form is empty.", HOW_TO_SEND)


def read_urlencoded(body: bytes, max_images: int) -> Uploads:
    """The pictures of a form whose fields are text, with base64 or a data URL in them.

    Raises:
        RequestError: it has no picture or too many, or too many escapes.
        RequestEntityTooLarge: it has too many fields.
    """
    if body.count(b"&") >= _MOST_PARTS:
        raise RequestEntityTooLarge
    if body.count(b"%") > _MOST_ESCAPES:
        problem = f"The form has more than {_MOST_ESCAPES} escapes with `%`."
        raise RequestError("bad-request", problem, HOW_TO_SEND)
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    # Base64 has no spaces: one was a plus that the client did not encode.
    return _read_texts([(name, value.replace(" ", "+")) for name, value in pairs], max_images)


def _read_texts(pairs: list[tuple[str, str]], max_images: int) -> Uploads:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return find_images(
        {name: values[0] if len(values) == 1 else values for name, values in fields.items()},
        max_images,
        "form",
    )


def _split(body: bytes, boundary: bytes) -> list[_Part]:
    decoder = MultipartDecoder(boundary, _MOST_HEAD, max_parts=_MOST_PARTS)
    parts: list[tuple[Field | File, list[bytes]]] = []
    try:
        for start in range(0, len(body), _AT_ONCE):
            decoder.receive_data(body[start : start + _AT_ONCE])
            while not isinstance(event := decoder.next_event(), NeedData):
                if isinstance(event, Field | File):
                    parts.append((event, []))
                elif isinstance(event, Data):
                    parts[-1][1].append(event.data)
    except ValueError as error:
        raise RequestError(
            "bad-request", "The form is not well formed.", "Send it with a standard HTTP client."
        ) from error
    if decoder.state is not State.EPILOGUE:
        raise RequestError(
            "bad-request",
            "The form is cut short: the boundary that ends it is missing.",
            "Send it again, whole, with a standard HTTP client.",
        )
    return [_part(head, b"".join(chunks)) for head, chunks in parts]


def _part(head: Field | File, content: bytes) -> _Part:
    headers: Headers = head.headers
    kind = headers.get("content-type", "").lower()
    filename = head.filename if isinstance(head, File) else None
    return _Part(head.name or "", filename, kind, content)
