"""`/models/NAME`: what each of several models is, and what a picture shows by it."""

from typing import Any

from flask import Response, request

from imagette.serving.openapi import make_blueprint, predict_request, responses
from imagette.serving.routes.predict import PREDICT_PROBLEMS, answer_request
from imagette.serving.schemas.model import ModelAnswer, ModelPath
from imagette.serving.schemas.predict import PictureAnswer, SeveralAnswers
from imagette.serving.state import server_state

blueprint = make_blueprint("models", __name__, "Models")


@blueprint.get("/models/<model>", responses=responses(ModelAnswer, "no-model"))
def show_named_model(path: ModelPath) -> Response:
    """What the model of this name is and knows, as `/model` has it"""
    found = server_state().models.find(path.model)
    return Response(found.now.description, mimetype="application/json")


@blueprint.post(
    "/models/<model>/predict",
    responses=responses([PictureAnswer, SeveralAnswers], "no-model", *PREDICT_PROBLEMS),
    openapi_extensions=predict_request(),
)
def predict_by_model(path: ModelPath) -> dict[str, Any]:
    """What a picture, or each of several, shows by the model of this name"""
    state = server_state()
    return answer_request(state, request, state.models.find(path.model).now.classifier)
