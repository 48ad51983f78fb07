"""The API as a Flask application.

Any WSGI server can run it: the factory is `imagette.serving.app:create_app`.
"""

import io
import time
from threading import Lock
from typing import Any

import numpy as np
from flask import Request, Response
from flask.json.provider import DefaultJSONProvider
from PIL import Image
from pydantic_core import to_json
from werkzeug.middleware.proxy_fix import ProxyFix

import imagette
from imagette.serving.auth import guard
from imagette.serving.gate import Gate
from imagette.serving.logs import RequestLog, write_json
from imagette.serving.metrics import Metrics
from imagette.serving.middleware import watch
from imagette.serving.openapi import DescribedApp, predict_request, responses
from imagette.serving.problems import (
    RequestError,
    answer_errors_as_problems,
)
from imagette.serving.routes.dataset import describe_dataset
from imagette.serving.routes.model import ServedModel
from imagette.serving.routes.predict import PREDICT_PROBLEMS, answer_request
from imagette.serving.schemas import (
    DatasetAnswer,
    Health,
    Index,
    ModelAnswer,
    PictureAnswer,
    Readiness,
    SeveralAnswers,
)
from imagette.serving.settings import Settings


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
    gate = Gate(settings.max_seconds, Lock())
    _add_predict(app, settings, model, metrics, gate)
    _add_model(app, model)
    _add_health(app, model, metrics)
    if settings.teach:
        from imagette.serving.routes.teach import add_lessons  # with what only teaching needs

        add_lessons(app, settings, gate, metrics)
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
    app: DescribedApp, settings: Settings, model: ServedModel, metrics: Metrics, gate: Gate
) -> None:
    @app.post(
        "/predict",
        responses=responses([PictureAnswer, SeveralAnswers], *PREDICT_PROBLEMS),
        openapi_extensions=predict_request(),
    )
    def predict() -> dict[str, Any]:
        """What a picture, or each of several, shows"""
        return answer_request(model.now.classifier, settings.max_pictures, gate, metrics)


def _add_model(app: DescribedApp, model: ServedModel) -> None:
    datasets: dict[str | None, bytes] = {}

    @app.get("/model", responses=responses(ModelAnswer))
    def show_model() -> Response:
        """What the model is and knows, how good it is, and the limits of this server"""
        return Response(model.now.description, mimetype="application/json")

    @app.get("/dataset", responses=responses(DatasetAnswer, "no-dataset"))
    def show_dataset() -> Response:
        """What the model learned from, with examples, where that is at hand"""
        name = model.now.classifier.metadata.dataset
        if name not in datasets:
            datasets[name] = describe_dataset(name)
        return Response(datasets[name], mimetype="application/json")


def _add_health(app: DescribedApp, model: ServedModel, metrics: Metrics) -> None:
    @app.get("/healthz", responses=responses(Health), **app.without_key())
    def show_health() -> dict[str, str]:
        """Whether the server is alive"""
        return {"status": "ok"}

    ready_until = 0.0

    @app.get("/readyz", responses=responses(Readiness, "not-ready"), **app.without_key())
    def show_readiness() -> dict[str, str]:
        """Whether the model answers"""
        nonlocal ready_until
        # Anyone may ask, as often as they like: a good answer holds for a second.
        if time.monotonic() < ready_until:
            return {"status": "ready"}
        classifier = model.now.classifier
        try:
            classifier.predict_arrays(
                np.zeros((1, classifier.height, classifier.width, 3), np.uint8)
            )
        except Exception as error:  # whatever it is, the server is not ready
            app.logger.error("The model does not answer", exc_info=error)
            raise RequestError(
                "not-ready", "The model does not answer.", "Look at the server's log."
            ) from error
        ready_until = time.monotonic() + 1
        return {"status": "ready"}

    @app.get("/metrics", responses=responses({"type": "string"}, kind="text/plain"))
    def show_metrics() -> Response:
        """Counts and times, as Prometheus reads them"""
        return Response(metrics.render(), content_type="text/plain; version=0.0.4; charset=utf-8")


def _add_index(app: DescribedApp) -> None:
    @app.get("/", responses=responses(Index))
    def show_index() -> dict[str, Any]:
        """What there is at this server"""
        return index

    index = {
        "name": "imagette",
        "version": imagette.__version__,
        "endpoints": app.endpoints(),
    }
