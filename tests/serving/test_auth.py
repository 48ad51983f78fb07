"""Who may ask, how often, and from where."""

import io

import pytest
from pydantic import SecretStr
from support.problems import kind_of
from support.running_server import picture_file

from imagette import ImagetteError
from imagette.serving.settings import Settings


@pytest.mark.parametrize(
    "header",
    [{"Authorization": "Bearer two"}, {"Authorization": "bearer one"}, {"X-API-Key": "two"}],
)
def test_any_of_the_keys_opens(make_client, header):
    client = make_client(api_keys="one, two")
    assert client.get("/model", headers=header).status_code == 200


@pytest.mark.parametrize(
    "header",
    [{}, {"Authorization": "Bearer three"}, {"X-API-Key": ""}, {"Authorization": "Basic one"},
     {"X-API-Key": "one, two"}, {"X-API-Key": "ключ".encode().decode("latin-1")}],
)  # fmt: skip
def test_nothing_else_does(make_client, header):
    client = make_client(api_keys="one, two")
    for method, path in (("GET", "/model"), ("POST", "/predict"), ("GET", "/metrics")):
        response = client.open(path, method=method, headers=header)
        assert response.status_code == 401
        assert kind_of(response) == "unauthorized"
        assert response.headers["WWW-Authenticate"] == "Bearer"


def test_probes_and_the_description_ask_for_no_key(make_client):
    client = make_client(api_keys="one")
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert client.get(path).status_code == 200
    document = client.get("/openapi.json").json
    assert document["security"]
    assert document["paths"]["/readyz"]["get"]["security"] == []
    assert "security" not in document["paths"]["/predict"]["post"]


@pytest.mark.parametrize(
    "keys",
    [",", " ", " , ,", "\t", "clé", ("",), ("one", " "), ("one", "clé"), (SecretStr("clé"),)],
)
def test_keys_that_would_not_hold_are_refused(monkeypatch, keys):
    def refuse(**given):
        with pytest.raises(ImagetteError, match="IMAGETTE_API_KEYS") as error:
            Settings(**given)
        assert "clé" not in str(error.value)

    refuse(api_keys=keys)
    if isinstance(keys, str):
        monkeypatch.setenv("IMAGETTE_API_KEYS", keys)
        refuse()


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "1e9"])
def test_a_time_that_no_clock_has_is_refused(seconds):
    with pytest.raises(ImagetteError, match="max_seconds"):
        Settings(max_seconds=seconds)


def test_keys_are_in_no_message(monkeypatch):
    monkeypatch.setenv("IMAGETTE_API_KEYS", "very-secret")
    assert "very-secret" not in repr(Settings())


def test_pages_of_the_sites_allowed_may_read_the_answers(make_client):
    client = make_client(cors_origins="https://one.example, https://two.example")
    answer = client.get("/model", headers={"Origin": "https://two.example"})
    assert answer.headers["Access-Control-Allow-Origin"] == "https://two.example"
    assert answer.headers["Vary"] == "Origin"
    asked = client.options(
        "/predict",
        headers={"Origin": "https://one.example", "Access-Control-Request-Method": "POST"},
    )
    assert asked.status_code == 200
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert "X-API-Key" in asked.headers["Access-Control-Allow-Headers"]
    # An error is read too, or a page could not say what is wrong.
    error = client.get("/nowhere", headers={"Origin": "https://one.example"})
    assert error.headers["Access-Control-Allow-Origin"] == "https://one.example"


def test_other_sites_may_not(make_client):
    for settings in ({}, {"cors_origins": "https://one.example"}):
        answer = make_client(**settings).get("/model", headers={"Origin": "https://evil.example"})
        assert "Access-Control-Allow-Origin" not in answer.headers
    every = make_client(cors_origins="*").get("/model", headers={"Origin": "https://any.example"})
    assert every.headers["Access-Control-Allow-Origin"] == "*"


def test_only_as_many_proxies_are_believed_as_are_trusted(make_client):
    forwarded = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(3)]
    trusting = make_client(requests_per_minute=1, trusted_proxies=1)
    assert [trusting.get("/model", headers=one).status_code for one in forwarded] == [200] * 3
    wary = make_client(requests_per_minute=1)
    assert [wary.get("/model", headers=one).status_code for one in forwarded] == [200, 429, 429]


def test_a_request_that_waits_too_long_is_told_when_to_come_back(make_client):
    client = make_client(max_seconds=1e-9)
    response = client.post("/predict", data={"image": (io.BytesIO(picture_file()), "a.png")})
    assert (response.status_code, kind_of(response)) == (503, "out-of-time")
    assert int(response.headers["Retry-After"]) > 0


def test_headers_that_keep_browsers_careful(make_client):
    for path in ("/", "/healthz", "/model", "/nowhere", "/docs"):
        headers = make_client().get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
