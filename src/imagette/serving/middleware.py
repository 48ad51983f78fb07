"""What is done with every request around the application: its id, its place in the metrics, a line
in the log, and what browsers are told.

This is WSGI and not Flask's hooks because it costs 5 µs a request this way and 45 there, where
the smallest network takes 170.
"""

import random
import re
from collections.abc import Iterable
from time import perf_counter, time
from typing import TYPE_CHECKING, Any

from flask import Flask

from imagette.serving.base_path import enter_base_path
from imagette.serving.cors import CorsPolicy
from imagette.serving.logs import RequestLog
from imagette.serving.metrics import Metrics
from imagette.serving.stop import is_stopping
from imagette.serving.trace_context import HEADER_KEY, trace_id_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from imagette.serving.body_room import BodyRoom

ID_KEY = "imagette.request_id"
"""Where in a request's WSGI environment its id stands."""

PROBLEM_KEY = "imagette.problem"
"""Where the short name of the problem is left that a request is answered with."""

ROUTE_KEY = "imagette.route"
"""Where the URL rule is left that a request was answered by; empty where there is nothing."""

KEY_NAME_KEY = "imagette.key_name"
"""Where the name of the key is left that a request was sent with; nothing where it had none."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)

_HEADERS = [
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
]
_HEADERS_OF_DATA = [
    *_HEADERS,
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
]

_LESSON = re.compile("/lessons/[^/]+")


class RequestMiddleware:
    """Gives every request an id, counts it, logs it if wanted, and adds headers to its answer.

    A client's own `X-Request-ID` is kept where it is short and harmless. What is logged of a
    request is its head and its outcome, nothing of its body, no file names, and of a lesson's
    address, which is as good as a password, `<lesson>`.

    Args:
        app: complete, all its addresses known.
        metrics: where requests are counted.
        log: where they are logged.
        cors: which pages may read the answers.
        body_room: what bodies take of it is given back once they are answered.
        base_path: below which all addresses are; none if empty.
    """

    def __init__(
        self,
        app: Flask,
        metrics: Metrics,
        log: RequestLog | None,
        cors: CorsPolicy,
        body_room: "BodyRoom",
        base_path: str = "",
    ) -> None:
        self._application = app.wsgi_app
        self._metrics, self._log, self._cors = metrics, log, cors
        self._body_room, self._base_path = body_room, base_path
        rules = {rule.rule for rule in app.url_map.iter_rules()}
        self._routes = {rule for rule in rules if "<" not in rule}
        self._patterns = {
            rule: re.compile(re.sub("<[^>]+>", "[^/]+", rule)) for rule in rules - self._routes
        }

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answer a request, as WSGI has it."""
        started = perf_counter()
        path = environ["PATH_INFO"]
        if self._base_path:
            path = enter_base_path(environ, self._base_path)
        request_id = environ.get("HTTP_X_REQUEST_ID", "")
        if not _SANE_ID.fullmatch(request_id):
            request_id = f"{random.getrandbits(64):016x}"
        environ[ID_KEY] = request_id
        added = _HEADERS if path.startswith("/docs") else _HEADERS_OF_DATA
        status = 500

        def start(line: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            nonlocal status
            status = int(line[:3])
            own = [*added, *self._cors.headers(environ), ("X-Request-ID", request_id)]
            if is_stopping():
                own.append(("Connection", "close"))
            return start_response(line, [*headers, *own], *rest)

        self._metrics.begin_request()
        try:
            answer = self._application(environ, start)
        finally:
            self._metrics.end_request()
            self._body_room.leave(environ)
        seconds = perf_counter() - started
        method = environ["REQUEST_METHOD"]
        environ[ROUTE_KEY] = route = self._route(path)
        self._metrics.count_request(method, route, status, seconds)
        if PROBLEM_KEY in environ:
            self._metrics.count_problem(environ[PROBLEM_KEY])
        if self._log:
            self._log.write(_describe(environ, status, seconds))
        if status >= 400 or method != "POST":
            self._body_room.discard(environ)
        self._body_room.has_come(environ)
        return answer

    def _route(self, path: str) -> str:
        """The URL rule of an address; empty where there is nothing."""
        if path in self._routes:
            return path
        matching = (rule for rule, known in self._patterns.items() if known.fullmatch(path))
        return next(matching, "")


def _describe(environ: "WSGIEnvironment", status: int, seconds: float) -> dict[str, Any]:
    path = environ["PATH_INFO"]
    fields = {
        "time": time(),
        "level": "info",
        "message": "request",
        **log_ids(environ),
        "client": environ.get("REMOTE_ADDR"),
        "method": environ["REQUEST_METHOD"],
        "path": _LESSON.sub("/lessons/<lesson>", path) if "/lessons/" in path else path,
        "status": status,
        "seconds": round(seconds, 6),
    }
    if PROBLEM_KEY in environ:
        fields["problem"] = environ[PROBLEM_KEY]
    return fields


def log_ids(environ: "WSGIEnvironment") -> dict[str, Any]:
    """What a line in the log says of which request it is about, of whom, and of which trace."""
    ids = {"request_id": environ.get(ID_KEY)}
    if KEY_NAME_KEY in environ:
        ids["key"] = environ[KEY_NAME_KEY]
    if HEADER_KEY in environ and (trace_id := trace_id_of(environ[HEADER_KEY])):
        ids["trace_id"] = trace_id
    return ids
