"""Traces by OpenTelemetry: a span for each request, and within it what reading the picture and
asking the network took.

It is set up by OpenTelemetry's own variables of the environment alone (`OTEL_…`), and costs nothing
where they do not ask for it. Spans are sent as OTLP over HTTP, by a thread of each worker.
"""

import logging
import os
import time
from collections.abc import Iterable
from multiprocessing.util import Finalize
from threading import Thread
from typing import TYPE_CHECKING, Any

import imagette
from imagette.serving.middleware import PROBLEM_KEY, ROUTE_KEY, log_ids
from imagette.serving.trace_context import HEADER_KEY

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from opentelemetry.sdk.trace import TracerProvider

_SPAN_KEY = "imagette.span"
_SECONDS_TO_FINISH = 2
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def is_asked_for() -> bool:
    """Whether the environment asks for traces: it names where they go, or the exporter `otlp`."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = os.environ.get("OTEL_TRACES_EXPORTER", "")
    return exporter == "otlp" or (not exporter and any(map(os.environ.get, _ENDPOINTS)))


def make_tracing() -> "Tracing | None":
    """What makes spans in this process; None where nobody asks for any, or it cannot be done.

    Why it cannot be done stands in the log: a server that is not traced still answers.
    """
    if not is_asked_for():
        return None
    log = logging.getLogger("imagette")
    protocol = next(filter(None, map(os.environ.get, _PROTOCOLS)), "http/protobuf")
    if protocol != "http/protobuf":
        log.warning(
            "Traces are asked for by %s, and are sent by http/protobuf alone: set"
            " OTEL_EXPORTER_OTLP_PROTOCOL to that, and the port is mostly 4318.",
            protocol,
        )
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.warning("Traces are asked for (OTEL_…), and need `pip install 'imagette[otel]'`.")
        return None
    resource = Resource.create()
    ours = {SERVICE_VERSION: imagette.__version__}
    if str(resource.attributes[SERVICE_NAME]).startswith("unknown_service"):
        ours[SERVICE_NAME] = "imagette"
    provider = TracerProvider(resource=resource.merge(Resource(ours)))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # Runs at the end of a process that `multiprocessing` started, too, which atexit does not.
    Finalize(None, _finish, (provider,), exitpriority=10)
    return Tracing(provider)


def _finish(provider: "TracerProvider") -> None:
    """Send what waits, unless nobody takes it: that would be tried for longer than a stop may
    last."""
    last = Thread(target=provider.shutdown, daemon=True)
    last.start()
    last.join(_SECONDS_TO_FINISH)


class Tracing:
    """Makes the spans of one worker.

    Args:
        provider: what they are made by, and goes where they are sent.
    """

    def __init__(self, provider: "TracerProvider") -> None:
        self._tracer = provider.get_tracer("imagette", imagette.__version__)

    def wrap(self, application: "WSGIApplication") -> "WSGIApplication":
        """The WSGI application with a span around each request.

        The span is the parent of what is in it, and a child of what the request's `traceparent`
        names; from here on that header names the span itself, for the log.
        """
        from opentelemetry import propagate, trace
        from opentelemetry.trace.propagation import tracecontext

        own_header = tracecontext.TraceContextTextMapPropagator()

        def traced(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
            sent = {
                name[5:].replace("_", "-").lower(): value
                for name, value in environ.items()
                if name.startswith("HTTP_")
            }
            span = self._tracer.start_span(
                environ["REQUEST_METHOD"], propagate.extract(sent), trace.SpanKind.SERVER
            )
            environ[_SPAN_KEY] = span
            passed: dict[str, str] = {}
            own_header.inject(passed, trace.set_span_in_context(span))
            environ[HEADER_KEY] = passed["traceparent"]
            status = 500

            def start(line: str, *rest: Any) -> Any:
                nonlocal status
                status = int(line[:3])
                return start_response(line, *rest)

            try:
                return application(environ, start)
            finally:
                _describe(span, environ, status)
                span.end()

        return traced

    def add_children(self, environ: "WSGIEnvironment", *periods: tuple[str, float, float]) -> None:
        """Add what was done for a request to its span, now that it is done.

        Args:
            environ: the request's.
            periods: name, begin and end of each, by `time.perf_counter`.
        """
        from opentelemetry import trace

        if (span := environ.get(_SPAN_KEY)) is None or not span.is_recording():
            return
        context = trace.set_span_in_context(span)
        offset = time.time() - time.perf_counter()
        for name, begin, end in periods:
            child = self._tracer.start_span(name, context, start_time=int((offset + begin) * 1e9))
            child.end(int((offset + end) * 1e9))


def _describe(span: Any, environ: "WSGIEnvironment", status: int) -> None:
    """Name the span and give it what OpenTelemetry's conventions say of HTTP, but no path: that of
    a lesson is as good as a password."""
    from opentelemetry.trace import StatusCode

    method, route = environ["REQUEST_METHOD"], environ.get(ROUTE_KEY, "")
    span.update_name(f"{method} {route}".strip())
    span.set_attributes(
        {
            "http.request.method": method,
            "http.response.status_code": status,
            "imagette.request_id": log_ids(environ)["request_id"] or "",
        }
    )
    if route:
        span.set_attribute("http.route", route)
    if status >= 500:
        span.set_attribute("error.type", environ.get(PROBLEM_KEY, str(status)))
        span.set_status(StatusCode.ERROR)
