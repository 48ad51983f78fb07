"""Teaching the server: what may be sent, what is kept, and what becomes of a training.

Where it does not matter what trains, something quicker stands in for `imagette train`.
"""

import io
import json
import os
import signal
import sys
import time
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image
from running_server import is_running, picture_file, wait_until

from imagette import Classifier, ImagetteError, load_dataset
from imagette.files import write_json
from imagette.serving import lesson_process, lessons, server
from imagette.serving.answers import AddedPictures, LessonAnswer, LessonPictures
from imagette.serving.app import create_app
from imagette.serving.lesson_process import watch_over
from imagette.serving.locks import is_locked
from imagette.serving.settings import Settings

pytest.importorskip("fcntl", reason="nothing is taught where there are no such locks")

# Says what `imagette train` says, and leaves what that leaves.
STAND_IN = """
import pathlib, shutil, sys
run = pathlib.Path(sys.argv[1]) / "attempt"
run.mkdir()
print("epoch  2/2  loss 0.5", file=sys.stderr)
(run / "history.csv").write_text(
    "epoch,loss,accuracy,val_loss,val_accuracy,seconds\\n1,1,0.5,1,0.5,1\\n2,0.5,1,0.5,1,1\\n"
)
shutil.copy(sys.argv[2], run / "model.onnx")
"""
FAILING = (
    "import sys; print('words\\nError: No picture in', sys.argv[1] + '/lesson/cat.\\nAdd one.',"
    " file=sys.stderr); sys.exit(1)"
)
SLEEPING = "import time; print('begun', flush=True); time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + SLEEPING


@pytest.fixture
def trainer(monkeypatch):
    """A function that lets something else train: Python code, and its arguments."""

    def let(code, *arguments):
        monkeypatch.setattr(
            lessons,
            "training_command",
            lambda folder: [sys.executable, "-c", code, str(folder), *map(str, arguments)],
        )

    return let


@pytest.fixture
def make_client(bundle_path, tmp_path):
    """A function that makes a client of an application that may be taught."""

    def make(**settings):
        settings = {"teach": True, "lessons_dir": tmp_path / "lessons"} | settings
        return create_app(Settings(model=bundle_path, **settings)).test_client()

    yield make
    for file in tmp_path.glob("lessons/*/training.lock"):
        (file.parent / "cancel").touch()
        wait_until(lambda file=file: not is_locked(file))


@pytest.fixture
def client(make_client):
    return make_client()


