"""The API on AWS Lambda: the handler there is `imagette.serving.aws_lambda.handler`.

It is the same application, with the same settings. Each of Lambda's processes answers one request
at a time and counts for itself: rates and metrics are those of one process.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from apig_wsgi import make_lambda_handler
from flask import Flask

from imagette.serving.app import create_app
from imagette.serving.settings import Settings
from imagette.serving.state import EXTENSION

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


def make_handler(app: Flask) -> Handler:
    """What Lambda calls with each request.

    Args:
        app: what answers.

    Returns:
        A function of an event of API Gateway (a REST or an HTTP API) or of a function URL, and of
        Lambda's context, that gives the answer in the form that this door takes.
    """
    log = app.extensions[EXTENSION].log

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # Who asks is what the door saw; of a REST API, apig-wsgi takes what the client claims.
        identity = environ.get("apig_wsgi.request_context", {}).get("identity", {})
        if "sourceIp" in identity:
            environ["REMOTE_ADDR"] = identity["sourceIp"]
        # However the body was sent, it is here as a whole.
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return app(environ, start_response)

    adapted = make_lambda_handler(answer, binary_support=True)

    def handle(event: dict[str, Any], context: Any) -> dict[str, Any]:
        try:
            return adapted(event, context)
        finally:
            # Once this returns, the process stands still until the next request.
            if log:
                log.flush()

    return handle


# Made while Lambda starts the process, when it may use more than its share of the processor.
# One process has all of the memory.
handler = make_handler(create_app(Settings(workers=1)))
