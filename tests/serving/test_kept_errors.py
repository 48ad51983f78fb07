"""A refused picture leaves nothing behind: its error would hold the picture and the whole body."""

import gc
import io
import json

import pytest
from support.images import noise
from support.running_server import picture_file

from imagette.errors import ImagetteError
from imagette.serving.app import create_app
from imagette.serving.settings import Settings

BAD = b"\x89PNG\r\n\x1a\n but no more"


@pytest.fixture(scope="module")
def app(bundle_path):
    return create_app(Settings(model=bundle_path, max_pixels=10_000))


def form(*contents):
    return {"data": {"image": [(io.BytesIO(one), "a.png") for one in contents]}}


def texts(*contents):
    return {"data": json.dumps({"images": contents}), "content_type": "application/json"}


def errors():
    """All that are alive, those that other tests keep too."""
    return [one for one in gc.get_objects() if issubclass(type(one), ImagetteError)]


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(form(picture_file(), BAD, BAD), id="damaged"),
        pytest.param(form(picture_file(), b"", b"text"), id="no pictures"),
        pytest.param(form(noise(0, 200, 200), noise(1, 200, 200)), id="too large"),
        pytest.param(texts("iVBORw0KGgo=", "%", "http://example.org/a.png"), id="JSON"),
        pytest.param(texts([[1, 2], [3]], [[0.5, 7]]), id="numbers"),
    ],
)
def test_no_error_is_alive_after_the_answer(app, sent):
    gc.collect()
    before = set(map(id, errors()))
    gc.disable()
    try:
        answer = app.test_client().post("/predict", **sent)
        assert any("type" in one for one in answer.json["predictions"])
        kept = [one for one in errors() if id(one) not in before]
        assert [str(one) for one in kept if one.__traceback__] == []
    finally:
        gc.enable()
