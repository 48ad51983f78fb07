"""`POST /predict`: what a picture shows; and the same by a lesson's model."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from flask import Request, request
from numpy.typing import NDArray
from pydantic import ValidationError

from imagette.errors import ImageError
from imagette.images.open_image import OpenedImage
from imagette.inference.classifier import Classifier, Prediction
from imagette.inference.explain import heat_png
from imagette.reports.html import pixels_url, png_url
from imagette.serving.gate import Gate
from imagette.serving.openapi import make_blueprint, predict_request, responses
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.schemas.predict import PictureAnswer, PredictOptions, SeveralAnswers
from imagette.serving.state import ServerState, server_state
from imagette.serving.uploads import read_images
from imagette.serving.uploads.upload import Upload

PREDICT_PROBLEMS = (
    "wrong-option", "no-picture", "empty-picture", "unreadable-picture", "invalid-json",
    "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "too-much-decoding", "unsupported-content-type", "too-slow", "out-of-time",
    "overloaded",
)  # fmt: skip

blueprint = make_blueprint("predict", __name__)


@blueprint.post(
    "/predict",
    responses=responses([PictureAnswer, SeveralAnswers], *PREDICT_PROBLEMS),
    openapi_extensions=predict_request(),
)
def predict() -> dict[str, Any]:
    """What a picture, or each of several, shows"""
    return answer_predict(server_state(), request)


def answer_predict(state: ServerState, request: Request) -> dict[str, Any]:
    """What `POST /predict` answers; raises as `answer_request` does."""
    return answer_request(state, request, state.model.now.classifier)


def answer_request(
    state: ServerState, request: Request, classifier: Classifier, count_classes: bool = True
) -> dict[str, Any]:
    """What the picture of a request shows, or each of several, as JSON has it.

    Args:
        state: of the application.
        request: its body not read yet.
        classifier: what answers.
        count_classes: whether answers are counted by class: where anybody may name classes, there
            would be no end of them.

    Raises:
        RequestError: an option or the request cannot be understood, or the one picture is refused.
        ImageError: the one picture cannot be read or has too many pixels.
    """
    options = _read_options(request)
    uploads = read_images(request, state.settings.max_pictures)
    state.count_pictures(request, len(uploads.images), explained=options.explain != "0")
    asked = _Asked(state, request, classifier, options, state.gate(request), count_classes)
    if len(uploads.images) == 1:
        [image] = uploads.images
        answer = _answer(asked, image)
        return {"predictions": [{"file": image.name} | answer]} if uploads.in_list else answer
    predictions, refusals = [], []
    for image in uploads.images:
        try:
            result = _answer(asked, image)
        except (RequestError, ImageError) as error:
            state.metrics.count_problem(kind_of(error))
            result = describe(error)
            refusals.append(error)
        predictions.append({"file": image.name} | result)
    if len(refusals) == len(predictions) and all(map(_is_overload, refusals)):
        raise refusals[0]
    return {"predictions": predictions}


def _read_options(request: Request) -> PredictOptions:
    """What stands behind the question mark.

    Raises:
        RequestError: an option has another value than it may have.
    """
    if not request.query_string:
        return _NO_OPTIONS
    try:
        return PredictOptions.model_validate(request.args.to_dict())
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = first["loc"][0]
        raise RequestError(
            "wrong-option", f"The option {name} cannot be {first['input']!r}.", f"{first['msg']}."
        ) from error


_NO_OPTIONS = PredictOptions()


@dataclass(frozen=True)
class _Asked:
    """What a request asks about its pictures, and of whom.

    Attributes:
        state: of the application.
        request: the request.
        classifier: what answers.
        options: what stands behind the question mark.
        gate: what its pictures pass.
        count_classes: whether answers are counted by class.
    """

    state: ServerState
    request: Request
    classifier: Classifier
    options: PredictOptions
    gate: Gate
    count_classes: bool


def _answer(asked: _Asked, image: Upload) -> dict[str, Any]:
    """The prediction about one picture as JSON has it.

    Raises:
        RequestError: it is empty or was not understood, or the time of the request is up.
        ImageError: it cannot be read or has too many pixels.
    """
    classifier, options, gate = asked.classifier, asked.options, asked.gate
    size, view = (classifier.height, classifier.width), classifier.metadata.view
    content, started = image.open(), time.perf_counter()
    views = gate.decode(content, classifier.at_least, OpenedImage.views, *size, view)
    decoding = started + gate.waited(), time.perf_counter()
    if options.explain == "0":
        prediction, explanation = classifier.predict(views), None
    else:
        with gate.turn_to_explain():
            explanation = classifier.explain(views)
        prediction = explanation.prediction
    network = decoding[1] + gate.waited(), time.perf_counter()
    if asked.count_classes:
        asked.state.metrics.count_prediction(
            prediction, decoding[1] - decoding[0], network[1] - network[0]
        )
    if asked.state.tracing:
        spans = (("wait", started, decoding[0]), ("decode", *decoding), ("network", *network))
        asked.state.tracing.add_children(asked.request.environ, *spans)
    found = _as_json(prediction)
    if options.seen == "1":
        found["seen"] = pixels_url(views[0].pixels)
    if explanation is not None:
        found["explanation"] = {
            "class": classifier.class_names[explanation.index],
            "class_fr": classifier.class_names_fr[explanation.index],
            "heat_map": _draw(explanation.heat, options.explain),
        }
    return found


def _is_overload(error: RequestError | ImageError) -> bool:
    return kind_of(error) == "overloaded"


def _draw(heat: NDArray[np.float32], form: str) -> str | list[list[float]]:
    if form != "array":
        return png_url(heat_png(heat))
    return [[round(value, 4) for value in row] for row in heat.tolist()]


def _as_json(prediction: Prediction) -> dict[str, Any]:
    return {
        "class": prediction.label,
        "class_fr": prediction.label_fr,
        "prediction": prediction.index,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "known": prediction.known,
        "familiarity": prediction.familiarity,
    }
