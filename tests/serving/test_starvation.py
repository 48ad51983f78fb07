"""A running server that is sent what takes long, and answers others meanwhile."""

import http.client
import os
import re
import signal
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import psutil
import pytest
from support.running_server import RunningServer, is_running, picture_file, wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="one machine has two addresses on Linux"),
]

CONNECTIONS = 4


def form(content, count):
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    return (part + content + b"\r\n") * count + b"--b--\r\n"


# Its decoder lets nothing else of its process work meanwhile.
BOMBS = form(picture_file(size=(1500, 1500), mode="RGBA", kind="JPEG2000"), 8)


@pytest.fixture(scope="module")
def server(bundle_path):
    running = RunningServer(bundle_path)
    try:
        yield running.wait_until_ready()
    finally:
        running.kill()


def send(server, body, kind, address="127.0.0.1"):
    """The status of the answer; 0 where there was none."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=60, source_address=(address, 0)
    )
    try:
        connection.request("POST", "/predict", body, {"Content-Type": kind})
        response = connection.getresponse()
        response.read()
        return response.status
    except OSError:  # of a worker that was killed
        return 0
    finally:
        connection.close()


def gauge(server, name):
    text = server.ask("GET", "/metrics")[2].decode()
    return float(re.search(rf"^imagette_requests_{name} (\S+)$", text, re.M)[1])


@contextmanager
def attack(server):
    """Another client keeps sending bombs; how many of its requests were answered."""
    done, answered = Event(), Counter()

    def keep_sending():
        while not done.is_set():
            status = send(server, BOMBS, "multipart/form-data; boundary=b", "127.0.0.2")
            answered[status] += 1

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        sending = [threads.submit(keep_sending) for _ in range(CONNECTIONS)]
        try:
            wait_until(lambda: gauge(server, "in_flight") > CONNECTIONS)  # and that request itself
            yield answered
        finally:
            done.set()
    assert all(each.exception() is None for each in sending)


def test_others_are_answered_while_bombs_are_decoded(server):
    small, large = picture_file(), picture_file(size=(1200, 1000), kind="JPEG")
    assert send(server, large, "image/jpeg") == 200
    with attack(server) as answered:
        wait_until(lambda: gauge(server, "waiting") >= 1)  # two connections share a worker
        before, statuses = answered.total(), []
        while answered.total() == before:
            statuses.append(send(server, small, "image/png"))
        # One request of bombs is as much work as hundreds of these.
        assert len(statuses) > 20
        assert set(statuses) == {200}
        assert send(server, large, "image/jpeg") == 200
    assert answered.keys() == {200}
    # A request is counted until after its client has the answer.
    wait_until(lambda: gauge(server, "in_flight") == 1)
    assert gauge(server, "waiting") == 0


def test_a_killed_worker_leaves_nothing_behind(server):
    workers = [pid for pid in server.descendants() if os.getpgid(pid) == pid]
    assert len(workers) == 2

    def decoders(worker):
        return [one.pid for one in psutil.Process(worker).children()]

    with attack(server):
        wait_until(lambda: any(map(decoders, workers)))
        victim = next(filter(decoders, workers))
        decoding = decoders(victim)
        os.kill(victim, signal.SIGKILL)
    wait_until(lambda: gauge(server, "in_flight") == 1)
    wait_until(lambda: not any(map(is_running, decoding)))
    left = server.descendants()
    server.process.terminate()
    assert server.finish()[0] == 0
    wait_until(lambda: not any(map(is_running, left)))
