"""`/v2`: the Open Inference Protocol (KServe v2), which clients of Triton and KServe speak."""

from typing import Any

from flask import Response, json, request

import imagette
from imagette.serving.asked_classifier import AskedClassifier
from imagette.serving.openapi import infer_request, make_blueprint, refer_errors, responses
from imagette.serving.problems import RequestError
from imagette.serving.routes.health import raise_unless_ready
from imagette.serving.schemas import inference_protocol as schemas
from imagette.serving.schemas.model import ModelPath
from imagette.serving.served_model import ServedModel
from imagette.serving.state import server_state
from imagette.serving.tensors import (
    INPUT,
    Picture,
    check_outputs,
    describe_outputs,
    read_request,
    write_outputs,
)

_PROBLEMS = (
    "no-model", "wrong-tensor", "no-picture", "empty-picture", "unreadable-picture",
    "invalid-json", "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "too-much-decoding", "unsupported-content-type", "too-slow", "model-failed", "out-of-time",
    "overloaded",
)  # fmt: skip
_ERRORS = refer_errors(schemas.ErrorAnswer)
_MODEL = "/v2/models/<model>"
_OF_VERSION = f"{_MODEL}/versions/<version>"

blueprint = make_blueprint("inference_protocol", __name__, "Open Inference Protocol")


@blueprint.get("/v2", responses=responses(schemas.ServerDescription, errors=_ERRORS))
def describe_server() -> dict[str, Any]:
    """What this server is, by the Open Inference Protocol"""
    extensions = ["binary_tensor_data", "classification"]
    return {"name": "imagette", "version": imagette.__version__, "extensions": extensions}


@blueprint.get("/v2/health/live", responses=responses(schemas.Live, errors=_ERRORS))
def show_live() -> dict[str, bool]:
    """Whether the server is alive"""
    return {"live": True}


@blueprint.get("/v2/health/ready", responses=responses(schemas.Ready, "not-ready", errors=_ERRORS))
def show_ready() -> dict[str, bool]:
    """Whether every model answers"""
    raise_unless_ready(server_state().models)
    return {"ready": True}


@blueprint.get(_MODEL, responses=responses(schemas.ModelDescription, "no-model", errors=_ERRORS))
def describe_model(path: ModelPath) -> dict[str, Any]:
    """What a model takes and gives, as tensors"""
    return _describe(_find(path.model))


@blueprint.get(
    _OF_VERSION, responses=responses(schemas.ModelDescription, "no-model", errors=_ERRORS)
)
def describe_model_version(path: schemas.VersionPath) -> dict[str, Any]:
    """The same, of its one version"""
    return _describe(_find(path.model, path.version))


@blueprint.get(
    f"{_MODEL}/ready",
    responses=responses(schemas.ModelReady, "no-model", "not-ready", errors=_ERRORS),
)
def show_model_ready(path: ModelPath) -> dict[str, Any]:
    """Whether a model answers"""
    return _ready(_find(path.model))


@blueprint.get(
    f"{_OF_VERSION}/ready",
    responses=responses(schemas.ModelReady, "no-model", "not-ready", errors=_ERRORS),
)
def show_model_version_ready(path: schemas.VersionPath) -> dict[str, Any]:
    """The same, of its one version"""
    return _ready(_find(path.model, path.version))


@blueprint.post(
    f"{_MODEL}/infer",
    responses=responses(schemas.InferAnswer, *_PROBLEMS, errors=_ERRORS),
    openapi_extensions=infer_request(),
)
def infer(path: ModelPath) -> Response | dict[str, Any]:
    """What pictures show, as tensors"""
    return _infer(_find(path.model))


@blueprint.post(
    f"{_OF_VERSION}/infer",
    responses=responses(schemas.InferAnswer, *_PROBLEMS, errors=_ERRORS),
    openapi_extensions=infer_request(),
)
def infer_by_version(path: schemas.VersionPath) -> Response | dict[str, Any]:
    """The same, by its one version"""
    return _infer(_find(path.model, path.version))


def _find(name: str, version: str = schemas.VERSION) -> ServedModel:
    found = server_state().models.find(name)
    if version == schemas.VERSION:
        return found
    raise RequestError(
        "no-model",
        f"The model {name} has no version {version[:64]!r}.",
        f"Ask for version {schemas.VERSION}, or for none.",
    )


def _describe(model: ServedModel) -> dict[str, Any]:
    outputs = describe_outputs(model.now.classifier)
    return schemas.ModelDescription(
        name=model.name,
        versions=[schemas.VERSION],
        platform="onnxruntime_onnx",
        inputs=[INPUT],
        outputs=outputs,
    ).model_dump()


def _ready(model: ServedModel) -> dict[str, Any]:
    raise_unless_ready(model)
    return {"name": model.name, "ready": True}


def _infer(model: ServedModel) -> Response | dict[str, Any]:
    state, classifier = server_state(), model.now.classifier
    asked, pictures = read_request(request, state)
    wanted = check_outputs(asked, classifier)
    state.count_pictures(request, len(pictures))
    answerer = AskedClassifier(state, request, classifier)
    predictions = [answerer.answer(_filled(picture)).prediction for picture in pictures]
    outputs, rest = write_outputs(wanted, predictions)
    answer = {"model_name": model.name, "model_version": schemas.VERSION, "outputs": outputs}
    if asked.id is not None:
        answer["id"] = asked.id
    if not any("parameters" in output for output in outputs):
        return answer
    head = json.dumps(answer).encode()
    length = {schemas.HEADER_LENGTH: str(len(head))}
    return Response(head + rest, mimetype="application/octet-stream", headers=length)


def _filled(picture: Picture) -> Picture:
    if len(picture) == 0:
        problem, remedy = "A picture file is empty.", "Choose the picture again and send it."
        raise RequestError("empty-picture", problem, remedy)
    return picture
