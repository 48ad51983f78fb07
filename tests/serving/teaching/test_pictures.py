"""Pictures of a lesson: how they come, what is kept of them, and how they are listed."""

import base64
import io
import shutil
from functools import partial

import numpy as np
from PIL import Image
from support.images import noise, written
from support.lessons import at_once, begin, folder_of, send
from support.problems import kind_of
from support.running_server import picture_file

from imagette.serving.schemas.teach import AddedPictures, LessonAnswer, LessonPictures


def test_pictures_are_kept_small_upright_and_without_what_the_camera_wrote(client):
    lesson = begin(client)
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    exif[0x010F] = "A camera of somebody"
    red = Image.new("RGB", (900, 600), (200, 30, 30))
    photo = written(red, "JPEG", exif=exif, comment=b"secret")
    answer = send(client, lesson, "cat", photo, b"junk", b"", photo)
    found = AddedPictures.model_validate(answer.json)
    assert [len(one.pictures) for one in found.lesson.classes] == [1, 0]
    kinds = {one.file: one.type.rpartition(":")[2] for one in found.refused}
    assert list(kinds) == ["1.png", "2.png", "3.png"]
    assert list(kinds.values()) == ["unreadable-picture", "empty-picture", "same-picture"]
    (kept,) = folder_of(client).glob("*/lesson/*/*.png")
    with Image.open(kept) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (171, 256), "RGB")
        assert image.info == {}
    assert b"secret" not in kept.read_bytes()
    # The same picture as something else would teach nonsense.
    again = send(client, lesson, "dog", photo).json
    assert "“cat”" in again["refused"][0]["detail"]
    small = LessonPictures.model_validate(client.get(f"{lesson}/pictures").json)
    [thumbnail] = small.classes["cat"]
    assert found.kept == [thumbnail]
    assert kept.name == f"{thumbnail.name}.png"
    whole = client.get(f"{lesson}/pictures/{thumbnail.name}")
    assert (whole.mimetype, whole.data) == ("image/png", kept.read_bytes())

    left = LessonAnswer.model_validate(client.delete(f"{lesson}/pictures/{thumbnail.name}").json)
    assert left.classes[0].pictures == []
    assert not list(folder_of(client).glob("*/lesson/*/*"))
    assert kind_of(client.delete(f"{lesson}/pictures/{thumbnail.name}")) == "not-found"
    assert kind_of(client.delete(f"{lesson}/pictures/..%2f..%2flesson.json")) == "not-found"


def test_wrong_requests_for_pictures(make_client):
    client = make_client(max_pictures=2, max_pixels=10_000, max_lesson_pictures=5)
    lesson = begin(client)
    assert kind_of(send(client, lesson, "bird", noise(1))) == "wrong-option"
    assert kind_of(send(client, lesson, "../dog", noise(1))) == "wrong-option"
    assert kind_of(client.post(f"{lesson}/pictures", data=b"x")) == "wrong-option"
    assert kind_of(send(client, lesson, "cat", *map(noise, range(3)))) == "too-many-pictures"
    as_json = client.post(f"{lesson}/pictures?class=cat", json={"image": []})
    assert kind_of(as_json) == "no-picture"
    bomb = send(client, lesson, "cat", picture_file(size=(200, 200))).json["refused"]
    assert bomb[0]["type"].endswith("picture-too-large")
    raw = client.post(f"{lesson}/pictures?class=cat", data=noise(1), content_type="image/png")
    assert len(raw.json["kept"]) == 1
    for n in range(2, 6):
        assert len(send(client, lesson, "dog", noise(n)).json["kept"]) == 1
    full = send(client, lesson, "dog", noise(6)).json
    assert (full["kept"], full["refused"][0]["type"]) == ([], "urn:imagette:problem:lesson-full")


def test_pictures_as_json(make_client):
    client = make_client()
    lesson = begin(client)
    text = base64.b64encode(noise(1)).decode()
    array = np.asarray(Image.open(io.BytesIO(noise(2))))
    pictures = {"images": [text, array.tolist(), "cat.png", text]}
    answer = client.post(f"{lesson}/pictures?class=cat", json=pictures).json
    assert len(answer["kept"]) == 2
    kinds = [one["type"].rpartition(":")[2] for one in answer["refused"]]
    assert kinds == ["no-picture", "same-picture"]
    again = send(client, lesson, "cat", noise(2)).json  # the file of the same pixels
    assert again["refused"][0]["type"].endswith("same-picture")


def test_many_send_at_once(make_client):
    client = make_client(max_lesson_pictures=20)
    lesson, app = begin(client), client.application
    at_once(*(
        partial(send, app.test_client(), lesson, "cat", noise(n), noise(n // 2)) for n in range(40)
    ))  # fmt: skip
    assert len(client.get(lesson).json["classes"][0]["pictures"]) == 20
    assert len(list(folder_of(client).glob("*/lesson/*/*.npy"))) == 20


def test_pictures_are_listed_from_what_was_kept_without_decoding_them(client):
    lesson = begin(client)
    kept = send(client, lesson, "cat", noise(0), noise(1)).json["kept"]
    pictures = sorted(folder_of(client).glob("*/lesson/*/*.png"))
    whole = [picture.read_bytes() for picture in pictures]
    for picture in pictures:
        picture.write_bytes(b"cannot be decoded")
    listing = client.get(f"{lesson}/pictures").json["classes"]["cat"]
    assert listing == kept
    # Of a lesson that an earlier version has begun there are none: they are made once.
    [folder] = folder_of(client).glob("*/thumbnails")
    shutil.rmtree(folder)
    for picture, content in zip(pictures, whole, strict=True):
        picture.write_bytes(content)
    assert client.get(f"{lesson}/pictures").json["classes"]["cat"] == kept
    assert len(list(folder.glob("*.jpg"))) == 2
    client.delete(f"{lesson}/pictures/{kept[0]['name']}")
    assert [path.stem for path in folder.glob("*.jpg")] == [kept[1]["name"]]
