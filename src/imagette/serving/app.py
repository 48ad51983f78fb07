"""The API as a Flask application.

Any WSGI server can run it: the factory is `imagette.serving.app:create_app`.
"""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
from flask import Request, Response, request
from flask.json.provider import DefaultJSONProvider
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from pydantic_core import to_json
from werkzeug.middleware.proxy_fix import ProxyFix

import imagette
from imagette.errors import PictureError
from imagette.html import pixels_url, png_url
from imagette.inference.classifier import Classifier, Prediction
from imagette.inference.explain import heat_png
from imagette.inference.preprocess import Turn
from imagette.serving.answers import (
    DatasetAnswer,
    Health,
    Index,
    ModelAnswer,
    PictureAnswer,
    PredictOptions,
    Readiness,
    SeveralAnswers,
)
from imagette.serving.dataset import describe_dataset
from imagette.serving.guard import guard
from imagette.serving.logs import RequestLog, write_json
from imagette.serving.metrics import Metrics
from imagette.serving.model import ServedModel
from imagette.serving.openapi import DescribedApp, answer, predict_request
from imagette.serving.pictures import SentPicture, read_pictures
from imagette.serving.problems import (
    RequestError,
    answer_errors_as_problems,
    describe,
    kind_of,
)
from imagette.serving.settings import Settings
from imagette.serving.watch import watch

_LARGE = 1_000_000
"""Pixels: smaller pictures take some megabytes, and do not wait for each other."""

_PREDICT_PROBLEMS = (
    "wrong-option", "no-picture", "empty-picture", "unreadable-picture", "invalid-json",
    "wrong-shape", "wrong-values", "picture-too-large", "too-many-pictures",
    "unsupported-content-type", "out-of-time",
)  # fmt: skip


def create_app(settings: Settings | None = None) -> DescribedApp:
    """Make the application and load its model.

    Args:
        settings: what to serve; from the environment if None.

    Raises:
        ImagetteError: the model cannot be loaded, or a setting is not usable.
    """
    settings = settings or Settings()
    model, metrics = ServedModel(settings), Metrics()
    # Icons (ICO, ICNS) hold pictures larger than they say; Pillow itself refuses those beyond twice
    # this number before it decodes them.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2

    app = DescribedApp(with_keys=bool(settings.api_keys))
    app.request_class = _InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.json = _QuickJson(app)
    app.extensions["imagette"] = model, metrics
    guard(app, settings)
    answer_errors_as_problems(app)
    _add_predict(app, settings, model, metrics)
    _add_model(app, model)
    _add_health(app, model, metrics)
    app.add_docs()
    _add_index(app)
    log = _start_log() if settings.log_requests else None
    app.extensions["imagette.log"] = log
    watch(app, metrics, log, settings.cors_origins)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, count, count, count)  # type: ignore[method-assign]
    return app


def swap_model(app: DescribedApp) -> None:
    """Load the model's file anew while requests go on; if it is damaged, keep the model there is.

    What came of it stands in the log and in the metrics.
    """
    model, metrics = app.extensions["imagette"]
    try:
        model.swap()
    # Whatever it is: the thread that swaps must live to the next time.
    except Exception as error:
        app.logger.error("The model was not replaced: %s", error)
        metrics.count_swap("failed")
    else:
        app.logger.info("The model was loaded anew")
        metrics.count_swap("done")


def _start_log() -> RequestLog:
    write_json()
    return RequestLog()


class _QuickJson(DefaultJSONProvider):
    """Writes JSON with pydantic's serializer, some 15 µs an answer quicker than the standard one.

    Keys stay in their order; what is not a number in JSON becomes null.
    """

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """An answer that holds its arguments."""
        content = to_json(self._prepare_response_obj(args, kwargs), inf_nan_mode="null")
        return Response(content + b"\n", mimetype="application/json")


