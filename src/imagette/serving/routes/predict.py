"""`POST /predict`: what a picture shows; and the same by a lesson's model."""

from typing import Any

import numpy as np
from flask import Request, request
from numpy.typing import NDArray

from imagette.errors import ImageError, ModelError
from imagette.inference.classifier import Classifier, Prediction
from imagette.inference.explain import heat_png
from imagette.reports.html import pixels_url, png_url
from imagette.serving.asked_classifier import AskedClassifier
from imagette.serving.openapi import make_blueprint, predict_request, responses
from imagette.serving.problems import RequestError, describe, kind_of, log_failure
from imagette.serving.schemas.base import read_options
from imagette.serving.schemas.predict import PictureAnswer, PredictOptions, SeveralAnswers
from imagette.serving.state import ServerState, server_state
from imagette.serving.uploads import read_images
from imagette.serving.uploads.upload import Upload

PREDICT_PROBLEMS = (
    "wrong-option", "no-picture", "empty-picture", "unreadable-picture", "invalid-json",
    "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "too-much-decoding", "unsupported-content-type", "too-slow", "model-failed", "out-of-time",
    "overloaded",
)  # fmt: skip

blueprint = make_blueprint("predict", __name__, "Pictures")


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
    options = read_options(PredictOptions, request) if request.query_string else _NO_OPTIONS
    uploads = read_images(request, state)
    state.count_pictures(request, len(uploads.images), explained=options.explain != "0")
    asked = AskedClassifier(state, request, classifier, count_classes)
    if len(uploads.images) == 1:
        [image] = uploads.images
        answer = _answer(asked, image, options)
        return {"predictions": [{"file": image.name} | answer]} if uploads.in_list else answer
    predictions, overloads = [], list[RequestError]()
    for image in uploads.images:
        try:
            result = _answer(asked, image, options)
        except (RequestError, ImageError, ModelError) as error:
            log_failure(error, request.environ)
            state.metrics.count_problem(kind_of(error))
            result = describe(error)
            if isinstance(error, RequestError) and error.kind == "overloaded":
                overloads.append(error.anew())
        predictions.append({"file": image.name} | result)
    if len(overloads) == len(predictions):
        raise overloads[0]
    return {"predictions": predictions}


_NO_OPTIONS = PredictOptions()


def _answer(asked: AskedClassifier, image: Upload, options: PredictOptions) -> dict[str, Any]:
    """The prediction about one picture as JSON has it; raises as `AskedClassifier.answer`, and
    where the picture is empty or was not understood."""
    answer = asked.answer(image.open(), explain=options.explain != "0")
    found = _as_json(answer.prediction)
    if options.seen == "1":
        found["seen"] = pixels_url(answer.views[0].pixels)
    if answer.explanation is not None:
        names, index = asked.classifier, answer.explanation.index
        found["explanation"] = {
            "class": names.class_names[index],
            "class_fr": names.class_names_fr[index],
            "heat_map": _draw(answer.explanation.heat, options.explain),
        }
    return found


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
