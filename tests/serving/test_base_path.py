"""API under a path: every address, what it says of its addresses, and what is outside."""

import io
import json

import pytest
from support.problems import kind_of
from support.running_server import picture_file

from imagette import ImagetteError
from imagette.serving.settings import Settings

PREFIX = "X-Forwarded-Prefix"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("/imagette", "/imagette"),
        ("imagette", "/imagette"),
        ("/imagette/", "/imagette"),
        (" apps/imagette/ ", "/apps/imagette"),
        ("/v1.0/~me_and-you", "/v1.0/~me_and-you"),
        ("/", ""),
        ("", ""),
    ],
)
def test_a_path_is_understood_however_it_is_written(monkeypatch, given, used):
    assert Settings(base_path=given).base_path == used
    monkeypatch.setenv("IMAGETTE_BASE_PATH", given)
    assert Settings().base_path == used


@pytest.mark.parametrize(
    "given",
    ["/a b", "//x", "/a//b", "/a//", "../a", "/a/..", "/a/./b", "/é", "/a?b", "/a%20b", "C:/a",
     "/a\n/b", "https://www.example.org/imagette"],
)  # fmt: skip
def test_what_cannot_be_a_path_is_told(given):
    with pytest.raises(ImagetteError, match=r"IMAGETTE_BASE_PATH.*(?s:.)* such as /imagette"):
        Settings(base_path=given)


@pytest.fixture
def client(make_client):
    return make_client(base_path="/imagette")


def test_every_address_is_under_the_path_and_says_so(client):
    index = client.get("/imagette/").json
    assert client.get("/imagette").json == index
    assert "POST /imagette/predict" in index["endpoints"]
    for name in index["endpoints"]:
        method, _, address = name.partition(" ")
        answer = client.open(address, method=method)
        # What is not there is a dataset or a model, not the address.
        assert answer.status_code != 404 or b"nothing at this address" not in answer.data
        assert client.open(address, method="PATCH").status_code == 405
    assert client.get("/imagette/docs/start.js").status_code == 200
    document = client.get("/imagette/openapi.json").json
    assert document["servers"] == [{"url": "/imagette"}]
    assert "/predict" in document["paths"]
    wrong = client.get("/imagette/nothing")
    assert kind_of(wrong) == "not-found"
    assert "GET /imagette/ lists" in wrong.json["detail"]


@pytest.mark.parametrize(
    "address",
    ["/", "/predict", "/docs", "/nothing", "/imagettes/model", "/other/imagette/model",
     "/Imagette/model"],
)  # fmt: skip
def test_what_is_outside_is_told_where_to_go(client, address):
    for method in ("GET", "POST", "OPTIONS"):
        response = client.open(address, method=method)
        assert response.status_code == 404
        assert response.headers["X-Request-ID"]
        assert kind_of(response) == "not-found"
        assert "begin with /imagette" in response.json["detail"]


def test_probes_and_prometheus_ask_with_the_path_and_without(client, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    client.get("/imagette/model")
    client.get("/model")
    for prefix in ("", "/imagette"):
        assert client.get(f"{prefix}/healthz").json == {"status": "ok"}
        assert client.get(f"{prefix}/readyz").json == {"status": "ready"}
        metrics = client.get(f"{prefix}/metrics").text
        # By the route alone, so that dashboards hold wherever the API is.
        assert 'imagette_requests_total{method="GET",route="/model",status="200"} 1.0' in metrics
        assert 'imagette_requests_total{method="GET",route="",status="404"} 1.0' in metrics


def test_keys_are_asked_for_under_the_path_too(make_client):
    client = make_client(base_path="/imagette", api_keys="secret")
    assert client.get("/imagette/healthz").status_code == 200
    assert client.get("/imagette/openapi.json").json["servers"] == [{"url": "/imagette"}]
    assert client.get("/imagette/model").status_code == 401
    assert client.get("/imagette/model", headers={"X-API-Key": "secret"}).status_code == 200


def test_a_lesson_is_where_its_location_says(make_client, tmp_path, backbone):
    client = make_client(teach=True, lessons_dir=tmp_path, base_path="/imagette")
    begun = client.post("/imagette/lessons", json={"class_names": ["cat", "dog"]})
    location = begun.headers["Location"]
    assert location.startswith("/imagette/lessons/")
    assert client.get(location).json["id"] == begun.json["id"]


def test_a_path_that_a_trusted_proxy_took_off_is_known(make_client):
    client = make_client(trusted_proxies=1)
    headers = {PREFIX: "/imagette"}
    assert "GET /imagette/model" in client.get("/", headers=headers).json["endpoints"]
    assert client.get("/openapi.json", headers=headers).json["servers"] == [{"url": "/imagette"}]
    data = {"image": (io.BytesIO(picture_file()), "a.png")}
    assert client.post("/predict", data=data, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("proxies", "prefix", "path"),
    [
        (1, "/imagette/", "/imagette"),
        (1, "imagette", "/imagette"),
        (1, "/not/believed, /imagette", "/imagette"),
        (2, "/imagette", "/imagette"),  # the other one takes nothing off
        (2, "/apps, /imagette", "/apps/imagette"),
    ],
)
def test_what_proxies_took_off_is_in_all_addresses(make_client, proxies, prefix, path):
    client = make_client(trusted_proxies=proxies)
    headers = {PREFIX: prefix}
    assert client.get("/openapi.json", headers=headers).json["servers"] == [{"url": path}]
    assert f"GET {path}/model" in client.get("/", headers=headers).json["endpoints"]


@pytest.mark.parametrize(
    ("settings", "prefix", "servers"),
    [
        ({}, "/imagette", None),  # no proxy is trusted
        ({"trusted_proxies": 1}, "//elsewhere.example.org", None),
        ({"trusted_proxies": 1}, '/"}],"x":[{"', None),
        ({"trusted_proxies": 1, "base_path": "/imagette"}, "/imagette", [{"url": "/imagette"}]),
    ],
)
def test_what_else_stands_in_that_header_counts_for_nothing(make_client, settings, prefix, servers):
    client = make_client(**settings)
    address = f"{settings.get('base_path', '')}/openapi.json"
    answer = client.get(address, headers={PREFIX: prefix})
    assert json.loads(answer.data).get("servers") == servers
