"""Traces: the header that a request comes with, and OpenTelemetry's spans."""

import http.server
import json
import logging
import threading

import pytest
from support.running_server import RunningServer, picture_file, wait_until

from imagette.serving import tracing
from imagette.serving.trace_context import trace_id_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{PARENT}-01"


@pytest.mark.parametrize("header", [HEADER, f"00-{TRACE}-{PARENT}-00", f"cc-{TRACE}-{PARENT}-01-x"])
def test_a_header_that_is_well_formed_names_its_trace(header):
    assert trace_id_of(header) == TRACE


@pytest.mark.parametrize(
    "header",
    ["", TRACE, HEADER[:-1], HEADER + "0", HEADER + "-x", HEADER.upper(), f"ff-{TRACE}-{PARENT}-01",
     f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE}-{PARENT}-0g",
     f"{HEADER},{HEADER}", HEADER + "\n", f"cc-{TRACE}-{PARENT}-01x"],
)  # fmt: skip
def test_any_other_is_passed_over(header):
    assert trace_id_of(header) is None


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT",
                 "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
    ],
)
def test_traces_are_made_where_opentelemetrys_variables_ask(monkeypatch, variables, asked):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert tracing.is_asked_for() == asked


def test_what_cannot_be_done_is_said_and_the_server_answers(make_client, monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with caplog.at_level(logging.WARNING):
        assert make_client().get("/model").status_code == 200
        assert "by http/protobuf alone" in caplog.text
        monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        assert make_client().get("/model").status_code == 200
        assert "pip install 'imagette[otel]'" in caplog.text


class Receiver(http.server.ThreadingHTTPServer):
    """Takes traces as OTLP over HTTP has them."""

    def __init__(self):
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        spans = self.spans = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.path == "/v1/traces"
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = attributes(group.resource)
                    spans.extend((resource, one) for s in group.scope_spans for one in s.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def attributes(thing):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in thing.attributes}


@pytest.mark.slow
def test_spans_of_requests_reach_a_collector_and_the_log(bundle_path):
    pytest.importorskip("opentelemetry.sdk")
    receiver = Receiver()
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=test",
        "IMAGETTE_LOG_REQUESTS": "true",
    }
    with RunningServer(bundle_path, **variables) as server:
        server.wait_until_ready()
        picture = {"Content-Type": "image/png", "X-Request-ID": "mine"}
        answer = server.ask("POST", "/predict", picture_file(), picture | {"traceparent": HEADER})
        assert answer[0] == 200
        server.ask("POST", "/predict", picture_file(), picture | {"traceparent": "nonsense"})
        server.ask("GET", "/nowhere/secret")

        def names():
            return [span.name for _, span in receiver.spans]

        wait_until(lambda: "GET" in names() and names().count("POST /predict") == 2)
        server.process.terminate()
        status, printed = server.finish()
    receiver.shutdown()
    receiver.server_close()
    assert status == 0, printed
    assert "secret" not in str(receiver.spans)

    resource, _ = next(one for one in receiver.spans if one[1].trace_id.hex() == TRACE)
    assert resource["service.name"] == "imagette"
    assert resource["deployment.environment"] == "test"
    parents = {one.span_id.hex(): one for _, one in receiver.spans}
    mine = [one for _, one in receiver.spans if one.trace_id.hex() == TRACE]
    root = next(one for one in mine if one.parent_span_id.hex() == PARENT)
    assert (root.name, root.kind) == ("POST /predict", 2)  # a server's
    said = attributes(root)
    assert said["http.route"] == "/predict"
    assert said["http.response.status_code"] == 200
    assert said["imagette.request_id"] == "mine"
    children = [one for one in mine if one is not root]
    assert {one.name for one in children} == {"wait", "decode", "network"}
    for one in children:
        assert parents[one.parent_span_id.hex()] is root
        assert one.start_time_unix_nano <= one.end_time_unix_nano
        # The clocks of the two are read one after the other.
        assert root.start_time_unix_nano - 1e7 < one.start_time_unix_nano
        assert one.end_time_unix_nano < root.end_time_unix_nano + 1e7

    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    mine = (line for line in lines if line.get("request_id") == "mine")
    asked = sorted(mine, key=lambda line: line["time"])  # each worker writes its own a moment later
    assert asked[0]["trace_id"] == TRACE
    # Without a good header there is a new trace, and the log knows which.
    assert asked[1]["trace_id"] in {one.trace_id.hex() for _, one in receiver.spans} - {TRACE}


def test_without_tracing_the_log_has_the_trace_of_the_header_alone(make_client, capsys):
    client = make_client(log_requests=True)
    for header in (HEADER, "nonsense"):
        client.get("/model", headers={"traceparent": header})
    client.application.extensions["imagette"].log.flush()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line.get("trace_id") for line in lines] == [TRACE, None]


def test_an_error_in_the_log_tells_request_and_trace(make_client, monkeypatch, caplog):
    from imagette.serving.served_model import ServedModel

    client = make_client()
    monkeypatch.setattr(ServedModel, "check_ready", lambda _: 1 / 0)
    client.get("/readyz", headers={"traceparent": HEADER, "X-Request-ID": "mine"})
    (record,) = [one for one in caplog.records if one.message == "The model does not answer"]
    assert record.fields == {"request_id": "mine", "trace_id": TRACE}
