"""What the API says of itself, and that it keeps to it."""

import io
import json
import re
from itertools import product
from urllib.parse import urlencode

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import sampled_from
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from support.clients import FILE, GREY, PIXELS, TEXT, form, part
from support.running_server import picture_file

from imagette.inference.bundle import SHIPPED
from imagette.serving.app import create_app
from imagette.serving.settings import Settings

CHECKS = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]  # fmt: skip


@pytest.fixture(scope="module")
def app():
    # What ships tells `known` and explains; the limits are small, so that some are met.
    return create_app(
        Settings(model=SHIPPED["cifar10-lite"], max_pictures=3, max_upload_bytes=20_000)
    )


def hold_to_description(app, operation, examples, lessons=(None,)):
    """See that an endpoint answers as it is described, whatever it is asked, of these lessons."""
    method, path = operation.split()
    described = schemathesis.openapi.from_wsgi("/openapi.json", app)

    @given(described[path][method].as_strategy(), sampled_from(lessons))
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    def hold_to_it(case, lesson):
        if lesson and "lesson" in case.path_parameters:
            case.path_parameters["lesson"] = lesson
        if "model" in case.path_parameters and len(case.path_parameters["model"]) % 2:
            case.path_parameters |= {"model": "cifar10-lite", "version": "1"}
        case.validate_response(case.call(), checks=CHECKS)

    hold_to_it()


def test_the_example_is_answered(app):
    client = app.test_client()
    operation = client.get("/openapi.json").json["paths"]["/predict"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    assert client.post("/predict", json=example).json["class"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "examples"),
    [("POST /predict", 60), ("GET /", 10), ("GET /model", 10), ("GET /model/card", 10),
     ("GET /dataset", 10), ("GET /healthz", 5), ("GET /readyz", 5), ("GET /metrics", 5),
     ("GET /openapi.json", 5), ("GET /docs", 5), ("GET /models/{model}", 5),
     ("POST /models/{model}/predict", 10), ("GET /v2", 1),
     ("GET /v2/health/live", 1), ("GET /v2/health/ready", 1), ("GET /v2/models/{model}", 5),
     ("GET /v2/models/{model}/ready", 5), ("POST /v2/models/{model}/infer", 40),
     ("POST /v2/models/{model}/versions/{version}/infer", 10)],
)  # fmt: skip
def test_every_answer_is_as_described(app, operation, examples):
    hold_to_description(app, operation, examples)


@pytest.fixture(scope="module")
def taught(tmp_path_factory, backbone):
    """The same, where people may teach; with the ids of two lessons, and none."""
    folder = tmp_path_factory.mktemp("lessons")
    options = {"teach": True, "lessons_dir": folder, "max_lessons": 10_000, "max_pictures": 3}
    app = create_app(Settings(model=SHIPPED["cifar10-lite"], max_upload_bytes=20_000, **options))
    client, names = app.test_client(), {"class_names": ["cat", "dog"]}
    return app, [*(client.post("/lessons", json=names).json["id"] for _ in range(2)), None]


@pytest.mark.parametrize(
    "operation",
    ["POST /lessons", "GET /lessons/{lesson}", "POST /lessons/{lesson}/pictures",
     "GET /lessons/{lesson}/pictures", "DELETE /lessons/{lesson}/pictures/{picture}",
     "GET /lessons/{lesson}/pictures/{picture}", "PATCH /lessons/{lesson}",
     "POST /lessons/{lesson}/classes", "PATCH /lessons/{lesson}/classes",
     "DELETE /lessons/{lesson}/classes", "POST /lessons/{lesson}/undo",
     "GET /lessons/{lesson}/archive", "GET /lessons/{lesson}/model",
     "POST /lessons/{lesson}/predict", "DELETE /lessons/{lesson}"],
)  # fmt: skip
def test_every_answer_about_lessons_is_as_described(taught, operation):
    app, lessons = taught
    hold_to_description(app, operation, 20, lessons)


@pytest.mark.slow
def test_every_answer_to_feedback_is_as_described(tmp_path):
    options = {"feedback": tmp_path, "max_feedback_pictures": 2, "max_upload_bytes": 20_000}
    app = create_app(Settings(model=SHIPPED["cifar10-lite"], **options))
    hold_to_description(app, "POST /feedback", 20)


