"""What is told of every request afterwards: its id, its place in the metrics, a line in the log."""

import os
import re
from time import perf_counter

from flask import Flask, Response, g, request

from imagette.serving import logs
from imagette.serving.metrics import Metrics

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


def watch(app: Flask, metrics: Metrics, log_requests: bool) -> None:
    """Give every request an id, count it, and log it if wanted.

    A client's own `X-Request-ID` is kept where it is short and harmless. What is logged of a
    request is its head and its outcome, nothing of its body and no file names.
    """
    if log_requests:
        logs.write_json()

    @app.before_request
    def begin() -> None:
        g.started = perf_counter()
        g.problem = ""
        given = request.headers.get("X-Request-ID", "")
        g.request_id = given if _SANE_ID.fullmatch(given) else os.urandom(8).hex()

    @app.after_request
    def end(response: Response) -> Response:
        seconds = perf_counter() - g.started
        rule = request.url_rule
        response.headers["X-Request-ID"] = g.request_id
        metrics.count_request(
            request.method, rule.rule if rule else "", response.status_code, seconds
        )
        if g.problem:
            metrics.count_problem(g.problem)
        if log_requests:
            _log(response, seconds)
        return response


def _log(response: Response, seconds: float) -> None:
    fields = {
        "request_id": g.request_id,
        "client": request.remote_addr,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "seconds": round(seconds, 6),
        "bytes": request.content_length,
    }
    if g.problem:
        fields["problem"] = g.problem
    logs.requests.info("request", extra={"fields": fields})
