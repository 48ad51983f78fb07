"""`GET /model`, `/model/card` and `/dataset`: what the model is, and what it learned from."""

from flask import Response, request

from imagette.errors import ImagetteError
from imagette.inference.model_card import model_card
from imagette.serving.described_dataset import describe_dataset
from imagette.serving.openapi import make_blueprint, options_request, responses
from imagette.serving.problems import RequestError
from imagette.serving.schemas.base import read_options
from imagette.serving.schemas.model import CardOptions, DatasetAnswer, ModelAnswer
from imagette.serving.state import server_state

blueprint = make_blueprint("model", __name__, "Models")


@blueprint.get("/model", responses=responses(ModelAnswer))
def show_model() -> Response:
    """What the model is and knows, how good it is, and the limits of this server"""
    return Response(server_state().model.now.description, mimetype="application/json")


@blueprint.get(
    "/model/card",
    responses=responses({"type": "string"}, "wrong-option", kind="text/markdown"),
    openapi_extensions=options_request(CardOptions),
)
def show_card() -> Response:
    """The model's card, as Markdown: what it is for, how good it is, and its limits"""
    language = read_options(CardOptions, request).language
    card = model_card(server_state().model.now.classifier.metadata, language)
    return Response(card, content_type="text/markdown; charset=utf-8")


@blueprint.get("/dataset", responses=responses(DatasetAnswer, "no-dataset", "out-of-time"))
def show_dataset() -> Response:
    """What the model learned from, with examples, where that is at hand"""
    state = server_state()
    metadata = state.model.now.classifier.metadata
    try:
        answer = describe_dataset(metadata, state.settings.max_seconds)
    except RequestError:
        raise
    except ImagetteError as error:
        raise RequestError("no-dataset", error.problem, error.remedy) from error
    if answer is None:
        raise RequestError(
            "no-dataset",
            "The model's file does not say what it learned from.",
            "Ask whoever trained it to train it with a newer Imagette.",
        )
    return Response(answer, mimetype="application/json")