def test_answers_about_pictures_are_as_described(app, subtests):
    """Random bytes are hardly ever a picture."""
    good, bad = ("a.png", picture_file()), ("b.png", b"no picture")
    for files, query in product(
        ([good], [good, bad], [bad], [good] * 4, []),
        ("", "?explain=1", "?explain=array&seen=1", "?explain=yes"),
    ):
        with subtests.test(f"{len(files)} files, {query}"):
            data = {"image": [(io.BytesIO(content), name) for name, content in files]}
            response = app.test_client().post(f"/predict{query}", data=data)
            assert response.status_code < 500
            operation = app.api_doc["paths"]["/predict"]["post"]
            content = operation["responses"][str(response.status_code)]["content"]
            schema = content[response.mimetype]["schema"]
            jsonschema.Draft202012Validator(
                {**schema, "components": app.api_doc["components"]}
            ).validate(response.json)


def test_every_way_to_send_a_picture_is_described(app):
    """And what is described is taken."""
    body = app.api_doc["paths"]["/predict"]["post"]["requestBody"]["content"]
    samples = {
        "multipart/form-data": form(part()),
        "image/*": FILE,
        "application/octet-stream": FILE,
        "application/x-www-form-urlencoded": urlencode({"image": TEXT}),
        "application/json": json.dumps({"image": TEXT}),
    }
    assert body.keys() == samples.keys()
    for kind, sample in samples.items():
        kind += "; boundary=b" if kind.startswith("multipart") else ""
        assert app.test_client().post("/predict", data=sample, content_type=kind).status_code == 200
    validator = jsonschema.Draft202012Validator(
        {**body["application/json"]["schema"], "components": app.api_doc["components"]}
    )
    array = PIXELS[:4, :4].tolist()
    for sample in (
        {"image": TEXT}, {"image": array}, {"image": GREY[:4, :4].tolist()},
        {"images": [TEXT, array]}, {"instances": [{"b64": TEXT}, array]}, {"inputs": TEXT},
        {"image": {"b64": TEXT}},
    ):  # fmt: skip
        validator.validate(sample)
        assert app.test_client().post("/predict", json=sample).status_code == 200
    with pytest.raises(jsonschema.ValidationError):
        validator.validate({"image": 5})


def test_it_is_openapi_3_1_and_names_every_endpoint(app):
    document = app.test_client().get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    assert set(document["paths"]) == {
        "/", "/predict", "/model", "/model/card", "/dataset", "/models/{model}",
        "/models/{model}/predict", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs",
        "/v2", "/v2/health/live", "/v2/health/ready",
        *(f"/v2/models/{{model}}{more}{last}" for more in ("", "/versions/{version}")
          for last in ("", "/ready", "/infer")),
    }  # fmt: skip
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            assert {"200", "400", "429", "500"} <= set(operation["responses"])


def test_endpoints_have_headings_and_pictures_come_first(app):
    document = app.test_client().get("/openapi.json").json
    headings = [tag["name"] for tag in document["tags"]]
    assert headings[0] == "Pictures"
    for operations in document["paths"].values():
        for operation in operations.values():
            (heading,) = operation["tags"]
            assert heading in headings


def test_the_page_of_it_needs_no_other_machine(app):
    client = app.test_client()
    page = client.get("/docs").get_data(as_text=True)
    linked = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert linked
    for address in linked:
        assert not re.match(r"(https?:)?//", address)
        if not address.startswith(("data:", "#")):
            assert client.get(f"/{address}").status_code == 200
    assert client.get("/docs/..%2Fopenapi.py").status_code == 404
    assert client.get("/docs/nothing.js").status_code == 404


def test_the_page_of_it_in_a_browser(start_server, browser):
    server = start_server().wait_until_ready()
    asked, problems = [], []
    page = browser.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    try:
        page.goto(f"http://127.0.0.1:{server.port}/docs")
        page.get_by_text("What a picture, or each of several, shows", exact=True).wait_for()
        assert page.locator(".opblock").count() == 21
        own = f"http://127.0.0.1:{server.port}/"
        assert all(url.startswith((own, "data:", "blob:")) for url in asked)
        assert not problems
    finally:
        page.close()
