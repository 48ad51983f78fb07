"""How many lessons there are at once, in all and of one client, and which makes room."""

import json
import os
import time
from functools import partial

import pytest
from support.images import noise
from support.lessons import ask_to_begin, at_once, begin, folder_of, lessons_in, send
from support.problems import kind_of
from support.running_server import wait_until

from imagette.serving.client import TOKEN_VARIABLE, client_of


def age(client, lesson, name, minutes):
    """Let a file of a lesson be so many minutes old."""
    path = folder_of(client) / lesson.rpartition("/")[2] / name
    os.utime(path, (time.time() - 60 * minutes,) * 2)


def begin_from(client, address):
    names = {"class_names": ["cat", "dog"]}
    return client.post("/lessons", json=names, environ_base={"REMOTE_ADDR": address})


def test_unused_lessons_are_forgotten(make_client):
    client = make_client(max_lessons=2)
    first, second = begin(client), begin(client)
    for lesson in (first, second):
        send(client, lesson, "cat", noise(0))
    third = ask_to_begin(client)
    assert (third.status_code, kind_of(third)) == (503, "too-many-lessons")
    assert 60 < int(third.headers["Retry-After"]) <= 600

    age(client, first, "used", minutes=60)  # the one that makes room
    third = begin(client)
    assert kind_of(client.get(first)) == "no-lesson"
    age(client, third, "lesson.json", minutes=3)  # and nothing in it
    fourth = begin(client)
    assert kind_of(client.get(third)) == "no-lesson"
    assert client.get(second).status_code == 200
    age(client, second, "used", minutes=25 * 60)
    others = [folder_of(client) / name for name in ("holidays", "twenty-two-letters-abc")]
    for other in others:
        other.mkdir()
        os.utime(other, (0, 0))
    make_client()  # another worker starts
    wait_until(lambda: len(lessons_in(client)) == 1 + len(others))
    assert client.get(fourth).status_code == 200


def test_a_client_holds_so_many_lessons_and_leaves_the_others_room(make_client):
    client = make_client(max_lessons=4, max_lessons_per_client=2)
    own = ["2001:db8::1", "[2001:db8::2]:4711"]  # of one subscriber
    first, second = (begin_from(client, address).headers["Location"] for address in own)
    for lesson in (first, second):
        send(client, lesson, "cat", noise(0))
    refused = begin_from(client, own[0])
    assert (refused.status_code, kind_of(refused)) == (429, "too-many-own-lessons")
    assert 60 < int(refused.headers["Retry-After"]) <= 600
    assert "Delete one" in refused.json["detail"]
    assert begin_from(client, "2001:db8:0:1::1").status_code == 201
    # The one that was not used for long makes room, and no lesson of others.
    age(client, first, "used", minutes=11)
    assert begin_from(client, own[1]).status_code == 201
    assert kind_of(client.get(first)) == "no-lesson"
    assert client.get(second).status_code == 200
    assert len(lessons_in(client)) == 3


def test_many_begin_at_once(make_client):
    client = make_client(max_lessons_per_client=3)
    app = client.application
    answers = at_once(*(partial(ask_to_begin, app.test_client()) for _ in range(20)))
    assert sum(answer.status_code == 201 for answer in answers) == 3


def test_a_lesson_without_pictures_is_not_held_by_asking_for_it(make_client):
    client = make_client(max_lessons=2)
    taught, empty = begin(client), begin(client)
    send(client, taught, "cat", noise(0))
    age(client, taught, "used", minutes=60)
    age(client, empty, "lesson.json", minutes=3)
    assert client.get(empty).status_code == 200
    begin(client)
    assert kind_of(client.get(empty)) == "no-lesson"
    assert client.get(taught).status_code == 200


def test_lessons_of_an_earlier_version_are_nobodys(make_client):
    client = make_client(max_lessons_per_client=1)
    lesson = begin(client)
    path = folder_of(client) / lesson.rpartition("/")[2] / "lesson.json"
    for one, name in zip(json.loads(path.read_text())["folders"], ("cat", "dog"), strict=True):
        (path.parent / "lesson" / one).rename(path.parent / "lesson" / name)
    path.write_text('{"class_names": ["cat", "dog"]}')
    begin(client)
    assert client.get(lesson).status_code == 200
    assert len(send(client, lesson, "dog", noise(0)).json["kept"]) == 1


def test_the_page_asks_for_whoever_looks_at_it(make_client, monkeypatch):
    monkeypatch.setenv(TOKEN_VARIABLE, "its-token")
    client = make_client(max_lessons=4, max_lessons_per_client=1)

    def ask(visitor):
        names = {"class_names": ["cat", "dog"]}
        return client.post("/lessons", json=names, headers={"X-Imagette-Visitor": visitor})

    statuses = [ask(f"its-token {address}").status_code for address in ("10.0.0.1", "10.0.0.2")]
    assert statuses == [201, 201]
    assert kind_of(ask("its-token 10.0.0.1")) == "too-many-own-lessons"
    # Who cannot prove to be the page is whoever asks.
    assert ask("a-guess 10.0.0.3").status_code == 201
    assert kind_of(ask("another-guess 10.0.0.4")) == "too-many-own-lessons"
    # Where the page does not know, it asks for everybody.
    assert ask("its-token").status_code == 201
    assert kind_of(ask("its-token")) == "too-many-lessons"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"REMOTE_ADDR": "203.0.113.7:4711"}, "address 203.0.113.7"),
        ({"REMOTE_ADDR": "::1", "imagette.key_name": "school"}, "key school"),
        ({"REMOTE_ADDR": "::1", "HTTP_X_IMAGETTE_VISITOR": ""}, "address ::/64"),
    ],
)
def test_whose_a_lesson_is(environ, expected):
    assert client_of(environ) == expected
