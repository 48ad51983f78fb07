"""Every error the API answers with: `application/problem+json`, as RFC 9457 has it.

`type` ends in a short name that never changes, so that a program can tell problems apart;
`detail` has one sentence on what is wrong and one on what to do.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, current_app, json, request
from werkzeug.exceptions import HTTPException

from imagette.errors import ImageError, ImagetteError, ModelError
from imagette.serving.base_path import OUTSIDE_KEY, public_path
from imagette.serving.middleware import PROBLEM_KEY, log_ids

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# name: (HTTP status, title)
KINDS = {
    "bad-request": (400, "The request cannot be understood"),
    "wrong-option": (400, "An option in the address is not understood"),
    "no-picture": (400, "There is no picture in the request"),
    "empty-picture": (400, "The picture file is empty"),
    "unreadable-picture": (400, "The file cannot be read as a picture"),
    "invalid-json": (400, "The JSON cannot be read"),
    "wrong-shape": (400, "The array does not have the right shape"),
    "wrong-values": (400, "The array holds values that are not pixels"),
    "wrong-tensor": (400, "The tensors are not those that the model takes or gives"),
    "wrong-class": (400, "The class name is not valid"),
    "wrong-classes": (400, "The classes are not valid"),
    "same-names": (400, "Two classes of a lesson have the same name"),
    "unauthorized": (401, "The request has no valid key"),
    "not-found": (404, "There is nothing at this address"),
    "no-dataset": (404, "The dataset is not available"),
    "no-lesson": (404, "There is no such lesson"),
    "no-model": (404, "There is no such model"),
    "method-not-allowed": (405, "The method is not allowed at this address"),
    "too-slow": (408, "The request came too slowly"),
    "same-picture": (409, "The lesson has this picture already"),
    "lesson-full": (409, "The lesson is full"),
    "not-undoable": (409, "This cannot be undone any more"),
    "not-learned": (409, "The lesson has too few pictures"),
    "request-too-large": (413, "The request is too large"),
    "picture-too-large": (413, "The picture has too many pixels"),
    "too-many-pictures": (413, "There are too many pictures in the request"),
    "too-much-decoding": (413, "The pictures take too much memory to decode"),
    "unsupported-content-type": (415, "This content type is not understood"),
    "too-many-requests": (429, "The client sends too many requests"),
    "too-many-own-lessons": (429, "The client has too many lessons"),
    "internal-error": (500, "The server failed"),
    "model-failed": (500, "The model failed"),
    "not-ready": (503, "The server is not ready"),
    "out-of-time": (503, "The request took too long"),
    "overloaded": (503, "The server is overloaded"),
    "too-many-lessons": (503, "There are too many lessons"),
    "no-room": (507, "The server's disk is full"),
    "feedback-full": (507, "The feedback folder is full"),
}


class RequestError(ImagetteError):
    """A request that cannot be answered.

    Args:
        kind: short name of the problem, one of this module's table.
        problem: one sentence on what is wrong.
        remedy: one sentence on what to do about it.
        headers: what the answer's head says besides.
    """

    def __init__(
        self, kind: str, problem: str, remedy: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(problem, remedy)
        self.kind = kind
        self.headers = headers or {}

    def anew(self) -> "RequestError":
        """The same, not raised yet.

        One that was raised and is kept holds all that was at hand where it was raised, pictures and
        bodies too, and is held by it in turn: the memory would be free only at some later time.
        """
        return RequestError(self.kind, self.problem, self.remedy, self.headers)


@contextmanager
def disk_problems(missing: Callable[[], RequestError] | None = None) -> Iterator[None]:
    """Tell what the disk refuses as a request's problem.

    Args:
        missing: what to tell where a file is gone, if that means something else.

    Raises:
        RequestError: it refuses.
    """
    try:
        yield
    except (ImagetteError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(error, RequestError) or not isinstance(cause, OSError):
            raise
        if missing and isinstance(cause, FileNotFoundError):
            raise missing() from error
        raise RequestError(
            "no-room",
            f"The server cannot write to its disk ({cause.strerror}).",
            "Ask whoever runs it to make room, then try again.",
        ) from error


def kind_of(error: RequestError | ImageError | ModelError) -> str:
    """The short name of the problem."""
    if isinstance(error, RequestError):
        return error.kind
    if isinstance(error, ModelError):
        return "model-failed"
    return "picture-too-large" if error.too_large else "unreadable-picture"


def describe(error: RequestError | ImageError | ModelError) -> dict[str, Any]:
    """The problem as the JSON object that the API answers."""
    if isinstance(error, ModelError):
        # Where its file lies is nothing for those who ask.
        return _problem(kind_of(error), _DETAILS["model-failed"])
    return _problem(kind_of(error), str(error))


def log_failure(error: Exception, environ: "WSGIEnvironment") -> None:
    """Leave a line in the log where the model failed, whatever its client is told."""
    if isinstance(error, ModelError):
        ids = {"fields": log_ids(environ)}
        logging.getLogger("imagette").error("The model failed: %s", error, extra=ids)


def _problem(kind: str, detail: str) -> dict[str, Any]:
    status, title = KINDS[kind]
    return {"type": problem_type(kind), "title": title, "status": status, "detail": detail}


def problem_type(kind: str) -> str:
    """The `type` of a problem."""
    return f"urn:imagette:problem:{kind}"


def register_error_handlers(app: Flask) -> None:
    """Make the application answer every error, foreseen or not, as a problem.

    The short name of the problem is left in the request's environment, for the middleware.
    """
    app.register_error_handler(RequestError, _handle_refusal)
    app.register_error_handler(ImageError, _handle_refusal)
    app.register_error_handler(ModelError, _handle_refusal)
    app.register_error_handler(HTTPException, _handle_http_error)
    app.register_error_handler(Exception, _handle_failure)


def _handle_refusal(error: RequestError | ImageError | ModelError) -> Response:
    log_failure(error, request.environ)
    response = _response(kind_of(error), describe(error))
    response.headers.extend(getattr(error, "headers", {}))
    return response


def _handle_http_error(error: HTTPException) -> Response | HTTPException:
    if error.code is None or error.code < 400:  # a redirect
        return error
    response = _response_with_status(error.code)
    if "Allow" in (headers := error.get_response().headers):
        response.headers["Allow"] = headers["Allow"]
    return response


def _handle_failure(error: Exception) -> Response:
    ids = log_ids(request.environ)
    current_app.logger.error("An unforeseen error", exc_info=error, extra={"fields": ids})
    return _response_with_status(500)


def _response_with_status(status: int) -> Response:
    """The problem for an error that Flask raised."""
    kind = _KINDS_OF_STATUS.get(status, "internal-error" if status >= 500 else "bad-request")
    base_path = request.environ.get(OUTSIDE_KEY)
    detail = _DETAILS["outside" if kind == "not-found" and base_path else kind].format(
        megabytes=current_app.config["MAX_CONTENT_LENGTH"] / 1e6,
        root=base_path or public_path(request.environ),
    )
    return _response(kind, _problem(kind, detail) | {"status": status})


_KINDS_OF_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "request-too-large"}
_DETAILS = {
    "not-found": "There is nothing at this address."
    " GET {root}/ lists the addresses that there are.",
    "outside": "This server's addresses begin with {root}, and this one does not."
    " GET {root}/ lists them; a proxy in front must pass that path on as it is.",
    "method-not-allowed": "This address does not answer this method."
    " The Allow header names those it does answer.",
    "request-too-large": "The request is larger than the {megabytes:g} MB, or has more fields than"
    " the 1,000, that this server takes. Make the pictures smaller, or send fewer at once.",
    "internal-error": "Something failed inside the server."
    " Try again; if it fails again, ask whoever runs the server to look at its log.",
    "model-failed": "The model failed on this picture, or answered what cannot be an answer."
    " Try another picture, and ask whoever runs the server to look at its log.",
    "bad-request": "The request is cut short or not well formed."
    " Send it again, with a standard HTTP client.",
}


def _response(kind: str, problem: dict[str, Any]) -> Response:
    request.environ[PROBLEM_KEY] = kind
    status, mimetype = problem["status"], "application/problem+json"
    if f"{request.path}/".startswith("/v2/"):  # the Open Inference Protocol has its own form
        problem, mimetype = {"error": problem["detail"]}, "application/json"
    return Response(json.dumps(problem) + "\n", status, mimetype=mimetype)
