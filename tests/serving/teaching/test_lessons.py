"""Beginning a lesson: what its classes may be called, and where it is."""

import re
import sys

import pytest
from support.images import noise
from support.lessons import ask_to_begin, begin, folder_of, lessons_in, send
from support.problems import kind_of

from imagette import load_dataset
from imagette.wording import clean_name


def test_it_is_off_unless_asked_for(make_client):
    client = make_client(teach=None)
    assert ask_to_begin(client).status_code == 404
    assert client.get("/model").json["teaching"] is None
    assert not any("lessons" in address for address in client.get("/").json["endpoints"])


def test_its_bounds_are_told(make_client):
    teaching = make_client(max_classes=3, lesson_hours=2).get("/model").json["teaching"]
    assert teaching == {
        "max_classes": 3,
        "max_lesson_pictures": 500,
        "lesson_hours": 2,
        "undo_minutes": 10,
    }


@pytest.mark.parametrize(
    "names",
    [["un chat", "ça"], ["猫", "犬", "鳥"], ["👩‍🚀", "🎈"], ["train", "plane"],
     ["e\u0301", " b "], ["<b>*?", '"|:']],
)  # fmt: skip
def test_classes_are_called_anything_in_any_language(client, tmp_path, monkeypatch, names):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    lesson = begin(client, *names)
    for place, name in enumerate(names):
        assert len(send(client, lesson, name, noise(place)).json["kept"]) == 1
    found = [one["name"] for one in client.get(lesson).json["classes"]]
    assert found == [{"e\u0301": "é", " b ": "b"}.get(name, name) for name in names]
    assert client.get(lesson).json["model"]["class_names"] == found
    # Folders have names that every system takes.
    folders = list(folder_of(client).glob("*/lesson/*"))
    assert len(folders) == len(names)
    assert all(path.name.isalnum() and path.name.isascii() for path in folders)
    # `imagette train` finds the same classes, and every picture; where folders may be called so.
    if sys.platform == "win32" and set('<>:"|?*') & set("".join(names)):
        return
    (tmp_path / "lesson.zip").write_bytes(client.get(f"{lesson}/archive").data)
    dataset = load_dataset(tmp_path / "lesson.zip")
    assert sorted(dataset.class_names) == sorted(found)
    assert len(dataset.train) == len(names)


@pytest.mark.parametrize(
    "names",
    [[], ["a"], ["a", ""], ["a", " "], ["a", "../b"], ["a", ".."], ["a", ".b"],
     ["a", "_b"], ["a", "b/c"], ["a", "b\\c"], ["a", "b\0"], ["a", "b\nc"], ["a", "b\u202ec"],
     ["a", "\u3164"], ["a", "\u200d"], ["a", "\ufe0f"], ["a", "b" * 41],
     [str(n) for n in range(11)], ["a", 2], "ab", None],
)  # fmt: skip
def test_other_names_are_refused(client, names):
    response = client.post("/lessons", json={"class_names": names})
    assert (response.status_code, kind_of(response)) == (400, "wrong-classes")
    assert lessons_in(client) == []


@pytest.mark.parametrize(
    "names",
    [["a", "a"], ["a", "A "], ["Straße", "STRASSE"], ["a", "a\u200d"], ["é", "e\u0301"],
     ["b", "a  b", "A\u00a0B"], ["ﬁn", "fin"], ["A1", "Ａ１"]],
)  # fmt: skip
def test_two_names_that_look_the_same(client, names):
    response = ask_to_begin(client, *names)
    assert (response.status_code, kind_of(response)) == (400, "same-names")
    assert repr(clean_name(names[-1])) in response.json["detail"]
    assert lessons_in(client) == []


def test_a_lesson_has_an_id_to_read_aloud_and_perhaps_a_name(client):
    said = client.post("/lessons", json={"class_names": ["a", "b"], "name": " My mugs "}).json
    assert re.fullmatch("[2-9a-z]{4}(-[2-9a-z]{4}){4}", said["id"])
    assert said["name"] == "My mugs"
    lesson = f"/lessons/{said['id']}"
    assert client.patch(lesson, json={"name": "Mes bols"}).json["name"] == "Mes bols"
    assert kind_of(client.patch(lesson, json={"name": "a/b"})) == "wrong-classes"
    assert kind_of(client.patch(lesson, json={"names": "a"})) == "wrong-classes"
    assert client.get(lesson).json["name"] == "Mes bols"
    assert client.patch(lesson, json={"name": ""}).json["name"] == ""


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [(body, "application/json", "invalid-json")
     for body in (b"{", b'{"class_names": ["a", "\\ud800"]}', b"[" * 60_000, b"")]
    + [(b"[1]", "application/json", "wrong-classes"),
       (b"a=b", "application/x-www-form-urlencoded", "unsupported-content-type"),
       # A page of another site could send this without asking whether it may.
       (b'{"class_names": ["a", "b"]}', "text/plain", "unsupported-content-type")],
)  # fmt: skip
def test_other_bodies_are_refused(client, body, content_type, kind):
    response = client.post("/lessons", data=body, content_type=content_type)
    assert response.status_code in (400, 415)
    assert kind_of(response) == kind


def test_more_than_names_take_is_refused_before_it_is_read(client):
    body = b'{"class_names": [%s""]}' % (b'"",' * 3_300_000)
    response = client.post("/lessons", data=body, content_type="application/json")
    assert (response.status_code, kind_of(response)) == (413, "request-too-large")
    assert "64 KiB" in response.json["detail"]
    # A hundred names of the longest, each letter of them an escape, are no such body.
    many = [chr(0x1F400 + n) * 40 for n in range(100)]
    response = client.post("/lessons", json={"class_names": many})
    assert kind_of(response) == "wrong-classes"


def test_its_address_has_what_a_proxy_took_off(make_client):
    names = {"class_names": ["cat", "dog"]}
    headers = {"X-Forwarded-Prefix": "/imagette"}
    answer = make_client(trusted_proxies=1).post("/lessons", json=names, headers=headers)
    assert answer.headers["Location"] == f"/imagette/lessons/{answer.json['id']}"


def test_a_body_with_a_byte_order_mark(client):
    body = b'\xef\xbb\xbf{"class_names": ["a", "b"]}'
    response = client.post("/lessons", data=body, content_type="application/json")
    assert response.status_code == 201, response.text


@pytest.mark.parametrize(
    "lesson_id", ["x", "..", "%2e%2e", "..%2f..", "A" * 22, "A" * 5000, "%00" * 22, "é" * 22, "a b"]
)
def test_no_such_lesson(client, lesson_id):
    (folder_of(client) / ("A" * 22)).mkdir()  # a folder that is no lesson
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("GET", "/pictures"), ("POST", "/pictures?class=a"),
        ("DELETE", "/pictures/x"), ("GET", "/pictures/x"), ("GET", "/model"), ("GET", "/archive"),
        ("POST", "/undo"), ("DELETE", "?undo=1"), ("DELETE", "/classes?class=a"),
        ("POST", "/predict"),
    ):  # fmt: skip
        response = client.open(f"/lessons/{lesson_id}{path}", method=method)
        assert response.status_code in (404, 405)
        assert kind_of(response) in ("no-lesson", "not-found", "method-not-allowed")


def test_keys_are_asked_for(make_client):
    client = make_client(api_keys="secret")
    assert ask_to_begin(client).status_code == 401
    assert client.get(f"/lessons/{'A' * 22}").status_code == 401
