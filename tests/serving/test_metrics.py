"""What is measured, and where it is told."""

import http.client
import os
import re
import signal
import socket
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.problems import kind_of
from support.running_server import RunningServer, free_port, picture_file, wait_until

from imagette import ImagetteError
from imagette.serving.app import swap_model
from imagette.serving.problems import KINDS
from imagette.serving.server import serve
from imagette.serving.settings import Settings


def samples(text):
    """Every value, by its name and labels."""
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labels_of(text, name):
    """The labels of each value of this name."""
    return [dict(key[1:]) for key in samples(text) if key[0] == name]


def test_every_answer_and_problem_is_there_at_zero(make_client, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    client = make_client()
    text = client.get("/metrics").text
    described = client.get("/openapi.json").json["paths"]
    answers = {
        (method.upper(), path.replace("{", "<").replace("}", ">"), status)
        for path, operations in described.items()
        for method, operation in operations.items()
        for status in operation["responses"]
    }
    assert ("POST", "/predict", "500") in answers
    found = labels_of(text, "imagette_requests_total")
    assert {(one["method"], one["route"], one["status"]) for one in found} == answers
    assert {one["kind"] for one in labels_of(text, "imagette_problems_total")} == set(KINDS)
    totals = re.findall(r"^imagette_\w+_total(?:{.*})? (.*)$", text, re.M)
    assert set(totals) == {"0.0"}


def test_reading_and_the_network_are_timed_apart(client, monkeypatch):
    client.post("/predict", data=picture_file(size=(900, 900)), content_type="image/png")
    found = samples(client.get("/metrics").text)
    assert found["imagette_decoding_seconds_count",] == 1
    assert found["imagette_network_seconds_count",] == 1
    # A picture of 900 × 900 takes milliseconds to read, a mean of 32 × 32 pixels next to nothing.
    assert found["imagette_decoding_seconds_sum",] > found["imagette_network_seconds_sum",] > 0


def test_the_model_that_is_served_is_told_by_its_checksum(make_client, make_bundle, tmp_path):
    path = make_bundle(tmp_path / "mine.onnx")
    client = make_client(model=path)
    (before,) = labels_of(client.get("/metrics").text, "imagette_model_info")
    assert before["model"] == "mine"
    assert re.fullmatch("[0-9a-f]{64}", before["sha256"])
    make_bundle(path, [*"ab"], [*"ab"])
    swap_model(client.application)
    (after,) = labels_of(client.get("/metrics").text, "imagette_model_info")
    assert after["sha256"] != before["sha256"]
    (build,) = labels_of(client.get("/metrics").text, "imagette_build_info")
    assert build["version"]


def test_a_process_tells_what_it_takes(client):
    if not Path("/proc/self/stat").exists():
        pytest.skip("Linux tells that")
    found = samples(client.get("/metrics").text)
    me = ("pid", str(os.getpid()))
    assert found["process_resident_memory_bytes", me] > 1e7
    assert found["process_cpu_seconds_total", me] > 0
    assert found["process_open_fds", me] > 2
    assert found["process_start_time_seconds", me] > 1e9


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.mark.slow
def test_metrics_on_a_port_of_their_own(bundle_path):
    port = free_port()
    settings = {"IMAGETTE_METRICS_PORT": str(port), "IMAGETTE_API_KEYS": "me:secret"}
    with RunningServer(bundle_path, **settings) as server:
        server.wait_until_ready()
        key = {"X-API-Key": "secret"}
        assert server.ask("GET", "/metrics", headers=key)[0] == 404
        assert "GET /metrics" not in server.ask("GET", "/openapi.json")[2].decode()
        for _ in range(4):
            assert server.ask("GET", "/model", headers=key)[0] == 200
        of_model = ("method", "GET"), ("route", "/model"), ("status", "200")

        def asked():  # which the workers write a moment later
            return samples(ask(port, "/metrics?x=1")[1])["imagette_requests_total", *of_model]

        wait_until(lambda: asked() == 4)
        text = ask(port, "/metrics")[1]
        assert ask(port, "/model")[0] == ask(port, "/")[0] == 404

        killed = ("reason", "killed")
        workers = server.descendants()
        pids = {one["pid"] for one in labels_of(text, "process_resident_memory_bytes")}
        assert pids == set(map(str, workers))
        assert samples(text)["imagette_worker_ends_total", killed] == 0
        os.kill(workers[0], signal.SIGKILL)
        # Even while there is a worker fewer it answers; what the dead one has counted stays.
        wait_until(
            lambda: samples(ask(port, "/metrics")[1])["imagette_worker_ends_total", killed] == 1
        )
        text = ask(port, "/metrics")[1]
        assert samples(text)["imagette_requests_total", *of_model] == 4
        pids = {one["pid"] for one in labels_of(text, "process_resident_memory_bytes")}
        assert str(workers[0]) not in pids
        # The others, whatever counts the ends, and perhaps one that has taken its place.
        assert len(pids) in (len(workers), len(workers) + 1)

        with socket.create_connection(("127.0.0.1", port)) as stalled:
            stalled.sendall(b"GET /met")
            assert ask(port, "/metrics")[0] == 200
        server.process.terminate()
        assert server.finish()[0] == 0
    socket.create_server(("127.0.0.1", port)).close()  # nobody has kept it


@pytest.mark.parametrize("taken", ["metrics", "api", "page"])
def test_a_port_that_metrics_cannot_have_is_told(bundle_path, taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"port": free_port(), "ui_port": free_port()}
        known = {"metrics": other.getsockname()[1], "api": ports["port"], "page": ports["ui_port"]}
        with pytest.raises(ImagetteError, match=r"port \d+( is in use|\.)[^$]*--metrics-port"):
            serve(Settings(model=bundle_path, metrics_port=known[taken]), ui=True, **ports)


def test_without_that_port_a_proxy_may_hide_them_and_a_key_opens_them(make_client):
    client = make_client(api_keys="secret")
    assert kind_of(client.get("/metrics")) == "unauthorized"
    assert client.get("/metrics", headers={"X-API-Key": "secret"}).status_code == 200
