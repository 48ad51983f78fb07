"""From an HTTP request to the pictures in it.

What a body is, is told by its first bytes; its content type is asked where they do not tell. Many
clients send another one than they mean, or none.
"""

from flask import Request

from imagette.errors import ImageError
from imagette.images.open_image import read_size
from imagette.serving.problems import RequestError
from imagette.serving.state import ServerState
from imagette.serving.uploads.body import read_body, read_filled_body
from imagette.serving.uploads.form import find_boundary, read_form, read_urlencoded
from imagette.serving.uploads.json_body import BYTE_ORDER_MARK, looks_like_json, read_json
from imagette.serving.uploads.text import unwrap
from imagette.serving.uploads.upload import HOW_TO_SEND, Upload, Uploads

_URLENCODED = "application/x-www-form-urlencoded"
_STARTS_CURL_SPOILS = (b"\x89PNG", b"\xff\xd8\xff")


def read_images(request: Request, state: ServerState) -> Uploads:
    """The pictures of a request: files of a form, a raw body, or JSON.

    Args:
        request: the request, its body not read yet.
        state: of the application.

    Raises:
        RequestError: there is no picture, or it does not come in any of the ways above.
        RequestEntityTooLarge: the body is larger than the application's limit.
    """
    body, kind = read_filled_body(request, state), request.mimetype
    max_images = state.settings.max_pictures
    if boundary := find_boundary(request.mimetype_params, body):
        return read_form(body, boundary, max_images)
    if looks_like_json(body):
        return read_json(body, max_images)
    if _is_called_picture(kind):
        return _single(unwrap(body, "The body"))
    return _read_undeclared(body, kind, max_images)


def read_declared_json(request: Request, state: ServerState) -> bytes:
    """The body of a request that is called JSON.

    A page of another site can send anything but this without being let in, so what changes
    something on the server takes nothing else.

    Raises:
        RequestError: it is not called JSON.
        RequestEntityTooLarge: it is larger than the application's limit.
    """
    if _is_json(request.mimetype):
        return read_body(request, state).removeprefix(BYTE_ORDER_MARK)
    remedy = "Send JSON, and say so: `Content-Type: application/json`."
    raise _unsupported("The body is not called JSON", request.mimetype, remedy)


def read_declared_picture(request: Request, state: ServerState) -> bytes:
    """The one picture of a request whose body is called a picture.

    That is asked for what changes something on the server, as in `read_declared_json`.

    Raises:
        RequestError: the body is empty, or not called a picture.
        RequestEntityTooLarge: it is larger than the application's limit.
    """
    if _is_called_picture(request.mimetype):
        return unwrap(read_filled_body(request, state), "The body")
    remedy = "Send the file alone, and say what it is: `Content-Type: image/jpeg`, say."
    raise _unsupported("The body is not called a picture", request.mimetype, remedy)


def _read_undeclared(body: bytes, kind: str, max_images: int) -> Uploads:
    """The pictures of a body that is not what it is called, or is not called anything."""
    content = unwrap(body, "The body")
    if kind == _URLENCODED and content.startswith(_STARTS_CURL_SPOILS):
        _check_not_spoilt(content)
    if _is_picture(content):
        return _single(content)
    if _is_json(kind):
        return read_json(body, max_images)
    if kind == _URLENCODED and b"=" in body[:200]:
        return read_urlencoded(body, max_images)
    if kind.startswith("multipart/"):
        problem = f"The body does not have the parts that its content type, {kind}, promises."
        remedy = "Let the HTTP client set the content type, which has a boundary in it."
        raise RequestError("bad-request", problem, f"{remedy} {HOW_TO_SEND}")
    raise _unsupported("The body is neither a picture nor a form nor JSON", kind, HOW_TO_SEND)


def _single(content: bytes) -> Uploads:
    return Uploads([Upload(content)])


def _is_picture(content: bytes) -> bool:
    """Whether the bytes begin as a picture does."""
    try:
        read_size(content)
    except ImageError as error:
        return error.too_large
    return True


def _check_not_spoilt(content: bytes) -> None:
    """Raise a RequestError if a file has lost its line ends and zeros."""
    if not any(byte in content for byte in b"\0\r\n"):
        raise RequestError(
            "unreadable-picture",
            "The picture has lost bytes: `curl -d @file` takes line ends and zeros out.",
            "Use `curl --data-binary @file`, or `curl -F image=@file`.",
        )


def _is_called_picture(kind: str) -> bool:
    return kind.startswith("image/") or kind == "application/octet-stream"


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _unsupported(problem: str, kind: str, remedy: str) -> RequestError:
    said = f"its content type is {kind}" if kind else "it has no content type"
    return RequestError("unsupported-content-type", f"{problem}, and {said}.", remedy)
