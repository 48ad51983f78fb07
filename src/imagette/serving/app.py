"""The API as a Flask application.

Any WSGI server can run it: the factory is `imagette.serving.app:create_app`.
"""

from threading import Lock
from typing import Any

from flask import Response, abort, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import APIBlueprint
from PIL import Image
from pydantic_core import to_json
from werkzeug.middleware.proxy_fix import ProxyFix

from imagette.serving.auth import Authenticator
from imagette.serving.base_path import OUTSIDE_KEY
from imagette.serving.cors import CorsPolicy
from imagette.serving.logs import RequestLog, configure_json_logging
from imagette.serving.metrics import Metrics
from imagette.serving.middleware import RequestMiddleware
from imagette.serving.openapi import DescribedApp
from imagette.serving.problems import register_error_handlers
from imagette.serving.rate_limit import RateLimit
from imagette.serving.routes import docs, health, inference_protocol, model, models, predict
from imagette.serving.served_model import ServedModels
from imagette.serving.settings import Settings
from imagette.serving.state import EXTENSION, ServerState


def create_app(settings: Settings | None = None) -> DescribedApp:
    """Make the application and load its model.

    Args:
        settings: what to serve; from the environment if None.

    Raises:
        ImagetteError: the model cannot be loaded, or a setting is not usable.
    """
    settings = settings or Settings()
    # Icons (ICO, ICNS) hold pictures larger than they say; Pillow itself refuses those beyond twice
    # this number before it decodes them.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2

    app = DescribedApp(with_keys=bool(settings.api_keys))
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.json = _QuickJson(app)
    state = app.extensions[EXTENSION] = _make_state(settings)
    if settings.base_path:
        app.before_request(_refuse_outside_base_path)
    if settings.requests_per_minute:
        limit = RateLimit(settings.requests_per_minute, settings.rate_storage)
        app.before_request(limit.count_request)
    if settings.api_keys:
        app.before_request(Authenticator(settings.api_keys).authenticate)
    register_error_handlers(app)
    for blueprint in _blueprints(settings):
        app.register_api(blueprint)
    app.describe()
    cors = CorsPolicy(settings.cors_origins)
    app.wsgi_app = RequestMiddleware(  # type: ignore[method-assign]
        app, state.metrics, state.log, cors, settings.base_path
    )
    if count := settings.trusted_proxies:
        # Where the proxies take no path off, there is none to be told about.
        stripped = 0 if settings.base_path else count
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=stripped
        )
    return app


def _refuse_outside_base_path() -> None:
    if OUTSIDE_KEY in request.environ:
        abort(404)


def _make_state(settings: Settings) -> ServerState:
    lessons = None
    if settings.teach:
        # Imported only here: teaching needs more packages.
        from imagette.serving.teaching.lesson_store import LessonStore

        lessons = LessonStore(settings)
    log = None
    if settings.log_requests:
        configure_json_logging()
        log = RequestLog()
    return ServerState(
        settings=settings,
        models=ServedModels(settings),
        metrics=Metrics(),
        decoding=Lock(),
        lessons=lessons,
        log=log,
    )


def _blueprints(settings: Settings) -> list[APIBlueprint]:
    """The groups of routes, in the order in which they are listed."""
    found = [
        predict.blueprint, model.blueprint, models.blueprint, health.blueprint,
        inference_protocol.blueprint,
    ]  # fmt: skip
    if settings.teach:
        from imagette.serving.routes import teach  # only here: teaching needs more packages

        found.append(teach.blueprint)
    return [*found, docs.blueprint]


def swap_model(app: DescribedApp) -> None:
    """Load each model's file anew while requests go on; where it is damaged, or does not stand its
    trial, keep the model there is.

    What came of it stands in the log and in the metrics.
    """
    state: ServerState = app.extensions[EXTENSION]
    for name, served in state.models.items():
        try:
            served.swap()
        # Whatever it is: the thread that swaps must live to the next time.
        except Exception as error:
            app.logger.error("The model %s was not replaced: %s", name, error)
            state.metrics.count_swap("failed")
        else:
            app.logger.info("The model %s was loaded anew", name)
            state.metrics.count_swap("done")


class _QuickJson(DefaultJSONProvider):
    """Writes JSON with pydantic's serializer, some 15 µs an answer quicker than the standard one.

    Keys stay in their order; what is not a number in JSON becomes null.
    """

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """An answer that holds its arguments."""
        content = to_json(self._prepare_response_obj(args, kwargs), inf_nan_mode="null")
        return Response(content + b"\n", mimetype="application/json")
