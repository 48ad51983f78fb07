"""What is taken away from a lesson, and the lesson itself, can be brought back for some minutes."""

import json
import os
import time

from support.images import noise, stripes
from support.lessons import begin, folder_of, lessons_in, said, send, teach_stripes
from support.problems import kind_of

from imagette.serving.schemas.teach import LessonAnswer
from imagette.serving.teaching import lesson_file


def classes_of(response):
    """Numbers of pictures by class."""
    assert response.status_code == 200, response.json
    LessonAnswer.model_validate(response.json)
    return {one["name"]: len(one["pictures"]) for one in response.json["classes"]}


def undo(client, lesson, change=""):
    return client.post(f"{lesson}/undo", query_string={"change": change})


def let_time_pass(client, lesson, seconds):
    path = folder_of(client) / lesson.rpartition("/")[2] / "lesson.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for change in told["changes"]:
        change["time"] -= seconds
    path.write_text(json.dumps(told), encoding="utf-8")


def test_each_change_is_undone_the_last_one_first(client):
    lesson = begin(client, "upright", "lying", "third")
    teach_stripes(client, lesson, "upright", "lying")
    before = client.get(lesson).json
    assert before["undo"] is None
    [_, second, *_] = before["classes"][0]["pictures"]
    done = client.delete(f"{lesson}/pictures/{second}").json["undo"]
    assert (done["kind"], done["class_name"]) == ("picture", "upright")
    assert 590 < done["expires_in"] <= 600
    renamed = client.patch(f"{lesson}/classes?class=upright", json={"name": "debout"})
    assert classes_of(renamed) == {"debout": 3, "lying": 4, "third": 0}
    assert said(client, lesson, stripes(50, True))["class"] == "debout"
    gone = client.delete(f"{lesson}/classes?class=debout")
    assert classes_of(gone) == {"lying": 4, "third": 0}
    assert gone.json["model"] is None
    last = client.delete(f"{lesson}/pictures/{gone.json['classes'][0]['pictures'][0]}").json["undo"]
    # What somebody sees to undo is undone, and nothing that came after it.
    assert kind_of(undo(client, lesson, done["id"])) == "not-undoable"
    assert classes_of(undo(client, lesson, last["id"])) == {"lying": 4, "third": 0}
    assert classes_of(undo(client, lesson)) == {"debout": 3, "lying": 4, "third": 0}
    assert classes_of(undo(client, lesson)) == {"upright": 3, "lying": 4, "third": 0}
    after = undo(client, lesson).json
    assert after == before
    assert client.get(f"{lesson}/pictures").json["classes"]["upright"][1]["name"] == second
    assert said(client, lesson, stripes(50, True))["class"] == "upright"
    assert kind_of(undo(client, lesson)) == "not-undoable"


def test_after_some_minutes_what_was_taken_away_is_deleted(client, make_client):
    lesson = begin(client, "cat", "dog", "bird")
    kept = send(client, lesson, "cat", noise(0), noise(1)).json["kept"]
    send(client, lesson, "bird", noise(2))
    client.delete(f"{lesson}/pictures/{kept[0]['name']}")
    client.delete(f"{lesson}/classes?class=bird")
    [folder] = lessons_in(client)
    assert len(list(folder.glob("*/**/*.png"))) == 3
    let_time_pass(client, lesson, 601)
    assert client.get(lesson).json["undo"] is None
    assert kind_of(undo(client, lesson)) == "not-undoable"
    client.application.extensions["imagette"].lessons.delete_expired()  # as a thread does
    assert len(list(folder.glob("*/**/*.png"))) == 1
    assert len(list(folder.glob("lesson/*"))) == 2
    assert classes_of(client.get(lesson)) == {"cat": 1, "dog": 0}


def test_what_is_kept_to_be_undone_is_bounded(make_client, monkeypatch):
    client = make_client(max_lesson_pictures=3)
    lesson = begin(client)
    for seed in range(6):
        [one] = send(client, lesson, "cat", noise(seed)).json["kept"]
        client.delete(f"{lesson}/pictures/{one['name']}")
    [folder] = lessons_in(client)
    assert len(list(folder.glob("removed/*.png"))) == 3
    for count in (1, 2, 3):
        assert classes_of(undo(client, lesson))["cat"] == count
    assert kind_of(undo(client, lesson)) == "not-undoable"
    monkeypatch.setattr(lesson_file, "MOST_CHANGES", 2)
    monkeypatch.setattr("imagette.serving.teaching.changes.MOST_CHANGES", 2)
    for name in "abcd":
        client.patch(f"{lesson}/classes?class=dog", json={"name": name})
        client.patch(f"{lesson}/classes?class={name}", json={"name": "dog"})
    assert len(json.loads((folder / "lesson.json").read_text("utf-8"))["changes"]) == 2


