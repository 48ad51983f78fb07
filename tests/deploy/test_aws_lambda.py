"""The function of AWS Lambda, run by AWS' own runtime interface client.

`tests/packages` does so with the package that deploy/lambda/build.sh makes.
"""

import json
import sysconfig
from pathlib import Path

import pytest
from PIL import Image
from support.local_lambda import CALLER, LocalLambda, copy_client, http_event, rest_event
from support.locked import locked

ROOT = Path(__file__).parents[2]
SHIP = ROOT / "src/imagette/assets/samples/ship.png"
pytest.importorskip("awslambdaric", reason="it is there on Linux alone")
pytestmark = pytest.mark.slow
each_door = pytest.mark.parametrize("event", [rest_event, http_event])


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Where a function is imported from."""
    client = copy_client(tmp_path_factory.mktemp("client"))
    return [ROOT / "src", Path(sysconfig.get_path("purelib")), client]


@pytest.fixture(scope="module")
def function(path, tmp_path_factory):
    """The handler as the template names it, on a disk that cannot be written to."""
    running = LocalLambda(
        path,
        command=locked(tmp_path_factory.mktemp("tmp")),
        IMAGETTE_LOG_REQUESTS="true",
        IMAGETTE_REQUESTS_PER_MINUTE="1000",
        IMAGETTE_MAX_UPLOAD_BYTES="4500000",
    )
    yield running
    running.stop()


def jpeg_form(tmp_path) -> tuple[bytes, str]:
    """A multipart form with a JPEG of the ship, and its content type."""
    Image.open(SHIP).convert("RGB").save(tmp_path / "ship.jpg", quality=95)
    head = '--x\r\nContent-Disposition: form-data; name="image"; filename="ship.jpg"\r\n\r\n'
    body = head.encode() + (tmp_path / "ship.jpg").read_bytes() + b"\r\n--x--\r\n"
    return body, "multipart/form-data; boundary=x"


def header(answer, name):
    """The values of a header, whatever form the door takes them in."""
    several = answer.get("multiValueHeaders") or {
        key: [value] for key, value in answer["headers"].items()
    }
    return next((v for key, v in several.items() if key.lower() == name.lower()), [])


@each_door
def test_a_picture_is_answered(function, event, tmp_path):
    form, kind = jpeg_form(tmp_path)
    for body, content_type in ((form, kind), (SHIP.read_bytes(), "image/png")):
        # A client that does not know how much it sends; what arrives is whole.
        headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        answer = function.call(event("POST", "/predict", body, headers))
        assert answer["statusCode"] == 200, answer
        assert header(answer, "Content-Type") == ["application/json"]
        assert not answer["isBase64Encoded"]
        found = json.loads(answer["body"])
        assert found["class"] == "ship"
        assert found["confidence"] > 0.5


@each_door
def test_options_and_errors_are_those_of_the_api(function, event):
    headers, query = {"Content-Type": "image/png"}, {"seen": "1", "explain": "array"}
    answer = function.call(event("POST", "/predict", SHIP.read_bytes(), headers, query))
    found = json.loads(answer["body"])
    assert found["seen"].startswith("data:image/jpeg")
    assert len(found["explanation"]["heat_map"]) > 1

    answer = function.call(event("POST", "/predict", b"no picture", headers))
    assert answer["statusCode"] == 400
    assert header(answer, "Content-Type") == ["application/problem+json"]
    assert json.loads(answer["body"])["type"].endswith(":unreadable-picture")

    for address, status in (("/readyz", 200), ("/metrics", 200), ("/docs", 200), ("/no", 404)):
        assert function.call(event("GET", address))["statusCode"] == status


@each_door
def test_who_asks_is_who_the_door_saw_and_the_log_is_written_at_once(path, event):
    """Not who the client says; and Lambda lets a process do nothing between two requests."""
    function = LocalLambda(path, IMAGETTE_MODEL="cifar10-lite", IMAGETTE_LOG_REQUESTS="true")
    claimed = {"X-Forwarded-For": "198.51.100.1", "X-Request-ID": "mine"}
    function.call(event("GET", "/model", headers=claimed))
    logged = [line for line in function.stop().splitlines() if '"request_id":"mine"' in line]
    assert [json.loads(line)["client"] for line in logged] == [CALLER]


def test_a_setting_that_cannot_be_is_told_in_the_log(path):
    function = LocalLambda(path, IMAGETTE_MODEL="/var/task/missing.onnx")
    assert function.process.wait(timeout=60) != 0
    assert "missing.onnx" in function.stop()
