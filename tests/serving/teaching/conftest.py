"""Clients of an API that may be taught."""

from functools import partial

import pytest


@pytest.fixture
def make_client(make_client, backbone, tmp_path):
    """A function that makes a client of an application that may be taught."""
    return partial(make_client, teach=True, lessons_dir=tmp_path / "lessons")


@pytest.fixture
def client(make_client):
    return make_client()