class _InMemoryRequest(Request):
    """Keeps uploads in memory: Werkzeug would write large ones to a temporary file."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:  # type: ignore[override]
        return io.BytesIO()


def _add_predict(
    app: DescribedApp, settings: Settings, model: ServedModel, metrics: Metrics
) -> None:
    turn = _Turn(settings.max_seconds)

    @app.post(
        "/predict",
        responses=answer([PictureAnswer, SeveralAnswers], *_PREDICT_PROBLEMS),
        openapi_extensions=predict_request(),
    )
    def predict() -> dict[str, Any]:
        """What a picture, or each of several, shows"""
        options = _read_options()
        classifier = model.now.classifier
        pictures = read_pictures(
            request._get_current_object(),  # type: ignore[attr-defined]  # a proxy is slower
            classifier.height,
            classifier.width,
            settings.max_pictures,
        )
        deadline = turn.deadline()

        def answer_one(picture: SentPicture) -> dict[str, Any]:
            return _answer(classifier, picture, options, metrics, turn.before(deadline))

        if len(pictures) == 1:
            return answer_one(pictures[0])
        predictions = []
        for picture in pictures:
            try:
                result = answer_one(picture)
            except (RequestError, PictureError) as error:
                metrics.count_problem(kind_of(error))
                result = describe(error)
            predictions.append({"file": picture.file} | result)
        return {"predictions": predictions}


def _add_model(app: DescribedApp, model: ServedModel) -> None:
    datasets: dict[str | None, bytes] = {}

    @app.get("/model", responses=answer(ModelAnswer))
    def show_model() -> Response:
        """What the model is and knows, how good it is, and the limits of this server"""
        return Response(model.now.description, mimetype="application/json")

    @app.get("/dataset", responses=answer(DatasetAnswer, "no-dataset"))
    def show_dataset() -> Response:
        """What the model learned from, with examples, where that is at hand"""
        name = model.now.classifier.metadata.dataset
        if name not in datasets:
            datasets[name] = describe_dataset(name)
        return Response(datasets[name], mimetype="application/json")


def _add_health(app: DescribedApp, model: ServedModel, metrics: Metrics) -> None:
    @app.get("/healthz", responses=answer(Health), **app.without_key())
    def show_health() -> dict[str, str]:
        """Whether the server is alive"""
        return {"status": "ok"}

    ready_until = 0.0

    @app.get("/readyz", responses=answer(Readiness, "not-ready"), **app.without_key())
    def show_readiness() -> dict[str, str]:
        """Whether the model answers"""
        nonlocal ready_until
        # Anyone may ask, as often as they like: a good answer holds for a second.
        if time.monotonic() < ready_until:
            return {"status": "ready"}
        classifier = model.now.classifier
        try:
            classifier.predict_pixels(
                np.zeros((1, classifier.height, classifier.width, 3), np.uint8)
            )
        except Exception as error:  # whatever it is, the server is not ready
            app.logger.error("The model does not answer", exc_info=error)
            raise RequestError(
                "not-ready", "The model does not answer.", "Look at the server's log."
            ) from error
        ready_until = time.monotonic() + 1
        return {"status": "ready"}

    @app.get("/metrics", responses=answer({"type": "string"}, kind="text/plain"))
    def show_metrics() -> Response:
        """Counts and times, as Prometheus reads them"""
        return Response(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _add_index(app: DescribedApp) -> None:
    @app.get("/", responses=answer(Index))
    def show_index() -> dict[str, Any]:
        """What there is at this server"""
        return index

    index = {
        "name": "imagette",
        "version": imagette.__version__,
        "endpoints": app.endpoints(),
    }


class _Turn:
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
    picture: SentPicture,
    options: PredictOptions,
    metrics: Metrics,
    turn: Turn,
) -> dict[str, Any]:
    """The prediction about one picture as JSON has it.

    Raises:
        RequestError: the file is empty, or its turn did not come in time.
        PictureError: it cannot be read or has too many pixels.
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
