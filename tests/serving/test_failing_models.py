"""Models that break while they serve, or are put in the place of one that serves."""

import json
import os
import re
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from support import hostile_models, running_server
from support.clients import FILE, TEXT
from support.hostile_models import write_hostile
from support.running_server import RunningServer, wait_until

from imagette.errors import ModelError
from imagette.inference.bundle import SHIPPED, Bundle

QUICK = """
from imagette.inference import trial
from imagette.serving import described_dataset
trial.SECONDS, trial._WAIT = 2, 60  # where much else is under way, a good model takes long
read = described_dataset._read_examples
def counted(folder):
    with open({log!r}, "a") as file:
        file.write("computed\\n")
    return read(folder)
described_dataset._read_examples = counted
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def server(folder):
    """A server of two workers that gives up a trial early, and notes what it computes."""
    shutil.copy(SHIPPED["cifar10-lite"], folder / "live.onnx")
    with pytest.MonkeyPatch.context() as patch:
        quick = QUICK.format(log=str(folder / "log"))
        patch.setattr(running_server, "PROGRAM", quick + running_server.PROGRAM)
        running = RunningServer(folder / "live.onnx")
    with running:
        yield running.wait_until_ready()


def memory(server):
    """What the workers take together, in bytes."""
    return sum(psutil.Process(pid).memory_info().rss for pid in server.descendants())


def test_the_pictures_of_cifar10_are_read_once(server, folder, cifar10_dir):
    before, highest = memory(server), 0
    with ThreadPoolExecutor(64) as clients:
        answers = [clients.submit(server.ask, "GET", "/dataset") for _ in range(64)]
        while not all(answer.done() for answer in answers):
            highest = max(highest, memory(server))
    bodies = {answer.result()[2] for answer in answers}
    assert len(bodies) == 1
    found = json.loads(bodies.pop())["classes"]
    assert [(one["train"], one["test"], len(one["examples"])) for one in found] == [
        (4500, 1000, 10)
    ] * 10
    assert (folder / "log").read_text().splitlines() == ["computed"]
    assert highest - before < 200e6
    assert memory(server) - before < 100e6


def swaps(server):
    text = server.ask("GET", "/metrics")[2].decode()
    found = re.findall(r'imagette_model_swaps_total\{outcome="(\w+)"\} (\d+)', text)
    return {outcome: int(count) for outcome, count in found}


@pytest.mark.slow
def test_what_takes_the_place_of_a_model_is_tried_first(server, folder):
    live, kept = folder / "live.onnx", json.loads(server.ask("GET", "/model")[2])
    hostile = (
        hostile_models.never_ends, hostile_models.takes_all_memory, hostile_models.answers_infinity
    )  # fmt: skip
    for number, change in enumerate(hostile, start=1):
        write_hostile(folder / "new.onnx", change).replace(live)
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda number=number: swaps(server).get("failed") == 2 * number, 120)
        assert json.loads(server.ask("GET", "/model")[2]) == kept
        assert server.ask("POST", "/predict", FILE)[0] == 200
    shutil.copy(SHIPPED["cifar10"], folder / "new.onnx")
    os.replace(folder / "new.onnx", live)  # noqa: PTH105
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: swaps(server).get("done") == 2, 120)
    assert json.loads(server.ask("GET", "/model")[2]) != kept
    assert swaps(server)["failed"] == 6
    assert len(server.descendants()) == 2

    server.process.send_signal(signal.SIGTERM)
    _, printed = server.finish()
    for words in ("within 2 s, so it was stopped", "GB of memory", "not from 0 to 1"):
        assert printed.count(words) == 2, printed


@pytest.mark.slow
def test_a_server_does_not_start_with_a_model_that_never_ends(tmp_path, monkeypatch, start_server):
    quick = "from imagette.inference import trial\ntrial.SECONDS, trial._WAIT = 1, 60\n"
    monkeypatch.setattr(running_server, "PROGRAM", quick + running_server.PROGRAM)
    path = write_hostile(tmp_path / "a.onnx", hostile_models.never_ends)
    status, printed = start_server(path).finish(120)
    assert status == 1
    assert "does not answer about a few pictures within 1 s" in printed
    assert "Traceback" not in printed


def test_a_model_that_fails_on_a_picture_is_told(client, monkeypatch, caplog):
    def fail(*_):
        raise ModelError("/secret/model.onnx answers with no numbers.", "Make another.")

    monkeypatch.setattr(Bundle, "run", fail)
    one = client.post("/predict", data=FILE)
    several = client.post("/models/tiny/predict", json={"images": [TEXT, TEXT]})
    for problem in (one.json, *several.json["predictions"]):
        assert problem["type"] == "urn:imagette:problem:model-failed"
        assert problem["status"] == 500
        assert "secret" not in str(problem)
    assert one.status_code == 500
    assert "/secret/model.onnx" in caplog.text
    assert 'imagette_problems_total{kind="model-failed"} 3.0' in client.get("/metrics").text
    assert client.post("/v2/models/tiny/infer", json={
        "inputs": [{"name": "image", "datatype": "BYTES", "shape": [1], "data": [TEXT]}]
    }).status_code == 500  # fmt: skip
