"""`/openapi.json`, made from the code.

flask-openapi3 collects the endpoints; the answers' schemas are pydantic's own. Nothing of it works
while requests are answered.
"""

from typing import Any

from flask_openapi3 import APIBlueprint, Info, OpenAPI, Tag
from flask_openapi3.types import ResponseDict
from flask_openapi3.utils import get_operation_id_for_path, parse_query
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import imagette
from imagette.serving.auth import OPEN_RULES
from imagette.serving.problems import KINDS
from imagette.serving.schemas import inference_protocol, teach
from imagette.serving.schemas.base import Problem
from imagette.serving.schemas.feedback import FeedbackAnswer, FeedbackOptions
from imagette.serving.schemas.model import DatasetAnswer, Health, Index, ModelAnswer, Readiness
from imagette.serving.schemas.predict import (
    ImagesBody,
    PictureAnswer,
    PredictOptions,
    SeveralAnswers,
)

_RESPONSES = (
    PictureAnswer, SeveralAnswers, FeedbackAnswer, Problem, ModelAnswer, DatasetAnswer, Health,
    Readiness, Index,
    teach.LessonAnswer, teach.AddedPictures, teach.LessonPictures, teach.Deleted,
    *inference_protocol.ANSWERS,
)  # fmt: skip
_REQUESTS = (ImagesBody, inference_protocol.InferRequest)
_REFERENCE = "#/components/schemas/{model}"
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REFERENCE.format(model="Problem")}}}
# What any request may be answered with.
_EVERYWHERE = ("bad-request", "request-too-large", "too-many-requests", "unauthorized",
               "internal-error")  # fmt: skip
_KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_TEXT = "a file as base64, or as a data URL"
_BODY = (
    "One picture or several. What the body is, is told by its first bytes: a wrong content type"
    " does no harm. Of a form, the files called `image` (`images`, `image[]`) are the pictures, or"
    " else all files; the rest is passed over."
)
# What "Try it out" on the page /docs begins with: sky over grass.
_EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAHElEQVR42mOM6jnBgA0wMeAAVJRgefOm"
    "hEpGAQD79wQMUhylwAAAAABJRU5ErkJggg=="
)
_ENCODING = {
    "name": "Content-Encoding",
    "in": "header",
    "required": False,
    "description": "how the body is compressed, if it is",
    "schema": {"type": "string", "enum": ["gzip", "deflate", "identity"]},
}


class DescribedApp(OpenAPI):
    """A Flask application that describes its endpoints.

    Args:
        with_keys: whether a request must have a key.
    """

    def __init__(self, with_keys: bool) -> None:
        _, schemas = models_json_schema(
            [
                *((model, "validation") for model in _REQUESTS),
                *((model, "serialization") for model in _RESPONSES),
            ],
            ref_template=_REFERENCE,
        )
        components: dict[str, Any] = {"schemas": schemas["$defs"]}
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
        self._document: bytes = self.json.dumps(self.api_doc).encode()

    def answers(self) -> list[tuple[str, str, int]]:
        """Method, URL rule and status of every answer that is described."""
        return [
            (method.upper(), path.replace("{", "<").replace("}", ">"), int(status))
            for path, operations in self.api_doc["paths"].items()
            for method, operation in operations.items()
            for status in operation["responses"]
        ]

    def document(self, path: str) -> bytes:
        """`/openapi.json`, in UTF-8.

        Args:
            path: below which whoever asks finds the endpoints, as `public_path` has it.
        """
        if not path:
            return self._document
        return b'{"servers": [{"url": "%s"}], ' % path.encode() + self._document.removeprefix(b"{")


def _operation_id(*, name: str, path: str, method: str) -> str:
    """An id without the blueprint's name in it, so that endpoints may change blueprints."""
    return get_operation_id_for_path(name=name, path=path, method=method)


def make_blueprint(name: str, module: str, group: str) -> APIBlueprint:
    """Endpoints that belong together.

    Args:
        name: of the blueprint.
        module: where it is made.
        group: under which heading they are described.
    """
    tags = [Tag(name=group)]
    return APIBlueprint(name, module, abp_tags=tags, operation_id_callback=_operation_id)


