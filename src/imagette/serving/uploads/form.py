"""Forms: the parts of a multipart body, and which of them are pictures."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header

from imagette.serving.problems import RequestError
from imagette.serving.uploads.json_body import find_images
from imagette.serving.uploads.text import unwrap
from imagette.serving.uploads.upload import HOW_TO_SEND, Uploads, attempt, too_many

_MOST_PARTS = 1000
_MOST_MARKS = 10_000
"""Places that look like a boundary; one of a single letter is in 10 MB by chance about once."""

_MOST_HEAD = 65_536
"""Bytes that are searched for the end of a part's head."""

_HEAD_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_FOLD = re.compile(rb"(?:\r\n|\n|\r)[ \t]+")
_REST_OF_LINE = re.compile(rb"(--)|[ \t]*(?=[\r\n]|\Z)")
"""What follows a boundary, which is the last one where there are two hyphens."""

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

    def is_called_file(self) -> bool:
        """Whether its head says that it is a file."""
        return self.filename is not None or self.kind.startswith(("image/", "application/octet"))

    def is_file(self) -> bool:
        """Whether it is a file, of which some clients say nothing."""
        if self.is_called_file():
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
    # Beside the picture some send a file of JSON, or text that is not UTF-8.
    files = [part for part in files if "json" not in part.kind] or files
    files = [part for part in files if part.is_called_file()] or files
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
    """The parts of a form; its lines may end in any way.

    Werkzeug's decoder refuses names of files that are not UTF-8 and parts without a
    `Content-Disposition`, both of which clients send.
    """
    mark, parts, begin = b"--" + boundary, list[_Part](), -1
    if body.count(mark) > _MOST_MARKS:  # to look at each of millions would take long
        raise RequestError(
            "bad-request",
            f"The boundary of the form stands in it more than {_MOST_MARKS:,} times.",
            "Send it with a standard HTTP client, which chooses one that is in no picture.",
        )
    at = first = body.find(mark)
    while at >= 0:
        after = at + len(mark)
        begins_line = at == first or body[at - 1] in b"\r\n"
        if begins_line and (line := _REST_OF_LINE.match(body, after)):
            if begin >= 0:
                parts.append(_read_part(body, begin, at))
            if len(parts) > _MOST_PARTS:
                raise RequestEntityTooLarge
            if line[1]:
                return parts
            begin = line.end()
        at = body.find(mark, after)
    end = (mark + b"--").decode("utf-8", "replace")
    raise RequestError(
        "bad-request",
        f"The form is cut short, or `{end}` at its end does not stand on a line of its own.",
        "Send it again, whole, with a standard HTTP client.",
    )


def _read_part(body: bytes, start: int, stop: int) -> _Part:
    """The part from the end of one boundary's line to the next boundary."""
    head_end = _HEAD_END.search(body, start, min(stop, start + _MOST_HEAD))
    lines = _FOLD.sub(b" ", body[start : head_end.start()]).splitlines() if head_end else []
    headers = dict(_read_header(line) for line in lines if line)
    if head_end is None or "" in headers:
        raise RequestError(
            "bad-request", "The form is not well formed.", "Send it with a standard HTTP client."
        )
    begin = head_end.end()
    # The line's end before a boundary belongs to the boundary.
    stop = max(begin, stop - (2 if body.startswith(b"\r\n", stop - 2) else 1))
    options = parse_options_header(headers.get("content-disposition", ""))[1]
    kind = headers.get("content-type", "").lower()
    return _Part(options.get("name", ""), options.get("filename"), kind, body[begin:stop])


def _read_header(line: bytes) -> tuple[str, str]:
    """Name and value of a line of a head; no name where it is none."""
    name, colon, value = line.partition(b":")
    try:
        text = value.decode()
    except UnicodeDecodeError:  # the name of a file in another encoding
        text = value.decode("latin-1")
    return name.strip().lower().decode("latin-1") if colon else "", text.strip()
