"""Only so many bytes of bodies are held at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from support.images import noise
from support.problems import kind_of
from support.running_server import picture_file

from imagette.serving.app import create_app
from imagette.serving.settings import Settings

LARGE = noise(0, 300, 300)  # some 270 kB


@pytest.fixture
def app(bundle_path):
    """An application with room for four large bodies."""
    return create_app(
        Settings(model=bundle_path, max_upload_bytes=len(LARGE), decoding_bytes=4_400_000)
    )


def send(app, content=LARGE, **options):
    return app.test_client().post("/predict", data=content, content_type="image/png", **options)


def test_what_there_is_no_room_for_is_refused_and_small_ones_are_not(app, monkeypatch):
    begun, may_end = [Event() for _ in range(4)], Event()
    order = iter(begun)

    def hold(*_):
        next(order).set()
        may_end.wait(20)
        raise ZeroDivisionError

    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr("imagette.serving.routes.predict.read_images", hold)
        held = [pool.submit(send, app) for _ in range(4)]
        assert all(one.wait(20) for one in begun)
        patch.undo()
        refused = send(app)
        assert (refused.status_code, kind_of(refused)) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": ""}
        assert send(app, picture_file(), environ_overrides=chunked).status_code == 503
        assert send(app, picture_file()).status_code == 200
        may_end.set()
        assert [one.result().status_code for one in held] == [500] * 4
    assert send(app).status_code == 200


def test_room_is_given_back_whatever_the_answer(app):
    for content in [b"x" * len(LARGE), LARGE, LARGE[:200_000]] * 4:
        assert send(app, content).status_code in (200, 400)
