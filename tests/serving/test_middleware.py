"""Metrics, logs and probes; and a new model without a lost request."""

import io
import json
import os
import re
import shutil
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from unittest import mock

import pytest
from support.problems import kind_of
from support.running_server import picture_file, wait_until
from support.tiny_bundle import CIFAR10_NAMES

from imagette.inference.bundle import SHIPPED
from imagette.inference.classifier import Classifier
from imagette.inference.model_card import model_card
from imagette.serving import described_dataset
from imagette.serving.app import swap_model
from imagette.serving.logs import RequestLog
from imagette.serving.served_model import ServedModel


def send(client, *contents, **options):
    files = [(io.BytesIO(content), f"secret-name-{n}.png") for n, content in enumerate(contents)]
    return client.post("/predict", data={"image": files}, **options)


def metric(text, name, **labels):
    """The sum of a metric's values that have these labels."""
    found = re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.M)
    wanted = [f'{key.rstrip("_")}="{value}"' for key, value in labels.items()]
    return sum(float(value) for has, value in found if all(one in has for one in wanted))


def send_to(server, content, **headers):
    """Ask a running server about one picture; the status of its answer."""
    return server.ask("POST", "/predict", content, {"Content-Type": "image/png"} | headers)[0]


@pytest.fixture
def lite(make_client, monkeypatch):
    """A client of what ships, which tells `known` and explains, in a process that counts alone."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    return make_client(model=SHIPPED["cifar10-lite"])


def test_metrics_of_one_process(lite):
    send(lite, picture_file())
    send(lite, picture_file(), b"no picture")
    lite.get("/nowhere/at/all")
    response = lite.get("/metrics")
    assert response.content_type.startswith("text/plain; version=0.0.4")
    text = response.get_data(as_text=True)
    of_predict = {"method": "POST", "route": "/predict", "status": "200"}
    assert metric(text, "imagette_requests_total", **of_predict) == 2
    assert metric(text, "imagette_requests_total", route="", status="404") == 1
    assert metric(text, "imagette_problems_total", kind="unreadable-picture") == 1
    assert metric(text, "imagette_problems_total", kind="not-found") == 1
    assert metric(text, "imagette_predictions_total") == 2
    assert metric(text, "imagette_request_seconds_count", route="/predict") == 2
    for half in ("decoding", "network"):
        assert metric(text, f"imagette_{half}_seconds_count") == 2
        assert metric(text, f"imagette_{half}_seconds_sum") > 0
    assert "nowhere" not in text  # what clients make up is no label


def test_metrics_of_all_workers_together(start_server):
    server = start_server(SHIPPED["cifar10-lite"]).wait_until_ready()
    assert [send_to(server, picture_file()) for _ in range(20)] == [200] * 20

    def counted():
        return server.ask("GET", "/metrics")[2].decode()

    # A moment later, as the worker that answered may not be the one that is asked.
    wait_until(lambda: metric(counted(), "imagette_predictions_total") == 20)
    for _ in range(4):  # whichever worker is asked
        text = counted()
        assert metric(text, "imagette_predictions_total") == 20
        known = metric(text, "imagette_predictions_total", known="yes")
        assert known + metric(text, "imagette_predictions_total", known="no") == 20


def test_probes(client, monkeypatch):
    network = mock.Mock(side_effect=RuntimeError("broken"))
    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "predict_arrays", network)
        response = client.get("/readyz")
        assert (response.status_code, kind_of(response)) == (503, "not-ready")
        assert client.get("/healthz").status_code == 200
        network.assert_called_once()
    assert client.get("/readyz").json == {"status": "ready"}


def test_asking_whether_it_is_ready_costs_next_to_nothing(client, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    network = mock.Mock()
    monkeypatch.setattr(Classifier, "predict_arrays", network)
    for _ in range(50):
        assert client.get("/readyz").status_code == 200
    assert network.call_count == 1
    monkeypatch.setattr(time, "monotonic", lambda: 101.5)
    client.get("/readyz")
    assert network.call_count == 2


def test_a_log_that_cannot_be_written_for_a_while_goes_on_later(monkeypatch, capsys):
    full_disk = mock.Mock(write=mock.Mock(side_effect=OSError("no space left")))
    log = RequestLog()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", full_disk)
        log.write({"time": 0.0, "message": "lost"})
        wait_until(lambda: full_disk.write.called)
    log.write({"time": 0.0, "message": "kept"})
    wait_until(lambda: "kept" in capsys.readouterr().err)


def test_a_swap_that_fails_in_any_way_leaves_the_model(client, monkeypatch):
    monkeypatch.setattr(ServedModel, "swap", mock.Mock(side_effect=MemoryError))
    swap_model(client.application)
    assert client.get("/model").status_code == 200
    assert 'outcome="failed"} 1.0' in client.get("/metrics").text


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-1.2:3_4", True), ("x" * 65, False), ("a b", False), ("é", False)]
)
def test_a_request_keeps_a_harmless_id_of_its_own(client, sent, kept):
    answered = client.get("/", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert (answered == sent) == kept
    assert re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", answered)


def test_a_log_line_for_each_request_and_nothing_of_the_pictures(start_server):
    server = start_server(IMAGETTE_LOG_REQUESTS="true", IMAGETTE_TEACH="true").wait_until_ready()
    send_to(server, picture_file(), **{"X-Request-ID": "mine-1"})
    send_to(server, b"no picture")
    lesson = "/lessons/abcdefghijklmnopqrstuv"
    for path in ("/nowhere?key=hidden", lesson, f"{lesson}/nowhere"):
        server.ask("GET", path)
    server.process.terminate()
    code, printed = server.finish()
    assert code == 0
    lines = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["message"] == "request"]
    mine = next(line for line in requests if line["request_id"] == "mine-1")
    assert (mine["method"], mine["path"], mine["status"]) == ("POST", "/predict", 200)
    assert mine["client"] == "127.0.0.1"
    assert mine["seconds"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", mine["time"])
    problems = {line.get("problem") for line in requests}
    assert {"unreadable-picture", "not-found"} <= problems
    assert not [private for private in ("hidden", "abcdefghij", "no picture") if private in printed]
    assert {"/lessons/<lesson>", "/lessons/<lesson>/nowhere"} <= {line["path"] for line in requests}


def test_a_new_model_comes_without_a_lost_request(start_server, tmp_path, make_bundle):
    path = make_bundle(tmp_path / "served.onnx")
    server = start_server(path).wait_until_ready()
    done, statuses = Event(), []

    def class_names():
        return json.loads(server.ask("GET", "/model")[2])["class_names"]

    def keep_asking():
        while not done.is_set():
            statuses.append(send_to(server, picture_file()))

    clients = ThreadPoolExecutor(4)
    asking = [clients.submit(keep_asking) for _ in range(4)]
    try:
        path.write_bytes(b"damaged")
        os.kill(server.process.pid, signal.SIGHUP)
        time.sleep(0.5)
        assert class_names() == [*CIFAR10_NAMES]
        make_bundle(tmp_path / "new.onnx", [*"abcdefghijk"], [*"abcdefghijk"])
        shutil.move(tmp_path / "new.onnx", path)
        os.kill(server.process.pid, signal.SIGHUP)

        # Each of six answers, of whichever worker, is the new model's.
        wait_until(lambda: all(class_names() == [*"abcdefghijk"] for _ in range(6)))
    finally:
        done.set()
        clients.shutdown()
    assert all(client.exception() is None for client in asking)
    assert len(statuses) > 20
    assert set(statuses) == {200}
    text = server.ask("GET", "/metrics")[2].decode()
    assert metric(text, "imagette_model_swaps_total", outcome="done") == 2  # one for each worker
    assert metric(text, "imagette_model_swaps_total", outcome="failed") == 2


def test_a_model_that_ships_has_counts_and_the_pictures_where_they_are_at_hand(
    monkeypatch, cifar10_dir, lite
):
    monkeypatch.setattr(described_dataset, "find_cifar10", lambda: None)
    told = lite.get("/dataset").json
    assert (told["name"], told["examples_of"]) == ("cifar10", None)
    for split, count in {"train": 4500, "validation": 500, "test": 1000}.items():
        assert [one[split] for one in told["classes"]] == [count] * 10
    assert not any(one["examples"] for one in told["classes"])
    monkeypatch.undo()

    monkeypatch.setenv("IMAGETTE_CIFAR10_DIR", str(cifar10_dir))
    shown = lite.get("/dataset").json
    assert shown["examples_of"] == "test"
    assert all(len(one["examples"]) == 10 for one in shown["classes"])
    assert [one | {"examples": []} for one in shown["classes"]] == told["classes"]


def test_a_model_that_does_not_say_what_it_learned_from(client):
    response = client.get("/dataset")
    assert (response.status_code, kind_of(response)) == (404, "no-dataset")


def test_the_card_is_in_the_language_that_is_asked_for(lite):
    response = lite.get("/model/card?language=fr")
    assert response.content_type == "text/markdown; charset=utf-8"
    assert response.text == model_card(Classifier("cifar10-lite").metadata, "fr")
    assert "## Limits" in lite.get("/model/card").text
    refused = lite.get("/model/card?language=de")
    assert (refused.status_code, kind_of(refused)) == (400, "wrong-option")


def test_an_answer_can_be_explained_and_says_how_familiar(lite):
    def answer(**options):
        return send(lite, picture_file(size=(80, 60)), query_string=options).json

    plain = answer()
    assert isinstance(plain["known"], bool)
    assert 0 <= plain["familiarity"] <= 1
    assert "explanation" not in plain
    for option in ("1", "png"):
        found = answer(explain=option)
        assert found["explanation"]["class"] == plain["class"]
        assert found["explanation"]["heat_map"].startswith("data:image/png;base64,")
    heat = answer(explain="array")["explanation"]["heat_map"]
    assert (len(heat), len(heat[0])) == (48, 64)
    assert all(0 <= value <= 1 for row in heat for value in row)
