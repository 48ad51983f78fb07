"""Every error the API answers with: `application/problem+json`, as RFC 9457 has it.

`type` ends in a short name that never changes, so that a program can tell problems apart;
`detail` has one sentence on what is wrong and one on what to do.
"""

from typing import Any

from flask import Flask, Response, json
from werkzeug.exceptions import HTTPException

from imagette.errors import ImagetteError, PictureError

# name: (HTTP status, title)
KINDS = {
    "bad-request": (400, "The request cannot be understood"),
    "no-picture": (400, "There is no picture in the request"),
    "empty-picture": (400, "The picture file is empty"),
    "unreadable-picture": (400, "The file cannot be read as a picture"),
    "invalid-json": (400, "The JSON cannot be read"),
    "wrong-shape": (400, "The array does not have the right shape"),
    "wrong-values": (400, "The array holds values that are not pixels"),
    "not-found": (404, "There is nothing at this address"),
    "method-not-allowed": (405, "This address is asked in another way"),
    "request-too-large": (413, "The request is too large"),
    "picture-too-large": (413, "The picture has too many pixels"),
    "too-many-pictures": (413, "There are too many pictures in the request"),
    "unsupported-content-type": (415, "This content type is not understood"),
    "internal-error": (500, "The server failed"),
}


class RequestError(ImagetteError):
    """A request that cannot be answered.

    Args:
        kind: short name of the problem, one of this module's table.
        problem: one sentence on what is wrong.
        remedy: one sentence on what to do about it.
    """

    def __init__(self, kind: str, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.kind = kind


def describe(error: RequestError | PictureError) -> dict[str, Any]:
    """The problem as the JSON object that the API answers."""
    if isinstance(error, RequestError):
        return _problem(error.kind, str(error))
    return _problem("picture-too-large" if error.too_large else "unreadable-picture", str(error))


def _problem(kind: str, detail: str) -> dict[str, Any]:
    status, title = KINDS[kind]
    return {
        "type": f"urn:imagette:problem:{kind}",
        "title": title,
        "status": status,
        "detail": detail,
    }


def answer_errors_as_problems(app: Flask) -> None:
    """Make the application answer every error, foreseen or not, as a problem."""

    @app.errorhandler(RequestError)
    @app.errorhandler(PictureError)
    def refused(error: RequestError | PictureError) -> Response:
        return _response(describe(error))

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response | HTTPException:
        if error.code is None or error.code < 400:  # a redirect
            return error
        problem = _from_http_status(error.code, app.config["MAX_CONTENT_LENGTH"])
        response = _response(problem | {"status": error.code})
        if "Allow" in (headers := error.get_response().headers):
            response.headers["Allow"] = headers["Allow"]
        return response

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        app.logger.error("An unforeseen error", exc_info=error)
        return _response(_from_http_status(500, app.config["MAX_CONTENT_LENGTH"]))


def _from_http_status(status: int, max_bytes: int) -> dict[str, Any]:
    """The problem for an error that Flask raised."""
    if status == 404:
        return _problem(
            "not-found",
            "There is nothing at this address. GET / lists the addresses that there are.",
        )
    if status == 405:
        return _problem(
            "method-not-allowed",
            "This address does not answer this method."
            " The Allow header names those it does answer.",
        )
    if status == 413:
        return _problem(
            "request-too-large",
            f"The request is larger than the {max_bytes / 1e6:g} MB, or has more fields than"
            " the 1,000, that this server takes. Make the pictures smaller, or send fewer at once.",
        )
    if status >= 500:
        return _problem(
            "internal-error",
            "Something failed inside the server."
            " Try again; if it fails again, ask whoever runs the server to look at its log.",
        )
    return _problem(
        "bad-request",
        "The request is cut short or not well formed. Send it again, with a standard HTTP client.",
    )


def _response(problem: dict[str, Any]) -> Response:
    return Response(
        json.dumps(problem) + "\n", problem["status"], mimetype="application/problem+json"
    )
