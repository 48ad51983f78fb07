"""A lesson as a zip file."""

import io
import json
import zipfile

import pytest
from support.images import noise
from support.lessons import begin, lessons_in, send

from imagette import load_dataset
from imagette.serving.teaching import lesson_archive


def read(response):
    assert response.mimetype == "application/zip"
    return zipfile.ZipFile(io.BytesIO(response.data))


def test_it_holds_the_pictures_by_class_and_says_their_order(client, tmp_path, monkeypatch):
    names = ("zebra", "chat & chien", "empty")
    lesson = begin(client, *names)
    client.patch(lesson, json={"name": "Mes dessins"})
    for seed in range(5):
        send(client, lesson, names[seed % 2], noise(seed))
    client.patch(f"{lesson}/classes?class=zebra", json={"name": "été"})
    answer = client.get(f"{lesson}/archive")
    assert answer.is_streamed
    archive = read(answer)
    about = json.loads(archive.read(lesson_archive.ABOUT))
    assert (about["format"], about["version"], about["name"]) == (
        "imagette-lesson",
        1,
        "Mes dessins",
    )
    assert [one["name"] for one in about["classes"]] == ["été", *names[1:]]
    listed = [one["pictures"] for one in client.get(lesson).json["classes"]]
    [folder] = lessons_in(client)
    for one, pictures in zip(about["classes"], listed, strict=True):
        assert one["pictures"] == [
            f"{one['name']}/{place:03}.png" for place in range(1, len(pictures) + 1)
        ]
        for path, picture in zip(one["pictures"], pictures, strict=True):
            [kept] = folder.glob(f"lesson/*/{picture}.png")
            assert archive.read(path) == kept.read_bytes()
    assert archive.namelist()[1:] == [name for one in about["classes"] for name in one["pictures"]]

    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    (tmp_path / "lesson.zip").write_bytes(answer.data)
    dataset = load_dataset(tmp_path / "lesson.zip")
    assert sorted(dataset.class_names) == sorted(["été", names[1]])
    assert len(dataset.train) == 5


@pytest.mark.parametrize("names", [("train", "test"), ("Testing", "val"), ("test tube", "data")])
def test_classes_called_as_splits_are(client, tmp_path, monkeypatch, names):
    lesson = begin(client, *names)
    for place, name in enumerate(names):
        send(client, lesson, name, noise(place))
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    (tmp_path / "lesson.zip").write_bytes(client.get(f"{lesson}/archive").data)
    assert sorted(load_dataset(tmp_path / "lesson.zip").class_names) == sorted(names)


def test_it_is_written_piece_by_piece_while_pictures_go(client):
    lesson = begin(client)
    kept = send(client, lesson, "cat", *map(noise, range(4))).json["kept"]
    found = client.application.extensions["imagette"].lessons.find(lesson.rpartition("/")[2])
    pieces = lesson_archive.write_archive(found)
    first = next(pieces)
    assert len(first) < 10_000
    client.delete(f"{lesson}/pictures/{kept[2]['name']}")
    archive = zipfile.ZipFile(io.BytesIO(first + b"".join(pieces)))
    assert archive.testzip() is None
    assert len(archive.namelist()) == 1 + 3


@pytest.mark.parametrize("keys", [None, "secret"])
def test_it_asks_for_a_key_as_all_do(make_client, keys):
    client = make_client(api_keys=keys)
    status = client.get(f"/lessons/{'a' * 22}/archive").status_code
    assert status == (401 if keys else 404)
