"""From an HTTP request to the pictures in it."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from flask import Request
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from imagette.serving.problems import RequestError

_MOST_SIDE = 512
"""Of an array, in pixels. In memory its numbers take several times as much as their shortest text,
so a larger picture has to come as a file."""

_HOW_TO_SEND = "Send the file as the multipart field `image`: `curl -F image=@cat.png …/predict`."


def read_images(
    request: Request, max_images: int
) -> Sequence[tuple[bytes | NDArray[np.float64], str]]:
    """The pictures of a request: multipart files, a raw body, or an array in JSON.

    Args:
        request: the request, its body not read yet.
        max_images: refuse requests with more pictures than this.

    Returns:
        Of each, the bytes of its file, or float64 `(height, width, 3)` in 0–1; and the file's name
        as the client gave it, empty where there is none.

    Raises:
        RequestError: there is no picture, or it does not come in any of the ways above.
        RequestEntityTooLarge: the body is larger than the application's limit.
    """
    if _is_json(request.mimetype):
        return [(_from_json(_read_filled_body(request)), "")]
    return read_files(request, max_images)


def read_files(request: Request, max_images: int) -> list[tuple[bytes, str]]:
    """The files of a request, with their names: multipart, or a raw body.

    Args:
        request: the request, its body not read yet.
        max_images: refuse requests with more files than this.

    Raises:
        RequestError: there is no file, or it does not come in any of the ways above.
        RequestEntityTooLarge: the body is larger than the application's limit.
    """
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _from_form(request, max_images)
    if kind.startswith("image/") or kind == "application/octet-stream":
        return [(_read_filled_body(request), "")]
    raise _unsupported("A picture", kind, _HOW_TO_SEND)


def read_json(request: Request) -> bytes:
    """The body of a request that is JSON.

    Raises:
        RequestError: it is not called JSON.
        RequestEntityTooLarge: it is larger than the application's limit.
    """
    if _is_json(request.mimetype):
        return _read_body(request)
    remedy = "Send JSON, and say so: `Content-Type: application/json`."
    raise _unsupported("This", request.mimetype, remedy)


def check_filled(content: bytes | NDArray[np.float64]) -> None:
    """Raise a RequestError if the file of a picture is empty."""
    if len(content) == 0:
        raise RequestError(
            "empty-picture", "The file is empty.", "Choose the picture again and send it."
        )


def _unsupported(what: str, kind: str, remedy: str) -> RequestError:
    problem = f"{what} cannot come as {kind}." if kind else "The request has no content type."
    return RequestError("unsupported-content-type", problem, remedy)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _read_body(request: Request) -> bytes:
    body = request.get_data()
    # Werkzeug cuts a body of undeclared length (a chunked one) off at the limit, and says nothing.
    if request.content_length is None and len(body) == request.max_content_length:
        raise RequestEntityTooLarge
    return body


def _read_filled_body(request: Request) -> bytes:
    body = _read_body(request)
    if not body:
        raise RequestError("no-picture", "The body of the request is empty.", _HOW_TO_SEND)
    return body


def _from_form(request: Request, max_images: int) -> list[tuple[bytes, str]]:
    files = request.files.getlist("image")
    if len(files) > max_images:
        raise RequestError(
            "too-many-pictures",
            f"The request holds {len(files)} pictures, more than the {max_images} allowed.",
            "Send them in several requests.",
        )
    if files:
        return [(file.read(), file.filename or "") for file in files]
    if "image" in request.form:
        problem = "The field `image` holds text, not a file."
    elif names := [*request.files, *request.form]:
        problem = f"The form has no field `image`, only `{names[0]}`."
    else:
        problem = "The form has no field `image`."
    raise RequestError("no-picture", problem, _HOW_TO_SEND)


_Value = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Pixel = Annotated[list[_Value], Field(min_length=3, max_length=3), FailFast()]
_Side = Field(min_length=1, max_length=_MOST_SIDE)
_Row = Annotated[list[_Pixel], _Side, FailFast()]


class ArrayBody(BaseModel):
    """`{"image": [[[r, g, b], …], …]}`; reading stops at the first wrong element or length."""

    model_config = ConfigDict(strict=True)

    image: Annotated[list[_Row], _Side, FailFast()]


def _from_json(body: bytes) -> NDArray[np.float64]:
    remedy = (
        'Send {"image": [[[r, g, b], …], …]}: rows of pixels of 3 numbers from 0 to 1, at most'
        f" {_MOST_SIDE} rows and columns."
    )
    try:
        return np.array(ArrayBody.model_validate_json(body).image, dtype=np.float64)
    except ValidationError as error:
        raise _json_error(error, remedy) from error
    except ValueError as error:
        raise RequestError(
            "wrong-shape", "The rows of the array are not all of the same length.", remedy
        ) from error


def _json_error(error: ValidationError, remedy: str) -> RequestError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = "".join(f"[{key}]" if isinstance(key, int) else key for key in first["loc"])
    match first["type"]:
        case "json_invalid":
            return RequestError("invalid-json", "The body is not valid JSON in UTF-8.", remedy)
        case "model_type":
            return RequestError("no-picture", "The JSON is not an object.", remedy)
        case "missing":
            return RequestError("no-picture", "The JSON has no field `image`.", remedy)
        case "list_type":
            return RequestError("wrong-shape", f"`{place}` is not a list.", remedy)
        case "too_short" | "too_long" as length:
            said = f"`{place}` is {length.replace('_', ' ')}."
            return RequestError("wrong-shape", said, remedy)
        case _:
            return RequestError("wrong-values", f"`{place}` is not a number from 0 to 1.", remedy)
