"""`POST /predict`: what a picture shows; and the same by a lesson's model."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
from flask import request
from numpy.typing import NDArray
from pydantic import ValidationError

from imagette.errors import ImageError
from imagette.images.preprocess import Turn
from imagette.inference.classifier import Classifier, Prediction
from imagette.inference.explain import heat_png
from imagette.reports.html import pixels_url, png_url
from imagette.serving.metrics import Metrics
from imagette.serving.openapi import DescribedBlueprint, predict_request, responses
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.schemas.predict import PictureAnswer, PredictOptions, SeveralAnswers
from imagette.serving.state import server_state
from imagette.serving.uploads import UploadedImage, read_images

_LARGE = 1_000_000
"""Pixels: smaller pictures take some megabytes, and do not wait for each other."""

PREDICT_PROBLEMS = (
    "wrong-option", "no-picture", "empty-picture", "unreadable-picture", "invalid-json",
    "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "unsupported-content-type", "out-of-time",
)  # fmt: skip

blueprint = DescribedBlueprint("predict", __name__)


@blueprint.post(
    "/predict",
    responses=responses([PictureAnswer, SeveralAnswers], *PREDICT_PROBLEMS),
    openapi_extensions=predict_request(),
)
def predict() -> dict[str, Any]:
    """What a picture, or each of several, shows"""
    state = server_state()
    most = state.settings.max_pictures
    return answer_request(state.model.now.classifier, most, state.gate, state.metrics)


class Turns:
    """One large picture at a time: it takes hundreds of megabytes while it is decoded.

    Args:
        seconds: how long a request may wait and take. What is under way is not broken off.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = Lock()

    def deadline(self) -> float:
        """When the time of a request is up that begins now, by `time.monotonic`."""
        return time.monotonic() + self._seconds

    def before(self, deadline: float) -> Turn:
        """What a picture of so many pixels enters while it is decoded.

        Raises:
            RequestError: there is no time left.
        """
        if time.monotonic() > deadline:
            raise self._out_of_time()
        return lambda pixels: self._taken(deadline) if pixels > _LARGE else nullcontext()

    @contextmanager
    def _taken(self, deadline: float) -> Iterator[None]:
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise self._out_of_time()
        try:
            yield
        finally:
            self._lock.release()

    def _out_of_time(self) -> RequestError:
        return RequestError(
            "out-of-time",
            f"The {self._seconds:g} s that a request may take are up.",
            "Send fewer or smaller pictures at once, or ask again when the server has less to do.",
            {"Retry-After": "5"},
        )


def answer_request(
    classifier: Classifier,
    max_pictures: int,
    turns: Turns,
    metrics: Metrics,
    count_classes: bool = True,
) -> dict[str, Any]:
    """What the picture of the request under way shows, or each of several, as JSON has it.

    Args:
        classifier: what answers.
        max_pictures: refuse requests with more pictures than this.
        turns: whose time it takes.
        metrics: where it is counted.
        count_classes: whether answers are counted by class: where anybody may name classes, there
            would be no end of them.

    Raises:
        RequestError: an option or the request cannot be understood, or the one picture is refused.
        ImageError: the one picture cannot be read or has too many pixels.
    """
    options = _read_options()
    pictures = read_images(
        request._get_current_object(),  # type: ignore[attr-defined]  # a proxy is slower
        max_pictures,
    )
    deadline, counts = turns.deadline(), metrics if count_classes else None

    def answer_one(picture: UploadedImage) -> dict[str, Any]:
        return _answer(classifier, picture, options, counts, turns.before(deadline))

    if len(pictures) == 1:
        return answer_one(pictures[0])
    predictions = []
    for picture in pictures:
        try:
            result = answer_one(picture)
        except (RequestError, ImageError) as error:
            metrics.count_problem(kind_of(error))
            result = describe(error)
        predictions.append({"file": picture.file} | result)
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
            "wrong-option",
            f"The option {name} cannot be {first['input']!r}.",
            f"{first['msg']}.",
        ) from error


_NO_OPTIONS = PredictOptions()


def _answer(
    classifier: Classifier,
    picture: UploadedImage,
    options: PredictOptions,
    metrics: Metrics | None,
    turn: Turn,
) -> dict[str, Any]:
    """The prediction about one picture as JSON has it.

    Raises:
        RequestError: the file is empty, or its turn did not come in time.
        ImageError: it cannot be read or has too many pixels.
    """
    content = picture.content
    if len(content) == 0:
        raise RequestError(
            "empty-picture", "The file is empty.", "Choose the picture again and send it."
        )
    started = time.perf_counter()
    views = classifier.views(content, turn)
    if options.explain == "0":
        prediction, explanation = classifier.predict_views([views])[0], None
    else:
        explanation = classifier.explain_views(views)
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
