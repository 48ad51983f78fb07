"""The package that deploy/lambda/build.sh makes, run by AWS' own runtime interface client."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from support.deployed import run_script
from support.local_lambda import CALLER, LocalLambda, copy_client, http_event, rest_event
from support.locked import locked

ROOT = Path(__file__).parents[2]
SHIP = ROOT / "src/imagette/assets/samples/ship.png"
pytest.importorskip("awslambdaric", reason="it is there on Linux alone")
pytestmark = pytest.mark.slow
each_door = pytest.mark.parametrize("event", [rest_event, http_event])


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that the script leaves, for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("lambda")
    version = "{}.{}".format(*sys.version_info)
    assert "MB unpacked" in run_script(ROOT / "deploy/lambda/build.sh", folder, version)
    return folder


@pytest.fixture(scope="module")
def path(built, tmp_path_factory):
    """Where a function is imported from: the package and the client, and no other package."""
    return [built / "package", copy_client(tmp_path_factory.mktemp("client"))]


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


def test_it_fits_and_holds_what_it_should(built):
    files = [file for file in (built / "package").rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 250 * 2**20
    with zipfile.ZipFile(built / "imagette-lambda.zip") as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    assert sorted(entry.filename for entry in entries) == sorted(
        str(file.relative_to(built / "package")) for file in files
    )
    names = {entry.filename.partition("/")[0].lower() for entry in entries}
    assert {"imagette", "onnxruntime", "apig_wsgi", "pillow_heif"} <= names
    assert not names & {"torch", "keras", "tensorflow", "streamlit", "granian", "awslambdaric"}
    # Compiled, and taken as it is: the disk is read-only, and files have other times there.
    compiled = [entry for entry in entries if entry.filename.endswith(".pyc")]
    assert len(compiled) > 500
    header_of_one = (built / "package" / compiled[0].filename).read_bytes()[:8]
    assert int.from_bytes(header_of_one[4:], "little") == 0b01  # by a hash that is not checked


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
