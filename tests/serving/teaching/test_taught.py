"""What a lesson answers: by all its pictures, at once, by any worker."""

import json
import os
import signal
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support.images import noise, stripes
from support.lessons import at_once, begin, lessons_in, said, send, teach_stripes
from support.problems import kind_of
from support.running_server import is_running, wait_until

from imagette import Classifier
from imagette.serving.schemas.teach import AddedPictures


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
    assert one.delete(lesson).json == {"status": "deleted", "undo_seconds": 0}
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
