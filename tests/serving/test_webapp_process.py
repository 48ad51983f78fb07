"""The page's process keeps to itself: it asks nothing of any other machine."""

import http.client
import socket
from threading import Thread

import pytest
from support.running_server import free_port, is_listening, wait_until

from imagette import ImagetteError
from imagette.serving import webapp_process
from imagette.serving.webapp_process import WebappProcess, serve_webapp

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


def test_what_streamlit_finds_elsewhere_does_not_move_the_page(tmp_path, monkeypatch, capfd):
    elsewhere = {
        "STREAMLIT_SERVER_ADDRESS": "192.0.2.1",
        "STREAMLIT_SERVER_PORT": "1",
        "STREAMLIT_SERVER_BASE_URL_PATH": "elsewhere",
        "STREAMLIT_SERVER_SSL_CERT_FILE": "/no/such.pem",
        "STREAMLIT_SERVER_SSL_KEY_FILE": "/no/such.key",
        "STREAMLIT_GLOBAL_DEVELOPMENT_MODE": "true",
    }
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STREAMLIT_SERVER_HEADLESS", "false")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(
        '[server]\nbaseUrlPath = "other"\nport = 2\nsslCertFile = "/no/other.pem"\n'
        'sslKeyFile = "/no/other.key"\n'
    )
    port = free_port()
    webapp = WebappProcess("127.0.0.1", port, "http://127.0.0.1:1", 10_000_000, "", "/imagette")
    webapp.start()
    try:
        wait_until(webapp.is_ready)
        assert webapp.url == f"http://127.0.0.1:{port}/imagette"
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/imagette/about")
        headers = connection.getresponse().headers
        assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
    finally:
        webapp.stop()
    told = capfd.readouterr().err
    assert all(name in told for name in elsewhere)
    assert "--base-path" in told


def test_a_page_that_never_answers_ends_with_a_reason(monkeypatch, capfd):
    monkeypatch.setattr(webapp_process, "_SECONDS_TO_START", 0)
    port = free_port()
    reason = f"does not answer at http://127.0.0.1:{port}/imagette"
    with pytest.raises(ImagetteError, match=reason):
        serve_webapp("http://127.0.0.1:1", "127.0.0.1", port, 10_000_000, base_path="/imagette")
    assert not is_listening(port)
    assert "Not used" not in capfd.readouterr().err
