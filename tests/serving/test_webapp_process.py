"""The page's process keeps to itself: it asks nothing of any other machine."""

import http.client
import socket
from threading import Thread

import pytest
from support.running_server import free_port, is_listening, wait_until

from imagette.serving.webapp_process import WebappProcess

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")


@pytest.fixture
def proxy_calls(monkeypatch):
    """What goes to the proxy of the environment, where requests to other machines would go."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")

        def listen():
            while True:
                try:
                    connection, _ = proxy.accept()
                except OSError:  # closed, when the test is over
                    return
                calls.append(connection.recv(1000))
                connection.close()

        Thread(target=listen, daemon=True).start()
        yield calls


def test_nothing_is_asked_of_other_machines(proxy_calls):
    webapp = WebappProcess("0.0.0.0", free_port(), f"http://127.0.0.1:{free_port()}", 10_000_000)
    webapp.start()
    try:
        wait_until(lambda: is_listening(webapp.port))
        connection = http.client.HTTPConnection("127.0.0.1", webapp.port, timeout=30)
        # A page of another site: Streamlit would look up this machine's public address to compare.
        headers = {
            "Origin": "http://example.org", "Connection": "Upgrade", "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        }  # fmt: skip
        connection.request("GET", "/_stcore/stream", headers=headers)
        assert connection.getresponse().status == 403
    finally:
        webapp.stop()
    assert proxy_calls == []
