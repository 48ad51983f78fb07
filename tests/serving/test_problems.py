"""Bad requests: never a 500, always a problem that says what is wrong and what to do."""

import io
import json
import struct
from unittest import mock

import numpy as np
import pytest
from support.images import png
from support.running_server import picture_file


def assert_problem(response, status, kind):
    assert response.status_code == status, response.text
    assert response.mimetype == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    problem = response.json
    assert problem["type"] == f"urn:imagette:problem:{kind}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"].endswith(".")
    assert problem["detail"].count(". ") >= 1, "one sentence on what is wrong, one on what to do"
    return problem


def huge_png(width=30_000, height=30_000) -> bytes:
    """A PNG of a few bytes that claims to hold 900 million pixels."""
    return png(width, height, 8, 2, b"\0" * 10_000)


def icon(picture: bytes) -> bytes:
    """An ICO that says it is 16×16 and holds another picture."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\nshowpage\n%%EOF\n"
GOOD = picture_file()
JPEG = picture_file((1, 2, 3), (200, 200), kind="JPEG")


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [(b"", 400, "no-picture")]
    + [(unreadable, 400, "unreadable-picture") for unreadable in (
        b"hello", b"\0" * 5000, bytes(range(256)) * 40, GOOD[:50], GOOD[:40] + b"?" * 40,
        JPEG[:-300], b"RIFF\xff\xff\xff\xffWEBPVP8 ", b"GIF89a" + b"\xff" * 30,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", EPS,
    )]
    # A decompression bomb, just over max_pixels, more than the icon says, and an overflow.
    + [(huge, 413, "picture-too-large") for huge in (
        huge_png(), huge_png(1001, 1000), icon(huge_png(1500, 1000)), huge_png(2**31 - 1, 2**31 - 1)
    )],
)  # fmt: skip
@pytest.mark.parametrize("way", ["raw", "form"])
def test_bad_files(client, way, body, status, kind):
    if way == "raw":
        response = client.post("/predict", data=body, content_type="image/png")
    else:
        response = client.post("/predict", data={"image": (io.BytesIO(body), "it.png")})
        kind = "empty-picture" if kind == "no-picture" else kind
    assert_problem(response, status, kind)


ARRAY = np.zeros((32, 32, 3)).tolist()


def as_json(image):
    return json.dumps({"image": image})


def changed(value, row=31, column=31, channel=2):
    array = np.zeros((32, 32, 3)).tolist()
    array[row][column][channel] = value
    return as_json(array)


BAD_JSON = {
    "no-picture": [
        "", "{}", "[]", "3", "null", '"image"', '{"picture": []}',
        *map(as_json, [None, {}, True, 0.5, []]),
    ],
    "unreadable-picture": [as_json("iVBORw0KGgo=")],
    "invalid-json": [
        "{", '{"image": [[[0, 0, 0],]]}', "nonsense", b"\xff\xfe\xfa", b'{"image": "\xe9t\xe9"}',
        '{"image": [[[0]]]}'.encode("utf-16"), '{"image": "\\ud800"}', "[" * 100_000,
        '{"image":' * 40_000,
    ],
    "wrong-shape": [
        *map(as_json, [[[]], [[[]]], [0.1], [[0.1]]]),
        *(as_json(np.zeros(shape).tolist()) for shape in (
            (32, 32, 2), (32, 32, 5), (3, 32, 32), (64, 64, 30), (513, 1, 3), (1, 513, 3)
        )),
        '{"image":' + "[" * 100 + "]" * 100 + "}",
        as_json([*ARRAY[:31], ARRAY[0][:5]]),
        as_json([*ARRAY[:31], [*ARRAY[0][:31], [0, 0]]]),
        '{"image": [' + "[]," * 1_000_000 + "[]]}",
    ],
    "wrong-values": [
        *map(changed, map(float, ("nan", "inf", "-inf"))),
        *map(changed, (1.0001, 254.5, 256, -0.01, True, None, "0.5", [0.5], {}, 10**400, 1e308)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_JSON)
def test_bad_json(client, subtests, kind):
    for body in BAD_JSON[kind]:
        with subtests.test(str(body)[:60]):
            response = client.post("/predict", data=body, content_type="application/json")
            assert_problem(response, 400, kind)


def test_bad_json_names_the_place(client):
    response = client.post("/predict", data=changed(1.5, 4, 5, 1), content_type="application/json")
    assert "`image[4][5][1]`" in assert_problem(response, 400, "wrong-values")["detail"]


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=image; filename=a.png\r\n\r\n" + GOOD,
        b"--b\r\nnonsense\r\n\r\n\r\n--b--\r\n",
        b'--b\r\nContent-Disposition: form-data; name="\xff"; filename="\xff"\r\n\r\nx\r\n--b--',
        b"--b\r\n" + b"X-Long: " + b"a" * 100_000,
    ],
)
def test_damaged_forms(client, body):
    response = client.post("/predict", data=body, content_type="multipart/form-data; boundary=b")
    assert 400 <= response.status_code < 500
    assert response.mimetype == "application/problem+json"


def test_too_many_pictures_or_form_parts(client):
    form = {"image": [(io.BytesIO(GOOD), "a.png") for _ in range(9)]}
    problem = assert_problem(client.post("/predict", data=form), 413, "too-many-pictures")
    assert "8 pictures" in problem["detail"]
    form = {f"field{i}": "x" for i in range(1100)}
    response = client.post("/predict", data=form, content_type="multipart/form-data")
    assert_problem(response, 413, "request-too-large")


@pytest.mark.parametrize(
    "content_type", ["image/png", "application/json", "multipart/form-data; boundary=b"]
)
def test_body_over_the_limit(make_client, content_type):
    client = make_client(max_upload_bytes=2000)
    response = client.post("/predict", data=b"x" * 2001, content_type=content_type)
    assert "0.002 MB" in assert_problem(response, 413, "request-too-large")["detail"]


@pytest.mark.parametrize("path", ["/nothing", "/predict/", "/static/x.js", "/%ff%00", "/../model"])
def test_unknown_address(client, path):
    assert_problem(client.get(path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/predict"), ("POST", "/model"), ("PUT", "/")]
)
def test_wrong_method(client, method, path):
    response = client.open(path, method=method)
    assert_problem(response, 405, "method-not-allowed")
    assert response.headers["Allow"]


def test_an_unforeseen_error_is_logged_and_not_shown(client, monkeypatch, caplog):
    fail = mock.Mock(side_effect=ZeroDivisionError("private words"))
    monkeypatch.setattr("imagette.inference.classifier.Classifier.predict", fail)
    response = client.post("/predict", data=GOOD, content_type="image/png")
    assert_problem(response, 500, "internal-error")
    assert "private words" not in response.text
    assert "private words" in caplog.text
