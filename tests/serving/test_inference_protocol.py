"""The Open Inference Protocol, as its public client speaks it to a real server, and by hand."""

import json

import jsonschema
import numpy as np
import pytest
from support.clients import FILE, PIXELS, TEXT
from support.images import noise
from support.problems import kind_of
from support.running_server import RunningServer, picture_file

from imagette.inference.bundle import SHIPPED
from imagette.inference.classifier import Classifier

LENGTH = "Inference-Header-Content-Length"
OTHER = picture_file((30, 200, 30))


@pytest.fixture(scope="module")
def server(bundle_path):
    """A server of two models, of which one tells what it does not know."""
    models = f"lite={SHIPPED['cifar10-lite']},mean={bundle_path}"
    with RunningServer(models, IMAGETTE_WORKERS="1", IMAGETTE_MAX_PICTURES="3") as running:
        yield running.wait_until_ready()


@pytest.fixture(scope="module")
def triton(server):
    http = pytest.importorskip("tritonclient.http")
    with http.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def expected():
    classifier = Classifier("cifar10-lite")
    return classifier, classifier.predict([FILE, OTHER])


def tensor(values, datatype="UINT8", binary=True):
    from tritonclient.http import InferInput

    array = np.array(values, np.object_) if datatype == "BYTES" else np.asarray(values)
    given = InferInput("image", array.shape, datatype)
    given.set_data_from_numpy(array, binary_data=binary)
    return [given]


def assert_answers(answer, predictions):
    rows = [[*one.probabilities.values()] for one in predictions]
    np.testing.assert_allclose(answer.as_numpy("probabilities"), rows, atol=1e-5)
    familiar = [one.familiarity for one in predictions]
    np.testing.assert_allclose(answer.as_numpy("familiarity"), familiar, atol=1e-5)
    assert answer.as_numpy("known").tolist() == [one.known for one in predictions]
    texts = [
        text.decode() if isinstance(text, bytes) else text for text in answer.as_numpy("label")
    ]
    assert texts == [one.label for one in predictions]


