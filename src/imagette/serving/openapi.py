"""`/openapi.json`, made from the code, and `/docs`, a page to read and to try it on.

flask-openapi3 collects the endpoints; the answers' schemas are pydantic's own. Nothing of it works
while requests are answered.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from flask import Response, abort, json, send_file
from flask_openapi3 import Info, OpenAPI
from flask_openapi3.models import Parameter
from flask_openapi3.types import ResponseDict
from flask_openapi3.utils import parse_query
from pydantic import BaseModel

import imagette
from imagette.serving.problems import KINDS
from imagette.serving.schemas import PicturesOptions, PredictOptions, Problem, schemas
from imagette.serving.uploads import ArrayBody

_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
# What any request may be answered with.
_EVERYWHERE = ("bad-request", "request-too-large", "too-many-requests", "internal-error")
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}

_PAGE = Path(__file__).with_name("docs")
_SWAGGER = Path(str(find_spec("flask_openapi3_swagger").origin)).parent / "templates" / "swagger"  # type: ignore[union-attr]
_DOCS_FILES = {
    "start.js": _PAGE / "start.js",
    "swagger-ui-bundle.js": _SWAGGER / "js" / "swagger-ui-bundle.js",
    "swagger-ui.css": _SWAGGER / "css" / "swagger-ui.css",
}
# Swagger UI writes styles into its elements and shows pictures of its own by data URLs.
_DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class DescribedApp(OpenAPI):
    """A Flask application that describes its endpoints.

    Args:
        with_keys: whether a request must have a key.
    """

    def __init__(self, with_keys: bool) -> None:
        components: dict[str, Any] = {"schemas": schemas(_REFERENCE)}
        extensions: dict[str, Any] = {"components": components}
        if with_keys:
            components["securitySchemes"] = _KEYS
            extensions["security"] = [{name: []} for name in _KEYS]
        super().__init__(
            "imagette",
            info=Info(
                title="Imagette",
                version=imagette.__version__,
                description="Says what a picture shows, out of the classes that its model knows.",
            ),
            doc_ui=False,
            # Every endpoint names its own answers with this status.
            validation_error_status="400",
            validation_error_model=Problem,
            openapi_extensions=extensions,
            static_folder=None,
        )
        self._with_keys = with_keys

    def endpoints(self) -> dict[str, str]:
        """Every described endpoint, such as `GET /model`, with what it answers."""
        return {
            f"{method.upper()} {path}": operation["summary"]
            for path, operations in self.api_doc["paths"].items()
            for method, operation in operations.items()
        }

    def add_docs(self) -> None:
        """Add `/openapi.json` and `/docs`."""
        spec: list[bytes] = []

        @self.get("/openapi.json", responses=responses({"type": "object"}), **self.without_key())
        def show_openapi() -> Response:
            """This API as an OpenAPI 3.1 document"""
            if not spec:
                spec.append(json.dumps(self.api_doc).encode())
            return Response(spec[0], mimetype="application/json")

        @self.get(
            "/docs", responses=responses({"type": "string"}, kind="text/html"), **self.without_key()
        )
        def show_docs() -> Response:
            """This API as a page to read and to try it on"""
            response = send_file(_PAGE / "index.html", max_age=3600)
            response.headers["Content-Security-Policy"] = _DOCS_POLICY
            return response

        def send_docs_file(name: str) -> Response:
            if name not in _DOCS_FILES:
                abort(404)
            return send_file(_DOCS_FILES[name], max_age=3600)

        self.add_url_rule("/docs/<name>", view_func=send_docs_file)

    def without_key(self) -> dict[str, Any]:
        """What an endpoint says of itself that asks for no key."""
        return {"security": []} if self._with_keys else {}


def responses(
    good: type[BaseModel] | list[type[BaseModel]] | dict[str, Any],
    *problems: str,
    kind: str = "application/json",
    status: str = "200",
) -> ResponseDict:
    """The answers that an endpoint may give, by status.

    Args:
        good: model of the answer if all is well, or several, or its schema.
        problems: kinds of problem besides those that any request may meet.
        kind: content type of the good answer.
        status: HTTP status of the good answer.
    """
    if isinstance(good, list):
        schema: dict[str, Any] = {"anyOf": [_refer(model) for model in good]}
    else:
        schema = good if isinstance(good, dict) else _refer(good)
    answers: ResponseDict = {status: {"description": "OK", "content": {kind: {"schema": schema}}}}
    by_status: dict[str, list[str]] = {}
    for name in sorted({*_EVERYWHERE, "unauthorized", *problems}, key=list(KINDS).index):
        code, title = KINDS[name]
        by_status.setdefault(str(code), []).append(f"{title} (`{name}`).")
    for number, lines in by_status.items():
        answers[number] = {"description": " ".join(lines), "content": _PROBLEM}
    return answers


def predict_request() -> dict[str, Any]:
    """The options and the body of `POST /predict`."""
    parameters: list[Parameter] = parse_query(PredictOptions)[0]
    return {
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "description": "One picture in any way, or several as a form.",
            "content": {
                **_files(),
                "application/json": {"schema": ArrayBody.model_json_schema()},
            },
        },
    }


def pictures_request() -> dict[str, Any]:
    """The option and the body of what takes pictures of a class."""
    parameters: list[Parameter] = parse_query(PicturesOptions)[0]
    body = {"required": True, "description": "One picture, or several as a form."}
    return {"parameters": parameters, "requestBody": body | {"content": _files()}}


def json_request(model: type[BaseModel]) -> dict[str, Any]:
    """A body that is JSON."""
    schema = model.model_json_schema(ref_template=_REFERENCE)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _files() -> dict[str, Any]:
    """Files of pictures by content type."""
    picture = {"type": "string", "format": "binary"}
    return {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "array", "items": picture, "minItems": 1}},
            }
        },
        "image/*": {"schema": picture},
        "application/octet-stream": {"schema": picture},
    }


def _refer(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
