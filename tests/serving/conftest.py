"""Clients of the API, and the API as a program of its own."""

import pytest
from support.running_server import RunningServer

from imagette.serving.app import create_app
from imagette.serving.settings import Settings


@pytest.fixture(scope="module", autouse=True)
def _own_environment():
    """No setting of whoever runs the tests gets in."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields:
            patch.delenv(f"IMAGETTE_{name.upper()}", raising=False)
        yield


@pytest.fixture
def make_client(bundle_path):
    """A function that makes a client of an application with these settings."""

    def make(**settings):
        return create_app(Settings(**{"model": bundle_path} | settings)).test_client()

    return make


@pytest.fixture
def client(make_client):
    return make_client(max_pictures=8, max_pixels=1_000_000)


@pytest.fixture
def start_server(bundle_path):
    """A function that starts a server; what it started ends with the test."""
    servers = []

    def start(model=bundle_path, **options):
        servers.append(RunningServer(model, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
