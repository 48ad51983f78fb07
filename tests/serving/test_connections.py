"""What clients, and proxies in front, do with their connections; and what a stop does with them."""

import http.client
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
from support.nginx import running_nginx
from support.running_server import RunningServer, free_port, picture_file

from imagette.serving import connections
from imagette.serving.stop import Interrupt

pytestmark = pytest.mark.slow

IDLE = 600
LIMIT = 5_000_000
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

PROXY = """
server {{
    listen 127.0.0.1:{proxy};
    client_max_body_size 0;
    location / {{ proxy_pass http://127.0.0.1:{server}; }}
}}
"""


@pytest.fixture(scope="module")
def server(bundle_path):
    """A server with one worker, a key and a rate."""
    settings = {
        "WORKERS": "1",
        "API_KEYS": "secret",
        "REQUESTS_PER_MINUTE": "30",
        "MAX_UPLOAD_BYTES": str(LIMIT),
    }
    environment = {f"IMAGETTE_{name}": value for name, value in settings.items()}
    with RunningServer(bundle_path, **environment) as running:
        yield running.wait_until_ready()


def connect(server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def request(*lines: str, body=b"", path="/predict") -> bytes:
    head = (f"POST {path} HTTP/1.1", "Host: x", "X-API-Key: secret", *lines)
    return "\r\n".join((*head, "", "")).encode() + body


def answer(connection: socket.socket, status=200) -> bytes:
    """The body of an answer with this status."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = response.read()
    assert response.status == status, body
    return body


def test_idle_connections_take_no_requests_place(server):
    idle = [connect(server) for _ in range(IDLE)]
    try:
        assert server.ask("GET", "/healthz")[0] == 200
    finally:
        for one in idle:
            one.close()


def test_a_body_that_stalls_is_ended_and_others_are_not(start_server):
    """While one stalls, another comes slowly, a third waits between two requests."""
    patience = {"BODY_SECONDS": "1", "MAX_SECONDS": "2", "KEEP_ALIVE_SECONDS": "4"}
    server = start_server(**{f"IMAGETTE_{name}": value for name, value in patience.items()})
    server.wait_until_ready()
    file, kind = picture_file(), "Content-Type: image/png"
    with connect(server) as stalled, connect(server) as slow, connect(server) as waiting:
        stalled.sendall(request(kind, "Content-Length: 1000", body=b"\x89PNG"))
        slow.sendall(request(kind, f"Content-Length: {len(file)}", body=file[:50]))
        waiting.sendall(GET)
        answer(waiting)
        time.sleep(1)
        slow.sendall(file[50:])
        answer(slow)
        waiting.sendall(GET)
        answer(waiting)
        told = answer(stalled, 408)
        assert b"too slowly: 4 bytes of 1000 have come" in told
        assert waiting.recv(1) == b""  # four seconds after its last request


def test_one_that_waits_for_leave_to_send_is_refused_at_once(server):
    refused = request("Content-Length: 500000", "Expect: 100-continue", path="/nothing")
    with connect(server) as connection:
        connection.sendall(refused)
        answer(connection, 404)


@pytest.mark.parametrize("chunked", [False, True])
def test_refusals_reach_clients_behind_nginx(server, tmp_path, chunked):
    """Each is decided before the body is read, which goes on coming meanwhile."""
    port = free_port()
    key = {"X-API-Key": "secret"}

    def ask(path, size, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = b"x" * size
        connection.request("POST", path, iter([body]) if chunked else body, headers)
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "application/problem+json"
        answer.read()
        connection.close()
        return answer.status

    with running_nginx(tmp_path, PROXY.format(proxy=port, server=server.port), port):
        assert ask("/predict", LIMIT - 1) == 401
        assert ask("/nothing", LIMIT - 1, **key) == 404
        assert ask("/healthz", LIMIT - 1, **key) == 405
        assert ask("/predict", LIMIT + LIMIT // 20, **key) == 413
        assert ask("/predict", LIMIT - 1, **key, **{"Content-Type": "video/mp4"}) == 415
        if chunked:  # the last, since it uses the rate up
            assert {ask("/nothing", 1, **key) for _ in range(30)} == {404, 429}
            assert ask("/nothing", LIMIT - 1, **key) == 429


def test_a_stop_under_load_loses_nothing_and_ends(start_server):
    """With SIGHUP just before, clients that ask all the time, one idle, and one that stalls."""
    server = start_server(IMAGETTE_BODY_SECONDS="60").wait_until_ready()
    file, kind = picture_file(), {"Content-Type": "image/png"}

    def keep_asking():
        answered = 0
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            try:
                connection.connect()
            except OSError:  # refused: there is no server any more
                return answered
            while connection.sock:  # it is none once an answer says that it closes
                connection.request("POST", "/predict", file, kind)
                answer = connection.getresponse()
                assert answer.status == 200
                answer.read()
                answered += 1

    with ThreadPoolExecutor(8) as clients, connect(server), connect(server) as stalled:
        stalled.sendall(request("Content-Type: image/png", "Content-Length: 1000"))
        asking = [clients.submit(keep_asking) for _ in range(8)]
        time.sleep(0.5)
        os.kill(server.process.pid, signal.SIGHUP)
        os.kill(server.process.pid, signal.SIGTERM)
        status, printed = server.finish()
    assert status == 0, printed
    assert "ERROR" not in printed
    assert all(client.result() > 0 for client in asking)


def test_a_stop_without_clients_is_quick_while_workers_start(start_server):
    """They are told before they have set up anything, and do not have to be killed."""
    server = start_server()
    while not server.descendants():
        time.sleep(0.01)
    server.process.terminate()
    assert server.finish(timeout=5)[0] == 0


def test_whoever_connects_last_is_still_served():
    """No new one gets through, and what has connected is there to be accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert not connections.has_clients(port)
        with socket.create_connection(("127.0.0.1", port)) as first:
            connections.stop_accepting(port)
            first.sendall(b"hello")
            accepted, _ = listening.accept()
            with accepted, socket.socket() as second:
                assert connections.has_clients(port)
                assert accepted.recv(5) == b"hello"
                second.settimeout(0.2)
                with pytest.raises(TimeoutError):
                    second.connect(("127.0.0.1", port))


def test_a_signal_that_another_thread_gets_is_not_lost():
    """As the second of two at once; a handler runs in the main thread alone."""
    interrupt = Interrupt()
    before = signal.signal(signal.SIGUSR1, lambda *_: interrupt.set())
    try:
        sent = Thread(target=lambda: signal.raise_signal(signal.SIGUSR1))
        sent.start()
        assert interrupt.wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
        sent.join()
