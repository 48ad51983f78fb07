"""The package that deploy/lambda/build.sh makes, run by AWS' own runtime interface client."""

import json
import sys
import zipfile
from pathlib import Path

import pytest
from support.deployed import run_script
from support.local_lambda import LocalLambda, copy_client, http_event
from support.locked import locked

ROOT = Path(__file__).parents[2]
SHIP = ROOT / "src/imagette/assets/samples/ship.png"
pytest.importorskip("awslambdaric", reason="it is there on Linux alone")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder that the script leaves, for the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("lambda")
    version = "{}.{}".format(*sys.version_info)
    assert "MB unpacked" in run_script(ROOT / "deploy/lambda/build.sh", folder, version)
    return folder


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


def test_it_answers_with_no_other_package_on_a_disk_that_cannot_be_written_to(built, tmp_path):
    path = [built / "package", copy_client(tmp_path / "client")]
    (tmp_path / "tmp").mkdir()
    function = LocalLambda(path, command=locked(tmp_path / "tmp"))
    headers = {"Content-Type": "image/png"}
    answer = function.call(http_event("POST", "/predict", SHIP.read_bytes(), headers))
    printed = function.stop()
    assert answer["statusCode"] == 200, printed
    assert json.loads(answer["body"])["class"] == "ship"
