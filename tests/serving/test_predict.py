"""What `POST /predict` answers when all is well."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from support.images import large_jpeg, noise
from support.running_server import picture_file

from imagette import Classifier


def as_form(*files):
    return {"image": [(io.BytesIO(content), name) for name, content in files]}


def assert_is(answer, prediction):
    assert answer["class"] == prediction.label
    assert answer["class_fr"] == prediction.label_fr
    assert answer["prediction"] == prediction.index
    assert answer["confidence"] == pytest.approx(prediction.confidence)
    assert answer["probabilities"] == pytest.approx(prediction.probabilities)
    assert answer["known"] is None


FILE = picture_file()
JSON = json.dumps({"image": (np.asarray(Image.open(io.BytesIO(FILE))) / 255).tolist()})


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(as_form(("red.png", FILE)), None), (FILE, "image/png"), (FILE, "image/*"),
     (FILE, "application/octet-stream"), (JSON, "application/json"),
     (JSON, "application/json; charset=utf-8")],
)  # fmt: skip
def test_a_picture_in_every_way(client, bundle_path, body, content_type):
    response = client.post("/predict", data=body, content_type=content_type)
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    assert_is(response.json, Classifier(bundle_path).predict(FILE))


@pytest.mark.parametrize(("width", "height"), [(8192, 6144), (16320, 12240)])
def test_photographs_of_phones_are_answered(make_client, bundle_path, width, height):
    photo = large_jpeg(width, height)
    response = make_client(decoding_bytes=100_000_000).post("/predict", data=as_form(("", photo)))
    assert_is(response.json, Classifier(bundle_path).predict(photo))


def test_a_progressive_photograph_that_takes_too_much_is_told_what_would_help(make_client):
    photo = Image.new("RGB", (3000, 2000))
    file = io.BytesIO()
    photo.save(file, "JPEG", progressive=True)
    client = make_client(decoding_bytes=12_000_000)
    answer = client.post("/predict", data=as_form(("a.jpg", file.getvalue())))
    assert answer.status_code == 413
    assert "save it as a JPEG that is not progressive" in answer.json["detail"]


@pytest.mark.parametrize("size", [(1, 1), (40, 20), (512, 64), (2, 512)])
def test_classic_json_of_any_size_is_answered_like_a_file(client, bundle_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    answer = client.post("/predict", json={"image": (pixels / 255).tolist()}).json
    assert_is(answer, Classifier(bundle_path).predict(pixels))


def test_classic_json_takes_whole_numbers_and_other_fields(client):
    body = {"image": np.ones((32, 32, 3), int).tolist(), "id": 7}
    assert client.post("/predict", json=body).status_code == 200


def test_probabilities_are_in_the_classes_order_and_sum_to_one(client):
    answer = client.post("/predict", data=picture_file(), content_type="image/png").json
    model = client.get("/model").json
    assert list(answer["probabilities"]) == model["class_names"]
    assert sum(answer["probabilities"].values()) == pytest.approx(1, abs=1e-5)
    assert answer["class"] == model["class_names"][answer["prediction"]]


def test_several_files_are_answered_in_their_order(client, bundle_path):
    colours = {"red.png": (250, 0, 0), "green.png": (0, 250, 0), "blue.png": (0, 0, 250)}
    files = [(name, picture_file(colour)) for name, colour in colours.items()]
    answers = client.post("/predict", data=as_form(*files)).json["predictions"]
    expected = Classifier(bundle_path).predict([content for _, content in files])
    assert [answer["file"] for answer in answers] == list(colours)
    for answer, prediction in zip(answers, expected, strict=True):
        assert_is(answer, prediction)


def test_one_bad_file_among_good_ones_is_reported_in_its_place(client):
    form = as_form(("a.png", picture_file()), ("notes.txt", b"hello"), ("empty.png", b""))
    response = client.post("/predict", data=form)
    good, text, empty = response.json["predictions"]
    assert response.status_code == 200
    assert "class" in good
    assert (text["file"], text["status"]) == ("notes.txt", 400)
    assert text["type"].endswith(":unreadable-picture")
    assert text["title"]
    assert text["detail"]
    assert empty["type"].endswith(":empty-picture")


@pytest.mark.parametrize(
    ("kind", "mode", "colour", "size"),
    [("JPEG", "RGB", (9, 200, 9), (640, 480)), ("JPEG", "CMYK", (9, 200, 9, 0), (64, 48)),
     ("PNG", "LA", (9, 0), (33, 31)), ("PNG", "I;16", 65535, (40, 40)), ("PNG", "1", 1, (1, 1)),
     ("GIF", "P", 3, (50, 20)), ("WEBP", "RGBA", (9, 200, 9, 0), (64, 64)),
     ("TIFF", "F", 0.5, (32, 32)), ("BMP", "L", 128, (5, 900))],
)  # fmt: skip
def test_any_format_size_and_mode(client, kind, mode, colour, size):
    body = picture_file(colour, size, mode, kind)
    response = client.post("/predict", data=body, content_type=f"image/{kind.lower()}")
    assert response.status_code == 200, response.text


def test_seen_gives_the_pixels_that_the_network_saw(client, bundle_path):
    file = picture_file((10, 20, 30), (300, 200))
    answer = client.post("/predict?seen=1", data=file, content_type="image/png").json
    head, _, data = answer["seen"].partition(",")
    assert head == "data:image/png;base64"
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    np.testing.assert_array_equal(seen, Classifier(bundle_path).views(file)[0].pixels)
    assert "seen" not in client.post("/predict", data=file, content_type="image/png").json


def test_a_picture_leaves_no_trace_on_disk_or_in_the_log(client, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("tempfile.TemporaryFile", None)  # would fail if an upload were spooled
    with caplog.at_level("DEBUG"):
        response = client.post("/predict", data=as_form(("secret.png", noise(0, 900, 900))))
    assert response.status_code == 200
    assert not list(tmp_path.iterdir())
    assert "secret" not in caplog.text
