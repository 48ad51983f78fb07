"""One client for all tests of requests, and what is right about its picture."""

import pytest
from support.clients import FILE, GREY

from imagette import Classifier
from imagette.serving.app import create_app
from imagette.serving.settings import Settings


@pytest.fixture(scope="module")
def client(bundle_path):
    settings = Settings(model=bundle_path, max_pictures=8, max_upload_bytes=2_000_000)
    return create_app(settings).test_client()


@pytest.fixture(scope="module")
def right(bundle_path):
    return Classifier(bundle_path).predict(FILE)


@pytest.fixture(scope="module")
def right_grey(bundle_path):
    return Classifier(bundle_path).predict(GREY)