def noise(seed, size=(40, 30)):
    """A picture that no other is like."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def begin(client, *names):
    response = client.post("/lessons", json={"class_names": names or ("cat", "dog")})
    assert response.status_code == 201, response.json
    assert LessonAnswer.model_validate(response.json).state == "collecting"
    return response.headers["Location"]


def send(client, lesson, class_name, *pictures):
    data = {"image": [(io.BytesIO(picture), f"{n}.png") for n, picture in enumerate(pictures)]}
    return client.post(f"{lesson}/pictures", query_string={"class": class_name}, data=data)


def fill(client, lesson, count=10):
    for place, one in enumerate(client.get(lesson).json["classes"]):
        pictures = [noise(1000 * place + n) for n in range(count)]
        assert send(client, lesson, one["name"], *pictures).json["kept"] == count


def kind_of(response):
    assert response.mimetype == "application/problem+json"
    return response.json["type"].rpartition(":")[2]


def wait_for_end(client, lesson):
    wait_until(lambda: client.get(lesson).json["state"] != "training")
    return LessonAnswer.model_validate(client.get(lesson).json)


def test_it_is_off_unless_asked_for(bundle_path):
    client = create_app(Settings(model=bundle_path)).test_client()
    assert client.post("/lessons", json={"class_names": ["a", "b"]}).status_code == 404
    assert client.get("/model").json["teaching"] is None
    assert not any("lessons" in address for address in client.get("/").json["endpoints"])


def test_its_bounds_are_told(make_client):
    teaching = make_client(max_classes=3, lesson_hours=2).get("/model").json["teaching"]
    assert teaching == {
        "min_pictures": 10,
        "max_classes": 3,
        "max_lesson_pictures": 500,
        "max_training_seconds": 300,
        "lesson_hours": 2,
    }


@pytest.mark.parametrize(
    "names",
    [
        ["un chat", "ça"],
        ["猫", "犬", "鳥"],
        ["👩‍🚀", "🎈"],
        ["train", "test"],
        ["e\u0301", " b "],
        ["<b>*?", '"|:'],
    ],
)
def test_classes_are_called_anything_in_any_language(client, trainer, bundle_path, names):
    trainer(STAND_IN, bundle_path)
    lesson = begin(client, *names)
    fill(client, lesson)
    found = [one["name"] for one in client.get(lesson).json["classes"]]
    assert found == [{"e\u0301": "é", " b ": "b"}.get(name, name) for name in names]
    folder = next(path for path in lessons_in(client) if path.name == lesson[9:])
    # What trains finds the same classes, and every picture.
    dataset = load_dataset(folder / "lesson")
    assert sorted(dataset.class_names) == sorted(found)
    assert len(dataset.train) == 10 * len(names)


def lessons_in(client):
    return [path for path in _folder(client).iterdir() if path.is_dir()]


def _folder(client):
    return Path(client.application.extensions["imagette"][0]._settings.lessons_dir)


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
    [
        (b"{", "application/json", "invalid-json"),
        (b'{"class_names": ["a", "\\ud800"]}', "application/json", "invalid-json"),
        (b"[" * 100_000, "application/json", "invalid-json"),
        (b"[1]", "application/json", "wrong-classes"),
        (b"a=b", "application/x-www-form-urlencoded", "unsupported-content-type"),
        (b"", "application/json", "invalid-json"),
    ],
)
def test_other_bodies_are_refused(client, body, content_type, kind):
    response = client.post("/lessons", data=body, content_type=content_type)
    assert response.status_code in (400, 415)
    assert kind_of(response) == kind


@pytest.mark.parametrize(
    "lesson_id", ["x", "..", "%2e%2e", "..%2f..", "A" * 22, "A" * 5000, "%00" * 22, "é" * 22, "a b"]
)
def test_no_such_lesson(client, lesson_id):
    (_folder(client) / ("A" * 22)).mkdir()  # a folder that is no lesson
    for method, path in (
        ("GET", ""), ("DELETE", ""), ("GET", "/pictures"), ("POST", "/pictures?class=a"),
        ("DELETE", "/pictures/x"), ("POST", "/training"), ("DELETE", "/training"),
        ("GET", "/model"), ("POST", "/predict"),
    ):  # fmt: skip
        response = client.open(f"/lessons/{lesson_id}{path}", method=method)
        assert response.status_code in (404, 405)
        assert kind_of(response) in ("no-lesson", "not-found", "method-not-allowed")


def test_pictures_are_kept_small_upright_and_without_what_the_camera_wrote(client):
    lesson = begin(client)
    exif = Image.Exif()
    exif[0x0112] = 6  # on its side
    exif[0x010F] = "A camera of somebody"
    photo = io.BytesIO()
    Image.new("RGB", (900, 600), (200, 30, 30)).save(
        photo, format="JPEG", exif=exif, comment=b"secret"
    )
    answer = send(client, lesson, "cat", photo.getvalue(), b"junk", b"", photo.getvalue())
    found = AddedPictures.model_validate(answer.json)
    assert (found.kept, found.classes) == (1, {"cat": 1, "dog": 0})
    kinds = [(one.file, one.type.rpartition(":")[2]) for one in found.refused]
    assert kinds == [
        ("1.png", "unreadable-picture"), ("2.png", "empty-picture"), ("3.png", "same-picture")
    ]  # fmt: skip
    (kept,) = _folder(client).glob("*/lesson/cat/*")
    with Image.open(kept) as image:
        assert (image.format, image.size, image.mode) == ("PNG", (171, 256), "RGB")
        assert image.info == {}
    assert b"secret" not in kept.read_bytes()
    # The same picture as something else would teach nonsense.
    again = send(client, lesson, "dog", photo.getvalue()).json
    assert "“cat”" in again["refused"][0]["detail"]
    small = LessonPictures.model_validate(client.get(f"{lesson}/pictures").json)
    (thumbnail,) = small.classes["cat"]
    assert kept.name == f"{thumbnail.name}.png"

    assert client.delete(f"{lesson}/pictures/{thumbnail.name}").status_code == 200
    assert kind_of(client.delete(f"{lesson}/pictures/{thumbnail.name}")) == "not-found"
    assert kind_of(client.delete(f"{lesson}/pictures/..%2f..%2flesson.json")) == "not-found"
    assert client.get(lesson).json["classes"][0]["pictures"] == []


def test_wrong_requests_for_pictures(make_client):
    client = make_client(max_pictures=2, max_pixels=10_000, max_lesson_pictures=20)
    lesson = begin(client)
    assert kind_of(send(client, lesson, "bird", noise(1))) == "wrong-option"
    assert kind_of(send(client, lesson, "../dog", noise(1))) == "wrong-option"
    assert kind_of(client.post(f"{lesson}/pictures", data=b"x")) == "wrong-option"
    assert (
        kind_of(send(client, lesson, "cat", *[noise(n) for n in range(3)])) == "too-many-pictures"
    )
    as_json = client.post(f"{lesson}/pictures?class=cat", json={"image": []})
    assert kind_of(as_json) == "unsupported-content-type"
    bomb = send(client, lesson, "cat", picture_file(size=(200, 200))).json["refused"]
    assert bomb[0]["type"].endswith("picture-too-large")
    raw = client.post(f"{lesson}/pictures?class=cat", data=noise(1), content_type="image/png")
    assert raw.json["kept"] == 1
    for n in range(2, 21):
        assert send(client, lesson, "dog", noise(n)).json["kept"] == 1
    full = send(client, lesson, "dog", noise(21)).json
    assert (full["kept"], full["refused"][0]["type"]) == (0, "urn:imagette:problem:lesson-full")


def test_many_send_at_once(make_client):
    client = make_client(max_lesson_pictures=20)
    lesson, app = begin(client), client.application
    threads = [
        Thread(target=send, args=(app.test_client(), lesson, "cat", noise(n), noise(n // 2)))
        for n in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(client.get(lesson).json["classes"][0]["pictures"]) == 20
    assert len(list(_folder(client).glob("*/lesson/cat/*"))) == 20


def test_learning_and_what_comes_of_it(client, trainer, bundle_path):
    trainer(STAND_IN, bundle_path)
    lesson = begin(client)
    assert kind_of(client.get(f"{lesson}/model")) == "not-learned"
    assert kind_of(client.post(f"{lesson}/predict", data=noise(1))) == "not-learned"
    fill(client, lesson, 9)
    too_few = client.post(f"{lesson}/training")
    assert (too_few.status_code, kind_of(too_few)) == (409, "too-few-pictures")
    assert "“cat” has 9 pictures" in too_few.json["detail"]
    assert client.delete(f"{lesson}/training").json["state"] == "collecting"
    for name in ("cat", "dog"):
        send(client, lesson, name, noise(list(name.encode())))
    response = client.post(f"{lesson}/training")
    assert response.status_code == 202
    assert LessonAnswer.model_validate(response.json).state in ("training", "finished")
    found = wait_for_end(client, lesson)
    assert found.state == "finished"
    assert found.progress.epoch == found.progress.epochs == 2
    assert [row.accuracy for row in found.progress.history] == [0.5, 1]
    assert found.model.input.height == 32
    bundle = client.get(f"{lesson}/model")
    assert bundle.data == bundle_path.read_bytes()
    assert ".onnx" in bundle.headers["Content-Disposition"]
    picture = picture_file()
    answer = client.post(f"{lesson}/predict?explain=1", data=picture, content_type="image/png").json
    assert answer["class"] == Classifier(bundle_path).predict(picture).label
    # Names that anybody may give are no labels of metrics; addresses are counted by what they are.
    metrics = client.get("/metrics").get_data(as_text=True)
    assert "imagette_predictions_total{class=" not in metrics
    assert 'route="/lessons/<lesson>/predict"' in metrics
    assert lesson not in metrics

    # Another training that fails leaves what was learned before.
    trainer(FAILING)
    client.post(f"{lesson}/training")
    failed = wait_for_end(client, lesson)
    assert (failed.state, failed.error) == ("failed", "No picture in lesson/cat. Add one.")
    assert failed.model is not None
    assert client.delete(lesson).json == {"status": "deleted"}
    assert kind_of(client.get(lesson)) == "no-lesson"
    assert lessons_in(client) == []


def child_of(client, lesson):
    """The folder of the lesson, once its training has begun."""
    folder = _folder(client) / lesson.rpartition("/")[2]
    log = folder / "train.log"
    wait_until(lambda: log.is_file() and log.read_text().startswith("begun"))
    return folder


@pytest.mark.parametrize("code", [SLEEPING, STUBBORN])
def test_cancelled_it_ends_and_can_start_again(client, trainer, bundle_path, code):
    trainer(code)
    lesson = begin(client)
    fill(client, lesson)
    assert client.post(f"{lesson}/training").json["state"] == "training"
    assert kind_of(client.post(f"{lesson}/training")) == "lesson-in-training"
    assert kind_of(send(client, lesson, "cat", noise(99))) == "lesson-in-training"
    child_of(client, lesson)
    assert client.delete(f"{lesson}/training").json["state"] == "cancelled"
    trainer(STAND_IN, bundle_path)
    assert client.post(f"{lesson}/training").status_code == 202
    assert wait_for_end(client, lesson).state == "finished"


def test_deleted_while_it_starts(client, trainer):
    trainer(SLEEPING)
    lesson = begin(client)
    fill(client, lesson)
    client.post(f"{lesson}/training")
    assert client.delete(lesson).status_code == 200
    assert lessons_in(client) == []


def test_one_at_a_time(make_client, trainer):
    trainer(SLEEPING)
    one, other = make_client(), make_client()  # as two workers
    first, second = begin(one), begin(other)
    fill(one, first)
    fill(other, second)
    one.post(f"{first}/training")
    refused = other.post(f"{second}/training")
    assert (refused.status_code, kind_of(refused)) == (503, "too-busy")
    assert refused.headers["Retry-After"] == "10"
    assert other.get(first).json["state"] == "training"
    other.delete(f"{first}/training")
    assert other.post(f"{second}/training").status_code == 202


def test_it_takes_no_longer_than_it_may(make_client, trainer):
    trainer(SLEEPING)
    client = make_client(max_training_seconds=0.5)
    lesson = begin(client)
    fill(client, lesson)
    client.post(f"{lesson}/training")
    found = wait_for_end(client, lesson)
    assert found.state == "failed"
    assert "longer than the 0.5 s" in found.error


def test_killed_it_is_told_as_failed(client, trainer):
    trainer("import os; print('begun', os.getppid(), os.getpid(), flush=True); " + SLEEPING)
    lesson = begin(client)
    fill(client, lesson)
    client.post(f"{lesson}/training")
    log = (child_of(client, lesson) / "train.log").read_text()
    watcher, child = map(int, log.split()[1:3])
    os.kill(watcher, signal.SIGKILL)
    found = wait_for_end(client, lesson)
    assert (found.state, found.error[:22]) == ("failed", "The training broke off")
    wait_until(lambda: not is_running(child))


def test_it_ends_when_no_server_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson_process, "_SECONDS_WITHOUT_SERVER", 0.3)
    write_json(tmp_path / "lesson.json", {"class_names": ["a", "b"]})
    (tmp_path / "servers.lock").touch()
    watch_over(tmp_path, tmp_path / "servers.lock", 60, [], [sys.executable, "-c", SLEEPING])
    outcome = json.loads((tmp_path / "training.json").read_text())
    assert (outcome["state"], outcome["problem"]) == ("failed", "The server was stopped meanwhile.")


def test_unused_lessons_are_forgotten(make_client):
    client = make_client(max_lessons=2)
    first, second = begin(client), begin(client)
    for lesson in (first, second):
        send(client, lesson, "cat", noise(0))
    third = client.post("/lessons", json={"class_names": ["a", "b"]})
    assert (third.status_code, kind_of(third)) == (503, "too-many-lessons")
    assert 60 < int(third.headers["Retry-After"]) <= 600

    def last_used(lesson, hours):
        used = _folder(client) / lesson.rpartition("/")[2] / "used"
        os.utime(used, (time.time() - 3600 * hours,) * 2)

    last_used(first, 1)  # the one that makes room
    third = begin(client)
    assert kind_of(client.get(first)) == "no-lesson"
    last_used(third, 1 / 30)  # two minutes, and nothing in it
    fourth = begin(client)
    assert kind_of(client.get(third)) == "no-lesson"
    assert client.get(second).status_code == 200
    last_used(second, 25)
    others = [_folder(client) / name for name in ("holidays", "twenty-two-letters-abc")]
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

    monkeypatch.setattr(lessons, "write_bytes", write)
    response = send(client, lesson, "cat", noise(1))
    assert (response.status_code, kind_of(response)) == (507, "no-room")
    monkeypatch.setattr(lessons, "write_json", write)
    assert client.post("/lessons", json={"class_names": ["a", "b"]}).status_code == 507


def test_keys_are_asked_for(make_client):
    client = make_client(api_keys="secret")
    assert client.post("/lessons", json={"class_names": ["a", "b"]}).status_code == 401
    assert client.get(f"/lessons/{'A' * 22}").status_code == 401


def test_without_what_trains_the_server_says_so_and_goes_on(bundle_path, monkeypatch, capsys):
    monkeypatch.setattr(lessons, "_NEEDED", ("no_such_package",))
    settings = Settings(model=bundle_path, teach=True)
    assert server._without_teaching_where_it_cannot_be(settings).teach is False
    assert "pip install 'imagette[train]'" in capsys.readouterr().err
    with pytest.raises(ImagetteError, match="no_such_package, which is not installed"):
        create_app(settings)


def test_processes_must_agree_on_the_folder(bundle_path):
    with pytest.raises(ImagetteError, match="IMAGETTE_LESSONS_DIR"):
        create_app(Settings(model=bundle_path, teach=True))


class Asking:
    """A running server asked as the clients above are."""

    def __init__(self, running):
        self.running = running

    def __call__(self, method, path, body=None, kind="application/json"):
        status, headers, answer = self.running.ask(method, path, body, {"Content-Type": kind})
        return status, headers, answer

    def state(self, lesson):
        return json.loads(self("GET", lesson)[2])


def shape(kind, seed):
    """A picture of a dark square, or of a bright one."""
    low, high = (0, 100) if kind == "dark" else (150, 256)
    pixels = np.random.default_rng(seed).integers(low, high, (32, 32, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def test_a_server_is_taught_while_its_workers_die(start_server, tmp_path):
    """The real thing: two workers, a real training; whoever started it dies meanwhile."""
    pytest.importorskip("torch", reason="teaching needs imagette[train]")
    running = start_server(IMAGETTE_TEACH="1").wait_until_ready()
    workers = running.descendants()
    ask = Asking(running)
    body = json.dumps({"class_names": ["dark", "bright"]})
    status, headers, _ = ask("POST", "/lessons", body)
    assert status == 201
    lesson = headers["Location"]
    for kind in ("dark", "bright"):
        for seed in range(10):
            path = f"{lesson}/pictures?class={kind}"
            assert ask("POST", path, shape(kind, seed), "image/png")[0] == 200
    assert ask("POST", f"{lesson}/training")[0] == 202
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda worker=worker: not is_running(worker))
        wait_until(lambda: len(running.descendants()) >= len(workers))
    wait_until(lambda: _has_ended(ask, lesson), seconds=200)
    found = LessonAnswer.model_validate(ask.state(lesson))
    assert found.state == "finished", found.error
    assert found.model.pictures
    for kind in ("dark", "bright"):
        picture = shape(kind, 77)
        status, _, answer = ask("POST", f"{lesson}/predict", picture, "image/png")
        assert json.loads(answer)["class"] == kind
    status, _, bundle = ask("GET", f"{lesson}/model")
    (tmp_path / "taught.onnx").write_bytes(bundle)
    assert Classifier(tmp_path / "taught.onnx").predict(shape("dark", 5)).label == "dark"

    # A server that is stopped leaves no training behind.
    assert ask("POST", f"{lesson}/training")[0] == 202
    watchers = [pid for pid in _processes() if "lesson_process" in _words(pid)]
    assert watchers
    running.process.send_signal(signal.SIGTERM)
    assert running.finish()[0] == 0
    assert not any(is_running(pid) for pid in watchers)


def _has_ended(ask, lesson):
    try:
        return ask.state(lesson)["state"] != "training"
    except OSError:  # a worker that died, or that does not answer yet
        return False


def _words(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _processes():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
