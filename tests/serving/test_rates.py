"""How often clients may ask: pictures and explanations, by key or address, counted in a Redis."""

import io
import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.problems import kind_of
from support.redis_server import running_redis
from support.running_server import picture_file

from imagette.errors import ImagetteError
from imagette.serving import rate_limit
from imagette.serving.middleware import KEY_NAME_KEY
from imagette.serving.rate_limit import RateLimit


@pytest.fixture
def redis(tmp_path):
    with running_redis(tmp_path) as server:
        yield server


def send(client, pictures, query="", **environ):
    files = [(io.BytesIO(picture_file()), f"{n}.png") for n in range(pictures)]
    return client.post("/predict" + query, data={"image": files}, environ_base=environ)


def test_a_client_may_ask_so_often_and_no_more(make_client):
    client = make_client(requests_per_minute=3)
    for _ in range(3):
        assert client.get("/model").status_code == 200
    response = client.get("/model")
    assert (response.status_code, kind_of(response)) == (429, "too-many-requests")
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert client.get("/healthz").status_code == 200
    other = client.get("/model", environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("client", "another"),
    [(["2001:db8::1", "2001:db8::2", "2001:db8::3"], "2001:db8:0:1::1"),
     (["203.0.113.7:1234", "::ffff:203.0.113.7", "203.0.113.7"], "::ffff:203.0.113.8"),
     (["[2001:db8::1]:80", "2001:db8::2", "[2001:db8::3]"], "[2001:db8:0:1::1]:80")],
    ids=["a network of IPv6", "IPv4 in any form", "IPv6 in any form"],
)  # fmt: skip
def test_one_client_is_one_however_its_address_is_written(make_client, client, another):
    asking = make_client(requests_per_minute=2)

    def status(address):
        return asking.get("/model", environ_base={"REMOTE_ADDR": address}).status_code

    assert [status(address) for address in client] == [200, 200, 429]
    assert status(another) == 200


def test_a_storage_that_there_is_not_is_told(make_client):
    with pytest.raises(ImagetteError, match="cannot be counted in nonsense://…@x") as caught:
        make_client(requests_per_minute=3, rate_storage="nonsense://me:secret@x")
    assert "secret" not in str(caught.value)


def test_a_minute_begins_with_the_first_request_and_ends(monkeypatch):
    limit, now = RateLimit(2, "memory://"), time.monotonic()
    assert [limit.refused_for("203.0.113.7") for _ in range(2)] == [0, 0]
    assert 59 <= limit.refused_for("203.0.113.7") <= 60
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert limit.refused_for("203.0.113.7") == 0


def test_a_clock_that_is_set_back_makes_no_minute_longer(monkeypatch):
    limit, now = RateLimit(1, "memory://"), time.time()
    assert limit.refused_for("203.0.113.7") == 0
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    assert limit.refused_for("203.0.113.7") <= 60


def test_a_server_that_cannot_count_answers_all_the_same(make_client, monkeypatch, caplog):
    client = make_client(requests_per_minute=1)

    def fail(*_):
        raise ConnectionError("the Redis is gone")

    monkeypatch.setattr(RateLimit, "refused_for", fail)
    assert [client.get("/model").status_code for _ in range(3)] == [200] * 3
    assert "Requests cannot be counted" in caplog.text


def test_each_picture_counts_as_one(make_client):
    client = make_client(requests_per_minute=10)
    assert send(client, 8).status_code == 200
    refused = send(client, 3)
    assert (refused.status_code, kind_of(refused)) == (429, "too-many-requests")
    assert "counts as 3" in refused.json["detail"]
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    # That request counted as one, and the nine others are not used up by what was refused.
    assert client.get("/model").status_code == 200
    assert client.get("/model").status_code == 429
    never = send(client, 11, REMOTE_ADDR="203.0.113.9")
    assert (never.status_code, "counts as 11, more than the 10" in never.text) == (429, True)


def test_an_explanation_counts_as_twenty(make_client):
    client = make_client(requests_per_minute=41)
    assert send(client, 2, "?explain=1").status_code == 200
    assert send(client, 1).status_code == 200
    assert send(client, 1).status_code == 429


def test_keys_are_counted_rather_than_addresses(make_client):
    client = make_client(requests_per_minute=2)
    named = [{KEY_NAME_KEY: name} for name in ("one", "two")]
    for number in range(2):
        for key in named:
            address = {"REMOTE_ADDR": f"203.0.113.{number}"}
            assert client.get("/model", environ_base=key | address).status_code == 200
    for key in named:
        assert client.get("/model", environ_base=key).status_code == 429
    assert client.get("/model").status_code == 200


def test_guesses_of_keys_are_counted(make_client):
    client = make_client(requests_per_minute=2, api_keys="secret")
    guesses = [client.get("/model", headers={"X-API-Key": str(n)}).status_code for n in range(3)]
    assert guesses == [401, 401, 429]


def test_a_redis_counts_for_all(make_client, redis):
    clients = [make_client(requests_per_minute=5, rate_storage=redis.url) for _ in range(2)]
    assert [client.get("/model").status_code for client in clients * 2] == [200] * 4
    assert send(clients[0], 2).status_code == 429  # of which one counted
    assert clients[1].get("/model").status_code == 429


def test_a_redis_that_hangs_costs_one_request_a_moment(make_client, redis, monkeypatch, caplog):
    client = make_client(requests_per_minute=1, rate_storage=redis.url)
    assert [client.get("/model").status_code for _ in range(2)] == [200, 429]
    monkeypatch.setattr(rate_limit, "_PAUSE", 1000)
    redis.hang()
    asked = []

    def ask(_):
        started = time.monotonic()
        asked.append((client.application.test_client().get("/model").status_code, started))
        return time.monotonic() - started

    # The sum of all, beside what it would be if each had waited a fifth of a second.
    assert sum(map(ask, range(50))) < 0.5 * 50 * 0.2
    with ThreadPoolExecutor(4) as threads:
        assert max(threads.map(ask, range(20))) < 5
    assert {status for status, _ in asked} == {200}
    assert caplog.text.count("Requests cannot be counted") == 1

    redis.go_on()
    monkeypatch.setattr(client.application.extensions["imagette"].rate_limit._outage, "_until", 0)
    with caplog.at_level(logging.WARNING):
        assert client.get("/model").status_code == 429
    assert "Requests are counted again" in caplog.text


def test_the_log_is_told_of_an_outage_once_in_a_while(monkeypatch, caplog):
    limit, now = RateLimit(1, "redis://127.0.0.1:1"), [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    tried = []

    def ask():
        tried.append(now[0])
        return limit.refused_for("somebody")

    for _ in range(130):  # two minutes, and some
        assert limit._outage.guard(ask) == 0
        now[0] += 1
    assert len(tried) == 26  # every five seconds
    assert caplog.text.count("Requests cannot be counted") == 3
