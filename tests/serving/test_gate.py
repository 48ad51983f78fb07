"""What pictures pass before they are decoded."""

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psutil
import pytest
from support.decoding import describe, kill_oneself, sleep
from support.problems import kind_of
from support.running_server import picture_file, wait_until

from imagette.errors import ImageError
from imagette.images.open_image import OpenedImage, open_image
from imagette.inference.classifier import Classifier
from imagette.serving.decoders import DecoderEndedError, Decoders
from imagette.serving.decoding_process import Job
from imagette.serving.state import EXTENSION

LARGE = picture_file(size=(1200, 900), kind="JPEG")
ONE_CORE = {"workers": os.cpu_count(), "max_wait_seconds": 0.01}
SLOW = picture_file(size=(1200, 900), kind="JPEG2000")
JPEG_2000 = picture_file(kind="JPEG2000")

WORKER = """
from pathlib import Path
from support.decoding import tell_and_sleep
from imagette.serving.decoders import Decoders
from imagette.serving.decoding_process import Job
Decoders(1, 0).run(Job(tell_and_sleep, Path("picture").read_bytes(), 10_000_000, 160, (), 30))
"""


@pytest.fixture(scope="module")
def decoders():
    return Decoders(2, niceness=5)


def send(client, *contents, **options):
    files = [(io.BytesIO(content), f"{n}.png") for n, content in enumerate(contents)]
    return client.post("/predict", data={"image": files}, **options)


def job(function, content=LARGE, seconds=30.0, arguments=()):
    return Job(function, content, 10_000_000, 160, arguments, seconds)


def test_large_pictures_are_decoded_by_a_process_that_stays(decoders):
    pid, priority, pixels = decoders.run(job(describe))
    assert pid != os.getpid()
    assert priority > os.getpriority(os.PRIO_PROCESS, 0)
    assert pixels == 1200 * 900
    [view] = decoders.run(job(OpenedImage.views, arguments=(32, 32, "whole")))
    assert view.pixels.shape == (32, 32, 3)
    with pytest.raises(ImageError, match="cannot be read"):
        decoders.run(job(OpenedImage.views, LARGE[:-300], arguments=(32, 32)))
    with pytest.raises(ImageError, match="million allowed") as caught:
        decoders.run(Job(describe, LARGE, 100, 1120, (), 30))
    assert caught.value.too_large
    assert decoders.run(job(describe))[0] == pid


def test_one_that_ends_or_takes_too_long_is_replaced(decoders):
    for function, seconds in ((kill_oneself, 30), (sleep, 0.2)):
        with pytest.raises(DecoderEndedError):
            decoders.run(job(function, seconds=seconds))
    pid = decoders.run(job(describe))[0]
    os.kill(pid, signal.SIGKILL)  # while nothing is asked of it
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert decoders.run(job(describe))[0] != pid


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it ends when its time is up")
def test_one_ends_with_its_worker_in_the_middle_of_a_job(tmp_path):
    (tmp_path / "picture").write_bytes(LARGE)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    decoder = psutil.Process(int(worker.stderr.readline()))
    worker.kill()
    worker.wait()
    decoder.wait(10)
    worker.stderr.close()


@pytest.mark.parametrize(
    ("content", "elsewhere"),
    [
        (picture_file(), False),
        (picture_file(size=(800, 600), kind="WEBP"), False),
        (LARGE, True),
        (JPEG_2000, True),  # its decoder lets nobody else work meanwhile
        (b"P3 2 1 255 1 2 3 4 5 6\n", True),  # it is written in Python
        (LARGE[:2] + b"\xff\xda" * 40, None),
    ],
)
def test_what_would_hold_up_others_is_decoded_elsewhere(
    make_client, monkeypatch, content, elsewhere
):
    client, asked, run = make_client(), [], Decoders.run
    monkeypatch.setattr(Decoders, "run", lambda *given: asked.append(given) or run(*given))
    response = send(client, content)
    assert response.status_code == (400 if elsewhere is None else 200)
    assert bool(asked) == bool(elsewhere)


def test_what_a_request_may_take_is_told_by_picture(make_client):
    large = picture_file(size=(1200, 900))
    cost = open_image(large, at_least=5 * 32).decoding_bytes
    client = make_client(decoding_bytes=int(1.75 * cost))
    answers = send(client, *[large] * 4, picture_file()).json["predictions"]
    refused = [answer.get("type", "").rpartition(":")[2] for answer in answers]
    assert refused == ["", "", "", "too-much-decoding", ""]
    assert "in another request" in answers[3]["detail"]
    alone = send(make_client(decoding_bytes=cost), large)
    assert (alone.status_code, kind_of(alone)) == (413, "picture-too-large")


def test_a_crash_of_a_decoder_is_a_problem_of_the_picture(make_client, monkeypatch):
    client = make_client()
    monkeypatch.setattr(OpenedImage, "views", kill_oneself)
    response = send(client, LARGE)
    assert (response.status_code, kind_of(response)) == (400, "unreadable-picture")


def test_as_many_threads_compute_as_there_are_processors_for_a_worker(make_client, monkeypatch):
    client = make_client(workers=os.cpu_count())
    at_once, most, predict = [], [], Classifier.predict

    def slowly(*arguments):
        at_once.append(None)
        most.append(len(at_once))
        time.sleep(0.02)  # as a network, it leaves Python to others
        at_once.pop()
        return predict(*arguments)

    monkeypatch.setattr(Classifier, "predict", slowly)
    with ThreadPoolExecutor(4) as threads:
        clients = [client.application.test_client() for _ in range(8)]
        answers = list(threads.map(lambda one: send(one, picture_file()).status_code, clients))
    assert answers == [200] * 8
    assert most == [1] * 8


def test_load_is_shed(make_client, monkeypatch):
    """One large picture is being decoded, and others would have to wait too long."""
    client, begun, go_on = make_client(**ONE_CORE), Event(), Event()
    decoders = client.application.extensions[EXTENSION].lanes.slow.decoders
    run = decoders.run

    def stall(job):
        begun.set()
        assert go_on.wait(30)
        return run(job)

    monkeypatch.setattr(decoders, "run", stall)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(lambda: send(client.application.test_client(), SLOW).status_code)
        assert begun.wait(30)
        for contents in ((SLOW,), (SLOW, SLOW)):
            response = send(client, *contents)
            assert (response.status_code, kind_of(response)) == (503, "overloaded")
            assert int(response.headers["Retry-After"]) >= 1
        # What is quick goes past, and only what is slow is refused beside it.
        assert send(client, picture_file(), LARGE).status_code == 200
        mixed = send(client, picture_file(), SLOW).json["predictions"]
        assert "class" in mixed[0]
        assert mixed[1]["type"].endswith("overloaded")
        go_on.set()
        assert first.result(30) == 200


def chunk(kind, data=b""):
    """A part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("place", [33, -12], ids=["before the pixels", "after them"])
def test_a_file_made_to_take_long_holds_up_no_tiny_pictures(make_client, place):
    client = make_client()
    png = picture_file(size=(32, 32))
    slow = png[:place] + chunk(b"abcd") * 300_000 + png[place:]
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(send, client, slow)
        time.sleep(0.1)  # it is in the middle of that
        lanes = client.application.extensions[EXTENSION].lanes
        assert lanes.computing.acquire(timeout=0.2)
        lanes.computing.release()
        assert not asked.done()
        assert asked.result().status_code == 200
