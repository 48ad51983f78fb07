"""The page's client, before servers that are not the API."""

import json
import socket
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from types import SimpleNamespace

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from support.running_server import free_port

from imagette.webapp import visitor
from imagette.webapp.client import Api, ApiDown, LessonApi, Refused


@pytest.fixture
def answering():
    """A function that starts a server with one answer to everything, and gives a client of it and
    the list of what it is asked: path and headers."""
    servers = []

    def start(status, body, content_type="application/json", key=""):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.end_headers()
                self.wfile.write(body)
                asked.append((self.path, self.headers))

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_):
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Handler))
        Thread(target=servers[-1].serve_forever, daemon=True).start()
        return Api(f"http://127.0.0.1:{servers[-1].server_port}/", key), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def problem(kind):
    return json.dumps({"type": f"urn:imagette:problem:{kind}"}).encode()


def test_nobody_there():
    with pytest.raises(ApiDown):
        Api(f"http://127.0.0.1:{free_port()}").model()


def test_an_address_that_names_no_lesson_leads_nowhere_else(answering):
    api, asked = answering(404, problem("not-found"))
    for lesson in ("..", "../model", "a?b", "%2e%2e"):
        with pytest.raises(Refused):
            LessonApi(api, lesson).status()
    expected = ["/lessons/--", "/lessons/---model", "/lessons/a-b", "/lessons/-2e-2e"]
    assert [path for path, _ in asked] == expected


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<h1>AirPlay</h1>"),
        (200, b"[]"),
        (200, b'{"hello": "world"}'),
        (403, b""),
        (404, b'{"type": "about:blank"}'),
        (404, problem("not-found")),  # the API, but below another path
        (502, b"<h1>Bad gateway</h1>"),
    ],
)
def test_somebody_else_there(answering, status, body):
    with pytest.raises(ApiDown):
        answering(status, body)[0].model()


def test_a_refusal_keeps_its_kind(answering):
    api, _ = answering(400, problem("unreadable-picture"), "application/problem+json")
    with pytest.raises(Refused) as refusal:
        api.model()
    assert refusal.value.kind == "unreadable-picture"


def test_a_proxy_in_the_environment_is_not_used(answering, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    api, _ = answering(200, b'{"class_names": []}')
    assert api.model() == {"class_names": []}


@pytest.mark.parametrize(("key", "header"), [("abc", "Bearer abc"), ("", None)])
def test_a_key_is_sent_where_there_is_one(answering, key, header):
    api, asked = answering(200, b'{"class_names": []}', key=key)
    api.model()
    assert asked[0][1].get("Authorization") == header


@pytest.mark.parametrize("kind", ["no-dataset", "not-found"])
def test_a_dataset_that_is_not_at_hand(answering, kind):
    assert answering(404, problem(kind))[0].dataset() is None


def test_an_api_that_does_not_answer_in_time(monkeypatch):
    monkeypatch.setattr("imagette.webapp.client._SECONDS", (3, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(Refused) as refusal:
            Api(f"http://127.0.0.1:{silent.getsockname()[1]}").model()
        assert refusal.value.kind == "out-of-time"


def test_it_says_for_whom_it_asks(answering, monkeypatch):
    api, asked = answering(200, b'{"class": "x"}')
    monkeypatch.delenv("IMAGETTE_PAGE_TOKEN", raising=False)
    Api(api.url, visitor="203.0.113.7").predict(b"x")
    monkeypatch.setenv("IMAGETTE_PAGE_TOKEN", "secret")
    Api(api.url, visitor="203.0.113.7").predict(b"x")
    Api(api.url).predict(b"x")
    said = [headers.get("X-Imagette-Visitor") for _, headers in asked]
    assert said == [None, "secret 203.0.113.7", "secret"]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        ("", ["198.51.100.1"], "203.0.113.7"),
        ("0", ["198.51.100.1"], "203.0.113.7"),
        ("1", ["192.0.2.9, 198.51.100.1"], "198.51.100.1"),
        ("2", ["192.0.2.9", "198.51.100.1"], "192.0.2.9"),
        ("2", ["198.51.100.1"], ""),
        ("1", ["é 198.51.100.1"], ""),
    ],
)
def test_who_looks_at_the_page(monkeypatch, proxies, forwarded, expected):
    headers = SimpleNamespace(get_all=lambda name: forwarded)
    context = SimpleNamespace(ip_address="203.0.113.7", headers=headers)
    monkeypatch.setattr(visitor.st, "context", context)
    monkeypatch.setenv("IMAGETTE_TRUSTED_PROXIES", proxies)
    assert visitor.visitor_address() == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"), [([], ""), (["198.51.100.1"], "127.0.0.1"), (["é"], "127.0.0.1")]
)
def test_who_comes_through_a_proxy_that_is_not_believed_is_one_visitor(
    monkeypatch, forwarded, expected
):
    headers = SimpleNamespace(get_all=lambda name: forwarded)
    context = SimpleNamespace(ip_address=None, headers=headers)  # as of this machine
    monkeypatch.setattr(visitor.st, "context", context)
    monkeypatch.delenv("IMAGETTE_TRUSTED_PROXIES", raising=False)
    assert visitor.visitor_address() == expected
