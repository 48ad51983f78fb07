"""`POST /predict`: what a picture shows; and the same by a lesson's model."""

import time
from typing import Any

import numpy as np
from flask import request
from numpy.typing import NDArray
from pydantic import ValidationError

from imagette.errors import ImageError, ModelError
from imagette.images.open_image import open_image
from imagette.inference.classifier import Classifier, Prediction
from imagette.inference.explain import heat_png
from imagette.reports.html import pixels_url, png_url
from imagette.serving.gate import Gate
from imagette.serving.metrics import Metrics
from imagette.serving.openapi import make_blueprint, predict_request, responses
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.schemas.predict import PictureAnswer, PredictOptions, SeveralAnswers
from imagette.serving.state import server_state
from imagette.serving.uploads import read_images
from imagette.serving.uploads.upload import Upload

PREDICT_PROBLEMS = (
    "wrong-option", "no-picture", "empty-picture", "unreadable-picture", "invalid-json",
    "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "unsupported-content-type", "model-failed", "out-of-time",
)  # fmt: skip

blueprint = make_blueprint("predict", __name__)


@blueprint.post(
    "/predict",
    responses=responses([PictureAnswer, SeveralAnswers], *PREDICT_PROBLEMS),
    openapi_extensions=predict_request(),
)
def predict() -> dict[str, Any]:
    """What a picture, or each of several, shows"""
    return answer_request(server_state().model.now.classifier)


def answer_request(classifier: Classifier, count_classes: bool = True) -> dict[str, Any]:
    """What the picture of the request under way shows, or each of several, as JSON has it.

    Args:
        classifier: what answers.
        count_classes: whether answers are counted by class: where anybody may name classes, there
            would be no end of them.

    Raises:
        RequestError: an option or the request cannot be understood, or the one picture is refused.
        ImageError: the one picture cannot be read or has too many pixels.
    """
    state, options = server_state(), _read_options()
    uploads = read_images(
        request._get_current_object(),  # type: ignore[attr-defined]  # a proxy is slower
        state.settings.max_pictures,
    )
    gate, counts = state.gate(), state.metrics if count_classes else None
    if len(uploads.images) == 1:
        [image] = uploads.images
        answer = _answer(classifier, image, options, counts, gate)
        return {"predictions": [{"file": image.name} | answer]} if uploads.in_list else answer
    predictions = []
    for image in uploads.images:
        try:
            result = _answer(classifier, image, options, counts, gate)
        except (RequestError, ImageError, ModelError) as error:
            state.metrics.count_problem(kind_of(error))
            result = describe(error)
        predictions.append({"file": image.name} | result)
    return {"predictions": predictions}


def _read_options() -> PredictOptions:
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


def _answer(
    classifier: Classifier,
    image: Upload,
    options: PredictOptions,
    metrics: Metrics | None,
    gate: Gate,
) -> dict[str, Any]:
    """The prediction about one picture as JSON has it.

    Raises:
        RequestError: it is empty or was not understood, or the time of the request is up.
        ImageError: it cannot be read or has too many pixels.
    """
    content, started = image.open(), time.perf_counter()
    opened = open_image(content, classifier.max_pixels)
    with gate(opened.pixels):
        views = opened.views(classifier.height, classifier.width, classifier.metadata.view)
    if options.explain == "0":
        prediction, explanation = classifier.predict(views), None
    else:
        explanation = classifier.explain(views)
        prediction = explanation.prediction
    if metrics:
        metrics.count_prediction(prediction, time.perf_counter() - started)
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
