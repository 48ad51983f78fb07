"""The body of a request: what it is whatever it is called, and how it is packed."""

import base64
import gzip
import json
import zlib

import pytest
from PIL import Image
from support.clients import FILE, TEXT, assert_refused, assert_same, form, part
from support.images import written
from support.local_lambda import http_event, rest_event
from support.problems import kind_of

JPEG = written(Image.new("RGB", (40, 30), (9, 90, 200)), "JPEG")
JSON = json.dumps({"image": TEXT}).encode()
FORM = form(part("file"))


@pytest.mark.parametrize(
    "content_type",
    [None, "", "text/plain", "application/x-www-form-urlencoded", "nonsense", "\xe9\xe8; \xff",
     "application/json", "multipart/form-data", "multipart/form-data; boundary=abc",
     "multipart/mixed; boundary=abc", "video/mp4"],
)  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [FILE, JSON, b"\xef\xbb\xbf" + JSON, b"\n " + JSON, TEXT.encode(), base64.encodebytes(FILE),
     f"data:image/png;base64,{TEXT}".encode()],
    ids=["file", "JSON", "BOM", "blank", "base64", "lines", "data URL"],
)  # fmt: skip
def test_a_wrong_content_type_does_no_harm(client, right, body, content_type):
    assert_same(client.post("/predict", data=body, content_type=content_type), right)


@pytest.mark.parametrize("content_type", ["image/png", "application/octet-stream"])
def test_json_called_a_picture(client, right, content_type):
    assert_same(client.post("/predict", data=JSON, content_type=content_type), right)


@pytest.mark.parametrize(
    ("content_type", "status", "kind", "words"),
    [
        (None, 415, "unsupported-content-type", "no content type"),
        ("text/plain", 415, "unsupported-content-type", "neither a picture nor a form nor JSON"),
        ("multipart/form-data", 400, "bad-request", "does not have the parts"),
        ("multipart/form-data; boundary=b", 400, "bad-request", "does not have the parts"),
        ("application/json", 400, "invalid-json", "not valid JSON"),
        ("image/png", 400, "unreadable-picture", "cannot be read"),
    ],
)
def test_what_is_nothing_at_all(client, content_type, status, kind, words):
    response = client.post("/predict", data=b"nonsense", content_type=content_type)
    assert response.status_code == status
    assert_refused(response, kind, words)


def test_a_file_that_curl_has_spoilt(client):
    spoilt = bytes(byte for byte in JPEG if byte not in b"\r\n\0")
    kind = "application/x-www-form-urlencoded"  # what curl calls whatever it sends by -d
    response = client.post("/predict", data=spoilt, content_type=kind)
    assert_refused(response, "unreadable-picture", "--data-binary")


@pytest.mark.parametrize("file", [FILE, JPEG], ids=["PNG", "JPEG"])
def test_a_file_that_was_taken_for_text(client, file):
    for body in (file.decode(errors="replace").encode(), file.decode("latin-1").encode()):
        response = client.post("/predict", data=body, content_type="image/png")
        assert_refused(response, "unreadable-picture", "taken for text")


GZIPPED = gzip.compress(FILE, mtime=0)  # without the time, by which names of tests would differ


def deflated(content: bytes) -> bytes:
    """As many clients do it, without the head that the standard asks for."""
    packing = zlib.compressobj(wbits=-15)
    return packing.compress(content) + packing.flush()


@pytest.mark.parametrize(
    ("pack", "encoding"),
    [(gzip.compress, "gzip"), (gzip.compress, "X-GZIP"), (zlib.compress, "deflate"),
     (deflated, "deflate"), (bytes, "identity"), (gzip.compress, None)],
)  # fmt: skip
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(FILE, "image/png"), (JSON, "application/json"), (FORM, "multipart/form-data; boundary=b")],
    ids=["file", "JSON", "form"],
)
def test_a_body_that_is_packed(client, right, pack, encoding, body, content_type):
    headers = {"Content-Encoding": encoding} if encoding else {}
    packed = pack(body)
    assert_same(
        client.post("/predict", data=packed, content_type=content_type, headers=headers), right
    )


@pytest.mark.parametrize(
    ("body", "encoding", "kind", "words"),
    [
        (FILE, "br", "unsupported-content-type", "compressed by `br`"),
        (FILE, "gzip, gzip", "unsupported-content-type", "compressed by"),
        (FILE, "gzip", "bad-request", "damaged, or not gzip"),
        (FILE, "deflate", "bad-request", "damaged, or not deflate"),
        (GZIPPED[:-12], "gzip", "bad-request", "cut short"),
        (GZIPPED[:12], "gzip", "bad-request", "cut short"),
        (GZIPPED * 2, "gzip", "bad-request", "follows the end"),
        (b"", "gzip", "no-picture", "empty"),
        # Bombs: of a thousand times the size, and of just a byte more than may be.
        (gzip.compress(b"\0" * 200_000_000, 1, mtime=0), "gzip", "request-too-large", "2 MB"),
        (zlib.compress(b"\0" * 2_000_001), "deflate", "request-too-large", "2 MB"),
        (gzip.compress(b"\0" * 2_000_000, mtime=0), "gzip", "unreadable-picture", "cannot be read"),
        (
            gzip.compress(GZIPPED, mtime=0),
            "gzip",
            "unreadable-picture",
            "is a gzip file",
        ),
    ],
)
def test_a_body_that_cannot_be_unpacked(client, body, encoding, kind, words):
    headers = {"Content-Encoding": encoding}
    response = client.post("/predict", data=body, content_type="image/png", headers=headers)
    assert_refused(response, kind, words)


def test_by_aws_lambda(client, right):
    """Its doors hand a body over as text, or as base64."""
    handle = pytest.importorskip("imagette.serving.aws_lambda").make_handler(client.application)
    packed = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    as_text = {"Content-Type": "application/json"}
    for event in (rest_event, http_event):
        plain = event("POST", "/predict", JSON, as_text)
        plain |= {"body": JSON.decode(), "isBase64Encoded": False}
        for asked in (
            event("POST", "/predict", FORM, {"Content-Type": "multipart/form-data"}),
            event("POST", "/predict", gzip.compress(JSON), packed),
            plain,
        ):
            answer = handle(asked, None)
            assert answer["statusCode"] == 200, answer
            content = answer["body"]
            if answer["isBase64Encoded"]:
                content = base64.b64decode(content)
            assert json.loads(content)["confidence"] == pytest.approx(right.confidence)
        # What a door does that knows no binary bodies.
        spoilt = event("POST", "/predict", b"x", {"Content-Type": "image/png"})
        spoilt |= {"body": FILE.decode(errors="replace"), "isBase64Encoded": False}
        assert handle(spoilt, None)["statusCode"] == 400


class Gone:
    """The body of a client that has gone in the middle of it."""

    def read(self, size):
        raise OSError("the connection was reset")


def test_a_client_that_has_gone_is_no_failure_of_the_server(client):
    environ = {"wsgi.input_terminated": True, "wsgi.input": Gone(), "CONTENT_LENGTH": "100"}
    response = client.post("/predict", environ_overrides=environ)
    assert (response.status_code, kind_of(response)) == (400, "bad-request")
