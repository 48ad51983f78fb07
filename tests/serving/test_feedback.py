"""Pictures that were answered wrongly: what is kept of them, and what is not."""

import errno
import io
import os
import shutil
import stat
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image
from support.images import noise, written
from support.lessons import at_once
from support.problems import kind_of

import imagette
from imagette import ImagetteError
from imagette.serving import feedback
from imagette.serving.schemas.feedback import FeedbackAnswer


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "feedback"


@pytest.fixture
def make_client(make_client, folder):
    return partial(make_client, feedback=folder)


@pytest.fixture
def client(make_client):
    return make_client()


def send(client, name, picture, kind="image/png", **options):
    query = {} if name is None else {"class": name}
    return client.post("/feedback", query_string=query, data=picture, content_type=kind, **options)


def kept(folder):
    return sorted(str(path.relative_to(folder).parent) for path in pictures(folder))


def pictures(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def test_it_is_not_there_where_no_folder_is_named(make_client):
    client = make_client(feedback=None)
    assert kind_of(send(client, "cat", noise(1))) == "not-found"
    assert "/feedback" not in client.get("/openapi.json").json["paths"]
    assert client.get("/model").json["feedback"] is False


def test_a_picture_is_kept_upright_and_without_what_the_camera_wrote(client, folder):
    assert client.get("/model").json["feedback"] is True
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    exif[0x010F] = "A camera of somebody"
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    red = Image.new("RGB", (2400, 1600), (200, 30, 30))
    photo = written(red, "JPEG", exif=exif, comment=b"secret")
    answer = send(client, "chat", photo, "application/octet-stream")  # in French
    assert answer.status_code == 201
    assert FeedbackAnswer.model_validate(answer.json).label == "cat"
    [path] = pictures(folder)
    assert path.parent == folder / "cat"
    with Image.open(path) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (683, 1024), "RGB")
        assert not image.getexif()
        assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert b"secret" not in path.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    # Of a picture so small, every pixel counts.
    small = noise(3, 32, 32)
    send(client, "dog", small)
    [path] = pictures(folder / "dog")
    with Image.open(path) as image, Image.open(io.BytesIO(small)) as sent:
        assert image.tobytes() == sent.tobytes()


def test_what_is_kept_can_be_learned_from(client, folder):
    for number, name in enumerate(["cat", "Épagneul breton", "cat", "🦖", None, ""]):
        assert send(client, name, noise(number)).status_code == 201
    assert kept(folder) == [".none-of-these"] * 2 + ["cat"] * 2 + ["Épagneul breton", "🦖"]
    dataset = imagette.load_dataset(str(folder))
    assert set(dataset.class_names) == {"cat", "Épagneul breton", "🦖"}
    assert len(dataset.train) == 4


def test_a_picture_has_one_class_the_last_that_was_said(client, folder):
    for name in ("cat", "cat", "dog"):
        assert send(client, name, noise(1)).json == {"class": name}
    assert kept(folder) == ["dog"]
    assert not (folder / "cat").exists()
    # No two folders that differ in capitals alone: some systems have but one of them.
    assert send(client, "DOG", noise(2)).json == {"class": "dog"}
    assert send(client, None, noise(1)).json == {"class": ""}
    assert kept(folder) == [".none-of-these", "dog"]


@pytest.mark.parametrize(
    "name",
    ["../cat", "a/b", "a\\b", ".cat", "_cat", "con", "a" * 41, "two\nlines", "cat\u202e", "\u200b",
     "test", "validation", "Thumbs.db", "mlruns", "cat."],
)  # fmt: skip
def test_names_that_are_no_folders_or_would_not_be_learned_from(client, folder, name):
    assert kind_of(send(client, name, noise(1))) == "wrong-class"
    assert list(folder.iterdir()) == []


def test_a_class_of_the_model_may_be_called_what_no_folder_can(
    make_client, make_bundle, tmp_path, folder
):
    names = ["tench/fish", "../etc", *"abcdefgh"]
    client = make_client(model=make_bundle(tmp_path / "odd.onnx", class_names=names))
    assert send(client, "tench/fish", noise(1)).json == {"class": "tench-fish"}
    assert kind_of(send(client, "../etc", noise(2))) == "wrong-class"
    assert kept(folder) == ["tench-fish"]


def test_no_more_are_kept_than_may_be(make_client, folder):
    client = make_client(max_feedback_pictures=3)
    answers = at_once(*(
        partial(send, client.application.test_client(), "cat", noise(number)) for number in range(8)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [507] * 5
    assert {kind_of(one) for one in answers if one.status_code == 507} == {"feedback-full"}
    assert kept(folder) == ["cat"] * 3
    # What is there already may still be called something else.
    statuses = [send(client, "dog", noise(number)).status_code for number in range(8)]
    assert sorted(statuses) == [201] * 3 + [507] * 5
    assert kept(folder) == ["dog"] * 3


def test_people_may_not_name_classes_without_end(client, folder, monkeypatch):
    monkeypatch.setattr(feedback, "_MOST_CLASSES", 1)
    statuses = [send(client, f"class {n}", noise(n)).status_code for n in range(13)]
    assert statuses == [201] * 11 + [507] * 2
    assert send(client, "class 3", noise(50)).status_code == 201
    assert send(client, "cat", noise(51)).status_code == 201


def test_a_full_disk_is_told(client, folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    answer = send(client, "cat", noise(1))
    assert kind_of(answer) == "no-room"
    monkeypatch.undo()

    def fail(*_):
        raise ImagetteError("It could not be written.", "Free some space.") from OSError(
            errno.ENOSPC, os.strerror(errno.ENOSPC)
        )

    monkeypatch.setattr(feedback, "write_bytes", fail)
    answer = send(client, "cat", noise(1))
    assert kind_of(answer) == "no-room"
    assert os.strerror(errno.ENOSPC) in answer.json["detail"]
    assert str(folder) not in answer.json["detail"]
    assert pictures(folder) == []


@pytest.mark.parametrize(
    ("content", "kind", "problem"),
    [
        (noise(1), "text/plain", "unsupported-content-type"),  # which any site's page may send
        (noise(1), "multipart/form-data; boundary=b", "unsupported-content-type"),
        (noise(1), None, "unsupported-content-type"),
        (b"", "image/png", "no-picture"),
        (b"no picture", "image/png", "unreadable-picture"),
        (noise(1, 1001, 1000), "image/png", "picture-too-large"),
    ],
)
def test_what_is_no_picture_is_refused(make_client, folder, content, kind, problem):
    client = make_client(max_pixels=1_000_000)
    assert kind_of(send(client, "cat", content, kind)) == problem
    assert pictures(folder) == []


def test_keys_and_rates_hold_here_too(make_client, folder):
    client = make_client(api_keys=("a-key-of-some-length",), requests_per_minute=2)
    assert kind_of(send(client, "cat", noise(1))) == "unauthorized"
    key = {"X-API-Key": "a-key-of-some-length"}
    statuses = [send(client, "cat", noise(n), headers=key).status_code for n in range(3)]
    assert statuses == [201, 201, 429]
    assert kept(folder) == ["cat", "cat"]


def test_a_folder_that_cannot_be_used_is_told_at_once(make_client, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ImagetteError, match="--feedback"):
        make_client(feedback=Path(tmp_path / "file"))