def responses(
    good: type[BaseModel] | list[type[BaseModel]] | dict[str, Any],
    *problems: str,
    kind: str = "application/json",
    status: str = "200",
    errors: dict[str, Any] = _PROBLEM,
) -> ResponseDict:
    """The answers that an endpoint may give, by status.

    Args:
        good: model of the answer if all is well, or several, or its schema.
        problems: kinds of problem besides those that any request may meet.
        kind: content type of the good answer.
        status: HTTP status of the good answer.
        errors: what any other answer holds, by content type.
    """
    if isinstance(good, list):
        schema: dict[str, Any] = {"anyOf": [_refer(model) for model in good]}
    else:
        schema = good if isinstance(good, dict) else _refer(good)
    answers: ResponseDict = {status: {"description": "OK", "content": {kind: {"schema": schema}}}}
    possible = {*_EVERYWHERE, *problems}
    by_status: dict[str, list[str]] = {}
    for name, (code, title) in KINDS.items():
        if name in possible:
            by_status.setdefault(str(code), []).append(f"{title} (`{name}`).")
    for number, lines in by_status.items():
        answers[number] = {"description": " ".join(lines), "content": errors}
    return answers


def predict_request() -> dict[str, Any]:
    """The options and the body of `POST /predict`."""
    return _images_request(PredictOptions)


def pictures_request() -> dict[str, Any]:
    """The option and the body of what takes pictures of a class."""
    return _images_request(teach.PicturesOptions)


def feedback_request() -> dict[str, Any]:
    """The option of `POST /feedback`, and its body: one picture that is called one."""
    file = {"schema": {"type": "string", "format": "binary"}}
    content = {"image/*": file, "application/octet-stream": file}
    body = {"required": True, "description": "One picture.", "content": content}
    return {"parameters": [*parse_query(FeedbackOptions)[0], _ENCODING], "requestBody": body}


def json_request(model: type[BaseModel], options: type[BaseModel] | None = None) -> dict[str, Any]:
    """A body that is JSON, and what may follow the address, if anything."""
    schema = model.model_json_schema(ref_template=_REFERENCE)
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {"requestBody": body} | (options_request(options) if options else {})


def options_request(options: type[BaseModel]) -> dict[str, Any]:
    """What may follow the address."""
    return {"parameters": parse_query(options)[0]}


def infer_request() -> dict[str, Any]:
    """The body of a request of the Open Inference Protocol, in JSON or with tensors after it."""
    schema = _refer(inference_protocol.InferRequest)
    header = {
        "name": inference_protocol.HEADER_LENGTH,
        "in": "header",
        "required": False,
        "description": "bytes of JSON, where tensors follow it in binary",
        "schema": {"type": "integer", "minimum": 0},
    }
    content = {
        "application/json": {"schema": schema},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    return {
        "parameters": [header, _ENCODING],
        "requestBody": {"required": True, "content": content},
    }


def refer_errors(model: type[BaseModel]) -> dict[str, Any]:
    """What errors hold that are no problems of RFC 9457, for `responses`."""
    return {"application/json": {"schema": _refer(model)}}


def _images_request(options: type[BaseModel]) -> dict[str, Any]:
    """Options in the address, and a body of pictures, in each way in which they may come."""
    file = {"type": "string", "format": "binary"}
    files = {"type": "array", "items": file, "minItems": 1}
    text = {"type": "string", "description": _TEXT}
    form = {"type": "object", "minProperties": 1}
    schemas = {
        "multipart/form-data": form
        | {"properties": {"image": files}, "additionalProperties": files},
        "image/*": file,
        "application/octet-stream": file,
        "application/json": _refer(ImagesBody),
        "application/x-www-form-urlencoded": form | {"properties": {"image": text}},
    }
    content: dict[str, Any] = {kind: {"schema": schema} for kind, schema in schemas.items()}
    content["application/json"]["example"] = {"image": _EXAMPLE}
    body = {"required": True, "description": _BODY, "content": content}
    return {"parameters": [*parse_query(options)[0], _ENCODING], "requestBody": body}


def _refer(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
