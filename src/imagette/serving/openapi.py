"""`/openapi.json`, made from the code.

flask-openapi3 collects the endpoints; the answers' schemas are pydantic's own. Nothing of it works
while requests are answered.
"""

from typing import Any

from flask_openapi3 import APIBlueprint, Info, OpenAPI
from flask_openapi3.models import Parameter
from flask_openapi3.types import ResponseDict
from flask_openapi3.utils import get_operation_id_for_path, parse_query
from pydantic import BaseModel

import imagette
from imagette.serving.auth import OPEN_RULES
from imagette.serving.problems import KINDS
from imagette.serving.schemas import json_schemas
from imagette.serving.schemas.predict import PredictOptions
from imagette.serving.schemas.problem import Problem
from imagette.serving.schemas.teach import PicturesOptions
from imagette.serving.uploads import ArrayBody

_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
# What any request may be answered with.
_EVERYWHERE = ("bad-request", "request-too-large", "too-many-requests", "internal-error")
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class DescribedApp(OpenAPI):
    """A Flask application that describes its endpoints.

    Args:
        with_keys: whether a request must have a key.
    """

    def __init__(self, with_keys: bool) -> None:
        components: dict[str, Any] = {"schemas": json_schemas(_REFERENCE)}
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

    def describe(self) -> None:
        """Make the description, once all endpoints are there.

        Attributes:
            endpoints: every described endpoint, such as `GET /model`, with what it answers.
            document: `/openapi.json`, in UTF-8.
        """
        paths = self.api_doc["paths"]
        self.endpoints: dict[str, str] = {
            f"{method.upper()} {path}": operation["summary"]
            for path, operations in paths.items()
            for method, operation in operations.items()
        }
        if self._with_keys:
            for path in OPEN_RULES & paths.keys():
                paths[path]["get"]["security"] = []
        self.document: bytes = self.json.dumps(self.api_doc).encode()


class DescribedBlueprint(APIBlueprint):
    """A group of endpoints of a `DescribedApp`.

    Args:
        name: what Flask calls it.
        import_name: `__name__` of the module that it is in.
    """

    def __init__(self, name: str, import_name: str) -> None:
        # Ids of operations do not have the group in them, so that endpoints may change groups.
        super().__init__(name, import_name, operation_id_callback=_operation_id)


def _operation_id(*, name: str, path: str, method: str) -> str:
    return get_operation_id_for_path(name=name, path=path, method=method)


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
    image = {"type": "string", "format": "binary"}
    return {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["image"],
                "properties": {"image": {"type": "array", "items": image, "minItems": 1}},
            }
        },
        "image/*": {"schema": image},
        "application/octet-stream": {"schema": image},
    }


def _refer(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
