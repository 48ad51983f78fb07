"""JSON: where in it the pictures are, and what is said where there are none."""

import base64
import json

import pytest
from support.clients import FILE, PIXELS, TEXT, assert_refused, assert_same

ARRAY = (PIXELS / 255).tolist()
URL = f"data:image/png;base64,{TEXT}"


@pytest.mark.parametrize(
    "text",
    [
        TEXT, URL, f"data:application/octet-stream;base64,{TEXT}", f"  {TEXT}\n", TEXT.rstrip("="),
        base64.encodebytes(FILE).decode(), base64.urlsafe_b64encode(FILE).decode(),
        str(base64.b64encode(FILE)),
    ],
)  # fmt: skip
def test_base64_as_it_is_written(client, right, text):
    assert_same(client.post("/predict", json={"image": text}), right)


@pytest.mark.parametrize(
    "name",
    ["file", "images", "inputs", "data", "image_base64", "imageB64", "b64", "img", "picture", "x"],
)
def test_a_picture_under_any_name(client, right, name):
    for picture in (TEXT, URL, ARRAY):
        body = {"id": 7, "key": "ab" * 32, "site": "https://example.org", name: picture}
        response = client.post("/predict", json=body)
        in_list = name in ("images", "inputs") and picture is ARRAY
        assert_same(response, right, 1 if in_list else None)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({"image": [TEXT]}, 1), ({"images": [TEXT, URL, ARRAY]}, 3), ({"inputs": [TEXT, TEXT]}, 2),
        # TensorFlow Serving, Vertex AI, Cloud Vision, Hugging Face, KServe, Triton
        ({"signature_name": "serving_default", "instances": [ARRAY]}, 1),
        ({"instances": [ARRAY, ARRAY]}, 2), ({"instances": [{"input_1": ARRAY}]}, 1),
        ({"instances": [{"b64": TEXT}, {"b64": TEXT}]}, 2), ({"instances": [TEXT]}, 1),
        ({"instances": [{"image_bytes": {"b64": TEXT}, "key": "0"}]}, 1),
        ({"instances": [{"content": TEXT}], "parameters": {"maxPredictions": 5}}, 1),
        ({"requests": [{"image": {"content": TEXT}, "features": [{"type": "LABEL"}]}]}, 1),
        ({"inputs": TEXT, "parameters": {"top_k": 3}}, None), ({"inputs": {"image": TEXT}}, None),
        ({"inputs": [{"name": "x", "shape": [2, 32, 32, 3], "datatype": "UINT8",
                      "data": PIXELS.ravel().tolist() * 2}]}, 2),
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]}, 1),
        # without a field
        (TEXT, None), ([TEXT, TEXT], 2), ([{"image": TEXT}], 1), (ARRAY, None),
        ({"image": {"b64": TEXT}}, None), ({"data": {"picture": URL}}, None),
        # bytes as JavaScript's Buffer, Dart and Java write them
        ({"image": {"type": "Buffer", "data": [*FILE]}}, None), ({"image": [*FILE]}, None),
        ({"photo": [byte - 256 if byte > 127 else byte for byte in FILE], "ids": [1] * 90}, None),
        # a signature is base64 as well
        ({"sig": "ab" * 64, "photo": TEXT}, None), ({"sig": "A" * 88, "photo": [URL]}, 1),
        ({"image": TEXT, "mask": TEXT}, None), ({"image": None, "file": TEXT}, None),
        (json.dumps({"image": TEXT}), None),  # made JSON twice
    ],
)  # fmt: skip
def test_the_shapes_of_other_servers(client, right, body, count):
    assert_same(client.post("/predict", json=body), right, count)


@pytest.mark.parametrize(
    ("picture", "kind", "words"),
    [
        ("https://example.org/cat.png", "no-picture", "an address, `https://example.org/cat.png`"),
        ("gs://bucket/cat.png", "no-picture", "fetches nothing"),
        ("blob:http://localhost/1", "no-picture", "fetches nothing"),
        ({"url": "http://localhost/a.png"}, "no-picture", "`image.url` is an address"),
        ({"source": {"imageUri": "gs://a/b"}}, "no-picture", "`image.source.imageUri` is an addr"),
        ("cat.png", "no-picture", "is the text `cat.png`"),
        ("C:\\cat.png", "no-picture", "is the text"),
        ("cat", "no-picture", "is the text `cat`"),
        ("x" * 5000 + ".png", "unreadable-picture", "something else than base64"),
        (f"{TEXT}!", "unreadable-picture", "something else than base64"),
        (TEXT[: len(TEXT) // 4 * 4 - 3], "unreadable-picture", "cut short"),
        (TEXT[:400], "unreadable-picture", "cut short"),
        ("iVBORw0KGgo=", "unreadable-picture", "cannot be read"),
        (base64.b64encode(b"words" * 99).decode(), "unreadable-picture", "cannot be read"),
        (FILE.decode("latin-1"), "unreadable-picture", ["made letters", "base64"]),
        (FILE.decode("utf-8", "replace"), "unreadable-picture", "made letters"),
        ("data:,", "unreadable-picture", "without base64"),
        ("data:image/svg+xml,<svg/>", "unreadable-picture", "without base64"),
        ("data:image/png;base64,", "empty-picture", "empty"),
        ("", "empty-picture", "empty"),
        (None, "no-picture", "null"),
        (True, "no-picture", "`image` is true"),
        (0.5, "no-picture", "`image` is 0.5"),
        ({}, "no-picture", "`image` is an empty object"),
        ([], "no-picture", "`image` is an empty list"),
    ],
)
def test_why_a_picture_is_refused(client, picture, kind, words):
    assert_refused(client.post("/predict", json={"image": picture}), kind, words)


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"left": TEXT, "right": TEXT}, "no-picture", "`left` and `right` may both be the picture"),
        ({"image_url": "https://example.org/a.png"}, "no-picture", "`image_url` is an address"),
        ({"name": "cat", "id": 3}, "no-picture", "no field `image`"),
        ({"images": [TEXT] * 9}, "too-many-pictures", "8 pictures"),
        ({"inputs": [{"shape": [1, 2, 2, 3], "data": [0] * 11}]}, "wrong-shape", "11 numbers"),
        ({"inputs": [{"shape": [-1, -11], "data": [0] * 11}]}, "wrong-shape", "11 numbers"),
    ],
)
def test_why_json_is_refused(client, body, kind, words):
    assert_refused(client.post("/predict", json=body), kind, words)


def test_one_bad_picture_of_a_list_is_reported_in_its_place(client):
    bad = ["cat.png", "https://example.org/a.png", [[0.5]], [[[300, 0, 0]]], TEXT[:400], {}, 7]
    answers = client.post("/predict", json={"images": [TEXT, *bad]}).json["predictions"]
    assert "class" in answers[0]
    kinds = [answer["type"].rpartition(":")[2] for answer in answers[1:]]
    assert kinds == [
        "no-picture", "no-picture", "wrong-shape", "wrong-values", "unreadable-picture",
        "no-picture", "no-picture",
    ]  # fmt: skip
    assert "`images[4][0][0][0]` is 300" in answers[4]["detail"]


@pytest.mark.parametrize(
    "body",
    [b"[" + b"[]," * 300_000 + b"[]]", b'{"x":[' + b'{"a":0},' * 200_000 + b'{"a":0}]}',
     b'{"image":[' + b"0," * 999_990 + b"0]}"],
)  # fmt: skip
def test_what_would_fill_the_memory_is_refused(client, body):
    response = client.post("/predict", data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.json["type"].rpartition(":")[2] in ("wrong-shape", "no-picture")
