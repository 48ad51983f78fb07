"""`POST /predict` is answered as Flask would answer it, whatever is sent."""

import io
import json

import pytest
from support.images import noise
from support.running_server import picture_file

from imagette.serving.app import create_app
from imagette.serving.settings import Settings

KEY = {"Authorization": "Bearer key"}
PNG = {"data": picture_file(), "content_type": "image/png"}
REQUESTS = {
    "a picture": PNG,
    "a form": {"data": {"image": (picture_file(), "a.png")}},
    "two, one empty": {"data": {"image": [(picture_file(), "a.png"), (b"", "b.png")]}},
    "JSON": {"json": {"image": [[0.5, 0.5], [0.5, 0.5]]}},
    "explained": PNG | {"query_string": "explain=array&seen=1"},
    "a wrong option": PNG | {"query_string": "explain=perhaps"},
    "nothing": {},
    "no picture": {"data": b"text", "content_type": "image/png"},
    "no content type it knows": {"data": b"text", "content_type": "text/plain"},
    "too large": {"data": b"x" * 100_001, "content_type": "image/png"},
    "too many pixels": {"data": noise(0, 200, 200), "content_type": "image/png"},
    "no key": PNG | {"headers": {}},
    "a page of another site": PNG | {"headers": KEY | {"Origin": "https://example.org"}},
    "its own id": PNG | {"headers": KEY | {"X-Request-ID": "mine"}},
    "another method": {"method": "GET"},
}  # fmt: skip


@pytest.fixture(scope="module")
def apps(bundle_path):
    """The application as it is, and one that sends everything through Flask."""
    settings = Settings(
        model=bundle_path, api_keys=("key",), requests_per_minute=1000, max_pixels=30_000,
        max_upload_bytes=100_000, cors_origins=("https://example.org",),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        fast = create_app(settings)
        patch.setattr("imagette.serving.app.FastPredict", lambda app, *_: app.wsgi_app)
        slow = create_app(settings)
    return fast, slow


def fresh(request):
    """The request with files of its own: a client closes those it is given."""
    data = request.get("data")
    if isinstance(data, dict):
        files = data["image"] if isinstance(data["image"], list) else [data["image"]]
        request = request | {"data": {"image": [(io.BytesIO(file), name) for file, name in files]}}
    return {"method": "POST", "headers": KEY} | request


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_are_those_of_flask(apps, name):
    answers = [app.test_client().open("/predict", **fresh(REQUESTS[name])) for app in apps]
    bodies = [json.loads(answer.data) for answer in answers]
    heads = [dict(answer.headers) for answer in answers]
    if "X-Request-ID" not in fresh(REQUESTS[name])["headers"]:
        assert len({head.pop("X-Request-ID") for head in heads}) == 2
    assert bodies[0] == bodies[1]
    assert heads[0] == heads[1]
    assert answers[0].status == answers[1].status


def test_requests_that_fail_inside_are_told_as_flask_tells_them(apps, monkeypatch):
    monkeypatch.setattr("imagette.serving.routes.predict.read_images", lambda *_: 1 / 0)
    answers = [app.test_client().open("/predict", **fresh(PNG)) for app in apps]
    assert [answer.status_code for answer in answers] == [500, 500]
    assert answers[0].data == answers[1].data