def test_what_a_client_asks_first(triton):
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.get_server_metadata()["name"] == "imagette"
    for name, version, there in (
        ("lite", "", True), ("mean", "1", True), ("mean", "2", False), ("other", "", False)
    ):  # fmt: skip
        assert triton.is_model_ready(name, version) == there
    told = triton.get_model_metadata("mean", "1")
    assert told["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, -1, -1, 3]}]
    assert {one["name"]: one["shape"] for one in told["outputs"]} == {
        "probabilities": [-1, 10], "label": [-1]
    }  # fmt: skip
    assert len(triton.get_model_metadata("lite")["outputs"]) == 4


def test_answers_are_those_of_the_classifier(triton, expected):
    _, predictions = expected
    pixels = np.stack([PIXELS, np.full((32, 32, 3), (30, 200, 30), np.uint8)])
    for binary in (True, False):
        answer = triton.infer("lite", tensor(pixels, binary=binary), request_id="a-1")
        assert_answers(answer, predictions)
        assert answer.get_response()["id"] == "a-1"
        assert answer.get_response()["model_name"] == "lite"
    assert_answers(triton.infer("lite", tensor([FILE, OTHER], "BYTES")), predictions)
    assert_answers(triton.infer("lite", tensor([TEXT], "BYTES", binary=False)), predictions[:1])
    for packed in ("gzip", "deflate"):
        answer = triton.infer("lite", tensor(pixels), request_compression_algorithm=packed)
        assert_answers(answer, predictions)


def test_pictures_of_any_size_are_looked_at_as_files_are(triton, expected):
    classifier, _ = expected
    large = np.random.default_rng(0).integers(0, 256, (2, 90, 130, 3), np.uint8)
    assert_answers(triton.infer("lite", tensor(large)), classifier.predict([*large]))


def test_outputs_are_those_that_are_asked_for(triton, expected):
    from tritonclient.http import InferRequestedOutput

    _, [prediction, _] = expected
    for binary in (True, False):
        wanted = [
            InferRequestedOutput("familiarity", binary_data=not binary),
            InferRequestedOutput("probabilities", binary_data=binary, class_count=3),
        ]
        answer = triton.infer("lite", tensor([FILE], "BYTES"), outputs=wanted, model_version="1")
        assert [one["name"] for one in answer.get_response()["outputs"]] == [
            "familiarity", "probabilities"
        ]  # fmt: skip
        best = answer.as_numpy("probabilities")
        assert best.shape == (1, 3)
        text = best[0, 0].decode() if isinstance(best[0, 0], bytes) else best[0, 0]
        value, index, label = text.split(":")
        assert (int(index), label) == (prediction.index, prediction.label)
        assert float(value) == pytest.approx(prediction.confidence, abs=1e-5)


def test_what_is_wrong_reaches_the_client(triton):
    from tritonclient.utils import InferenceServerException

    for given, words in (
        (tensor([FILE] * 4, "BYTES"), "more than the 3 pictures"),
        (tensor([b"no picture"], "BYTES"), "cannot be read"),
        (tensor(np.zeros((1, 32, 32, 4), np.uint8)), "not \\[n, height, width, 3\\]"),
        (tensor(np.zeros((1, 32, 32, 3), np.float32), "FP32"), "'FP32', not UINT8 or BYTES"),
    ):
        with pytest.raises(InferenceServerException, match=words):
            triton.infer("lite", given)
    with pytest.raises(InferenceServerException, match="lite, mean"):
        triton.infer("other", tensor([FILE], "BYTES"))


def test_each_model_is_found_by_its_path(server):
    for name, shown in (("lite", "cifar10"), ("mean", None)):
        told = json.loads(server.ask("GET", f"/models/{name}")[2])
        assert told["dataset"] == shown
    by_default, by_name, by_other = (
        json.loads(server.ask("POST", path, FILE)[2])
        for path in ("/predict", "/models/lite/predict", "/models/mean/predict")
    )
    assert by_default == by_name != by_other
    for path in ("/models/other", "/models/other/predict"):
        status, _, body = server.ask("POST" if "predict" in path else "GET", path, FILE)
        assert status == 404
        assert json.loads(body)["type"].endswith(":no-model")
        assert "lite, mean" in json.loads(body)["detail"]


# --- by hand --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(bundle_path):
    from imagette.serving.app import create_app
    from imagette.serving.settings import Settings

    return create_app(Settings(model=f"m={bundle_path}", max_upload_bytes=20_000)).test_client()


def image(**changes):
    given = {"name": "image", "shape": [1, 2, 2, 3], "datatype": "UINT8", "data": [9] * 12}
    return {"inputs": [{key: value for key, value in (given | changes).items() if value != ""}]}


def size(count, **changes):
    return image(data="", parameters={"binary_data_size": count}, **changes)


BYTES = {"shape": [1], "datatype": "BYTES"}
WRONG = [
    ({}, "inputs"), ([], "The JSON"), ({"inputs": []}, "inputs"), ({"inputs": [{}]}, "name"),
    ({"inputs": image()["inputs"] * 2}, "`image` alone"), (image(name="x"), "`image` alone"),
    (image(shape=[1, 2, 2]), "not [n, height"), (image(shape=[-1, 2, 2, 3]), "shape"),
    (image(shape=[2, 2, 2, 3]), "has 12 numbers"), (image(shape=[1, 0, 2, 3], data=[]), "0 pict"),
    (image(shape=[0, 2, 2, 3], data=[]), "no picture"), (image(shape=[]), "not [n, height"),
    (image(shape=["1", 2, 2, 3]), "shape"), (image(data=[0.5] * 12), "whole numbers 0 to 255"),
    (image(data=[256] * 12), "whole numbers"), (image(data=[-1] * 12), "whole numbers"),
    (image(data=["a"] * 12), "whole numbers"), (image(data=[[1, 2], [3]]), "same length"),
    (image(data=[2**70] * 12), "whole numbers"), (image(data=""), "neither `data`"),
    (image(data=None), "neither `data`"), (image(data=5), "data"),
    (image(data=[5], **BYTES), "is no text"), (image(data=["cat.png"], **BYTES), "is the text"),
    (image(data=[TEXT, TEXT], **BYTES), "holds 2 pictures"), (image(data=[""], **BYTES), "empty"),
    (size(5), "5, and 0 bytes"), (size("5"), "'5', and 0 bytes"),
    (image() | {"outputs": [{"name": "logits"}]}, "no output 'logits'"),
    (image() | {"outputs": [{"name": "label", "parameters": {"classification": 2}}]}, "number of"),
    (image() | {"id": 5}, "id"),
]  # fmt: skip


def test_bodies_that_are_not_as_the_protocol_has_them(alone, subtests):
    for body, words in WRONG:
        with subtests.test(json.dumps(body)[:80]):
            response = alone.post("/v2/models/m/infer", json=body)
            assert response.status_code == 400, response.text
            assert response.mimetype == "application/json"
            assert response.json.keys() == {"error"}
            assert words in response.json["error"]
    head = json.dumps(size(4 + 5, **BYTES)).encode()
    for content, length, words in (
        (head + b"\xff\0\0\0hello", len(head), "cut short"),
        (head + b"\0\0", len(head), "2 bytes follow"),
        (head, len(head) + 1, "more bytes than the body has"), (head, "many", "whole number"),
        (json.dumps(image()).encode() + b"more", len(json.dumps(image())), "4 bytes follow"),
        (b"no JSON", None, "not valid JSON"), (b"", None, "not valid JSON"),
        (head[:-9], len(head) - 9, "not valid JSON"),
    ):  # fmt: skip
        headers = {} if length is None else {LENGTH: str(length)}
        response = alone.post("/v2/models/m/infer", data=content, headers=headers)
        assert response.status_code == 400
        assert words in response.json["error"], response.text


def test_errors_of_every_kind_have_the_form_of_the_protocol(alone, make_client, bundle_path):
    for method, path, status in (
        ("GET", "/v2/nothing", 404), ("GET", "/v2/models/x", 404), ("PUT", "/v2", 405),
        ("GET", "/v2/models/m/infer", 405), ("GET", "/v2/models/m/versions/7", 404),
    ):  # fmt: skip
        response = alone.open(path, method=method)
        assert response.status_code == status
        assert response.json.keys() == {"error"}
    large = alone.post("/v2/models/m/infer", data=noise(1, 100, 100))
    assert (large.status_code, [*large.json]) == (413, ["error"])

    locked = make_client(model=f"m={bundle_path}", api_keys="secret", requests_per_minute=3)
    for _ in range(5):
        assert locked.get("/v2/health/ready").json == {"ready": True}
    assert [locked.get("/v2/models/m").status_code for _ in range(4)] == [401, 401, 401, 429]
    # What has nothing to do with the protocol stays as it was.
    assert kind_of(alone.get("/nothing")) == "not-found"


def test_answers_are_as_described(alone):
    document = alone.get("/openapi.json").json
    described = document["paths"]["/v2/models/{model}/infer"]["post"]
    answer = alone.post("/v2/models/m/infer", json=image() | {"id": "x"})
    for response in (answer, alone.post("/v2/models/m/infer", json={})):
        content = described["responses"][str(response.status_code)]["content"]
        schema = content["application/json"]["schema"] | {"components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(response.json)
    assert answer.json["outputs"][0]["shape"] == [1, 10]
