"""`GET /model` and `GET /dataset`: what the model is, and what it learned from."""

from flask import Response

from imagette.errors import ImagetteError
from imagette.serving.described_dataset import describe_cifar10, find_cifar10
from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.problems import RequestError
from imagette.serving.schemas.model import DatasetAnswer, ModelAnswer
from imagette.serving.state import server_state

blueprint = make_blueprint("model", __name__, "Models")


@blueprint.get("/model", responses=responses(ModelAnswer))
def show_model() -> Response:
    """What the model is and knows, how good it is, and the limits of this server"""
    return Response(server_state().model.now.description, mimetype="application/json")


@blueprint.get("/dataset", responses=responses(DatasetAnswer, "no-dataset", "out-of-time"))
def show_dataset() -> Response:
    """What the model learned from, with examples, where that is at hand"""
    state = server_state()
    name = state.model.now.classifier.metadata.dataset
    folder = find_cifar10() if name == "cifar10" else None
    if folder is None:
        raise RequestError(
            "no-dataset",
            "What the model learned from is not at hand on this server.",
            "Ask whoever runs it to set IMAGETTE_CIFAR10_DIR to the folder cifar-10-batches-py, if"
            " it is CIFAR-10; another dataset is never shown.",
        )
    try:
        answer = describe_cifar10(folder, state.settings.max_seconds)
    except RequestError:
        raise
    except ImagetteError as error:
        raise RequestError("no-dataset", error.problem, error.remedy) from error
    return Response(answer, mimetype="application/json")
