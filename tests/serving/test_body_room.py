"""Only so many bytes of bodies are held at once, only so many bodies come, and all get a share."""

import gzip
import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
from support.images import noise
from support.problems import kind_of
from support.running_server import RunningServer, picture_file
from support.stalled import stalled_bodies

from imagette.serving.app import create_app
from imagette.serving.settings import Settings

LARGE = noise(0, 300, 300)  # some 270 kB
OTHER = {"REMOTE_ADDR": "192.0.2.7"}
OF_ONE = 2
"""How many of them one client may have held, where there is room for four."""


@pytest.fixture
def app(bundle_path):
    """An application with room for four large bodies, for which none waits long."""
    return create_app(
        Settings(
            model=bundle_path,
            max_upload_bytes=len(LARGE),
            decoding_bytes=4_400_000,
            max_wait_seconds=0.05,
        )
    )


def send(app, content=LARGE, **options):
    return app.test_client().post("/predict", data=content, content_type="image/png", **options)


def chunked():
    return {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "CONTENT_LENGTH": "",
        "wsgi.input": io.BytesIO(picture_file()),
        "wsgi.input_terminated": True,
    }


@contextmanager
def held(app, monkeypatch, sent=LARGE):
    """A client has as many bodies held as it may; what it was answered, once the block ends."""
    begun, may_end, answers = [Event() for _ in range(OF_ONE)], Event(), []
    order = iter(begun)

    def hold(request, _):
        request.get_data()
        next(order).set()
        may_end.wait(20)
        raise ZeroDivisionError

    with ThreadPoolExecutor(OF_ONE) as pool:
        with monkeypatch.context() as patch:
            patch.setattr("imagette.serving.routes.predict.read_images", hold)
            asked = [pool.submit(send, app, sent) for _ in begun]
            assert all(one.wait(20) for one in begun)
        try:
            yield answers
        finally:
            may_end.set()
            answers += [one.result().status_code for one in asked]


def test_a_client_has_its_share_and_others_theirs(app, monkeypatch):
    with held(app, monkeypatch) as answers:
        refused = send(app)
        assert (refused.status_code, kind_of(refused)) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert send(app, environ_overrides=OTHER).status_code == 200
        assert send(app, picture_file()).status_code == 200
    assert answers == [500] * OF_ONE
    assert send(app).status_code == 200


def test_what_unpacks_to_much_or_does_not_say_how_much_comes_counts_as_much(app, monkeypatch):
    packed = gzip.compress(bytes(len(LARGE)))
    assert len(packed) < 1000
    with held(app, monkeypatch):
        assert send(app, packed, headers={"Content-Encoding": "gzip"}).status_code == 503
        assert send(app, packed).status_code == 503
        assert send(app, environ_overrides=chunked()).status_code == 503
        assert send(app, environ_overrides=chunked() | OTHER).status_code == 200


def test_a_body_waits_for_room(bundle_path, monkeypatch):
    settings = Settings(model=bundle_path, max_upload_bytes=len(LARGE), decoding_bytes=4_400_000)
    app = create_app(settings)
    with ThreadPoolExecutor(4) as pool:
        with held(app, monkeypatch):
            waiting = [pool.submit(send, app) for _ in range(4)]
            gauge = app.test_client().get("/metrics").text
            while "imagette_requests_waiting 4" not in gauge:
                gauge = app.test_client().get("/metrics").text
            assert not any(one.done() for one in waiting)
        assert [one.result().status_code for one in waiting] == [200] * 4


def test_room_is_given_back_whatever_the_answer(app):
    for content in [b"x" * len(LARGE), LARGE, LARGE[:200_000], gzip.compress(LARGE[:200_000])] * 4:
        assert send(app, content).status_code in (200, 400)
    packed = gzip.compress(bytes(4 * len(LARGE)))
    for _ in range(8):
        assert send(app, packed).status_code == 413


@pytest.mark.slow
def test_bodies_that_stall_leave_the_worker_to_others(bundle_path):
    environment = {"IMAGETTE_WORKERS": "1", "IMAGETTE_API_KEYS": "secret"}
    key = {"X-API-Key": "secret", "Content-Type": "image/png"}
    with RunningServer(bundle_path, **environment) as server:
        server.wait_until_ready()
        # More than a worker has threads: some with a key, some without one.
        heads = [["X-API-Key: secret"], ["X-API-Key: wrong"], ["Transfer-Encoding: chunked"]]
        with stalled_bodies(server.port, 700, "127.0.0.2", *heads):
            assert server.ask("GET", "/healthz")[0] == 200
            for content in (picture_file(), LARGE):
                assert server.ask("POST", "/predict", content, key)[0] == 200