def test_what_came_meanwhile_stays(make_client):
    client = make_client(max_lesson_pictures=2, max_classes=2)
    lesson = begin(client)
    [one] = send(client, lesson, "cat", noise(0)).json["kept"]
    client.delete(f"{lesson}/pictures/{one['name']}")
    send(client, lesson, "dog", noise(0))  # the same picture, elsewhere
    assert classes_of(undo(client, lesson)) == {"cat": 0, "dog": 1}
    send(client, lesson, "cat", noise(1))
    client.delete(f"{lesson}/classes?class=cat")
    send(client, lesson, "dog", noise(1))
    assert classes_of(undo(client, lesson)) == {"cat": 0, "dog": 2}
    client.delete(f"{lesson}/pictures/{one['name']}")
    send(client, lesson, "cat", noise(2))
    assert kind_of(undo(client, lesson)) == "lesson-full"
    client.delete(f"{lesson}/classes?class=cat")
    assert classes_of(client.post(f"{lesson}/classes", json={"name": "CAT"})) == {
        "dog": 1,
        "CAT": 0,
    }
    assert kind_of(undo(client, lesson)) == "wrong-classes"  # there is no room for it
    assert classes_of(client.get(lesson)) == {"dog": 1, "CAT": 0}


def test_classes_that_cannot_be(make_client):
    client = make_client(max_classes=3)
    lesson = begin(client)
    assert kind_of(client.delete(f"{lesson}/classes?class=bird")) == "wrong-option"
    assert kind_of(client.delete(f"{lesson}/classes")) == "wrong-option"
    rename = f"{lesson}/classes?class=cat"
    assert kind_of(client.patch(rename, json={"name": "Dog"})) == "same-names"
    assert kind_of(client.patch(rename, json={"name": "../x"})) == "wrong-classes"
    assert kind_of(client.patch(rename, data=b"x")) == "unsupported-content-type"
    assert classes_of(client.patch(rename, json={"name": "Cat"})) == {"Cat": 0, "dog": 0}
    assert kind_of(client.post(f"{lesson}/classes", json={"name": ""})) == "wrong-classes"
    assert kind_of(client.post(f"{lesson}/classes", json={"name": "CAT"})) == "same-names"
    assert classes_of(client.post(f"{lesson}/classes", json={"name": "c"}))["c"] == 0
    assert kind_of(client.post(f"{lesson}/classes", json={"name": "d"})) == "wrong-classes"
    for name in ("c", "dog"):
        assert client.delete(f"{lesson}/classes?class={name}").status_code == 200
    assert kind_of(client.delete(f"{lesson}/classes?class=Cat")) == "wrong-classes"


def test_a_lesson_is_forgotten_and_brought_back_or_deleted_for_good(make_client):
    client = make_client(max_lessons=1)
    lesson = begin(client)
    send(client, lesson, "cat", noise(0))
    forgotten = client.delete(f"{lesson}?undo=1").json
    assert forgotten == {"status": "deleted", "undo_seconds": 600}
    assert kind_of(client.get(lesson)) == "no-lesson"
    assert kind_of(client.delete(f"{lesson}?undo=1")) == "no-lesson"
    assert classes_of(undo(client, lesson)) == {"cat": 1, "dog": 0}
    assert kind_of(undo(client, lesson)) == "not-undoable"
    # For good, by a second word.
    client.delete(f"{lesson}?undo=1")
    assert client.delete(lesson).json == {"status": "deleted", "undo_seconds": 0}
    assert kind_of(undo(client, lesson)) == "no-lesson"
    assert lessons_in(client) == []
    # By itself, after some minutes.
    lesson = begin(client)
    client.delete(f"{lesson}?undo=1")
    [folder] = lessons_in(client)
    os.utime(folder / "used", (time.time() - 601,) * 2)
    assert kind_of(undo(client, lesson)) == "no-lesson"
    client.application.extensions["imagette"].lessons.delete_expired()
    assert lessons_in(client) == []
    # It holds no place that another one needs.
    lesson = begin(client)
    send(client, lesson, "cat", noise(0))
    client.delete(f"{lesson}?undo=1")
    begin(client)
    assert kind_of(undo(client, lesson)) == "no-lesson"
