"""What tests do with lessons over HTTP."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.images import stripes

from imagette.serving.schemas.teach import LessonAnswer


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


def said(client, lesson, picture, query=""):
    response = client.post(f"{lesson}/predict{query}", data=picture, content_type="image/png")
    assert response.status_code == 200, response.json
    return response.json


def folder_of(client):
    return Path(client.application.extensions["imagette"].settings.lessons_dir)


def lessons_in(client):
    return [path for path in folder_of(client).iterdir() if path.is_dir()]


def begin_over_http(running, *names):
    """The id of a new lesson of a server in another process."""
    body = json.dumps({"class_names": names})
    _, _, answer = running.ask("POST", "/lessons", body, {"Content-Type": "application/json"})
    return json.loads(answer)["id"]
