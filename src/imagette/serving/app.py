"""The API as a Flask application.

Any WSGI server can run it: the factory is `imagette.serving.app:create_app`.
"""

import warnings
from pathlib import Path
from typing import Any

from flask import Request, Response, abort, request
from flask.json.provider import DefaultJSONProvider
from flask_openapi3 import APIBlueprint
from PIL import Image
from pydantic_core import to_json
from werkzeug.middleware.proxy_fix import ProxyFix

from imagette.serving.api_keys import KeyRing
from imagette.serving.auth import Authenticator
from imagette.serving.base_path import OUTSIDE_KEY, BelievePrefix
from imagette.serving.body_room import BodyRoom
from imagette.serving.cors import CorsPolicy
from imagette.serving.fast_predict import Check, FastPredict
from imagette.serving.gate import Lanes
from imagette.serving.logs import RequestLog, configure_json_logging
from imagette.serving.memory import hand_back_freed_memory
from imagette.serving.metrics import Metrics
from imagette.serving.middleware import RequestMiddleware
from imagette.serving.openapi import DescribedApp
from imagette.serving.problems import KINDS, register_error_handlers
from imagette.serving.rate_limit import RateLimit
from imagette.serving.routes import (
    docs,
    feedback,
    health,
    inference_protocol,
    metrics,
    model,
    models,
    predict,
)
from imagette.serving.served_model import ServedModels
from imagette.serving.settings import Settings
from imagette.serving.state import EXTENSION, ServerState
from imagette.serving.tracing import make_tracing


def create_app(settings: Settings | None = None, kept_keys: Path | None = None) -> DescribedApp:
    """Make the application and load its model.

    Args:
        settings: what to serve; from the environment if None.
        kept_keys: as `KeyRing` has it.

    Raises:
        ImagetteError: the model cannot be loaded, or a setting is not usable.
    """
    settings = settings or Settings()
    hand_back_freed_memory()
    # Icons (ICO, ICNS) hold pictures larger than they say; Pillow itself refuses those beyond twice
    # this number before it decodes them, and warns of those above it.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)

    app = DescribedApp(with_keys=settings.asks_for_keys)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.json = _QuickJson(app)
    state = app.extensions[EXTENSION] = _make_state(settings, kept_keys)
    check = _make_check(state)
    app.before_request(lambda: check(request))
    register_error_handlers(app)
    for blueprint in _blueprints(settings):
        app.register_api(blueprint)
    app.describe()
    state.metrics.start_at_zero(app.answers(), KINDS)
    app.wsgi_app = FastPredict(  # type: ignore[method-assign]
        app, check, lambda request: _to_json(predict.answer_predict(state, request))
    )
    cors = CorsPolicy(settings.cors_origins)
    app.wsgi_app = RequestMiddleware(  # type: ignore[method-assign]
        app, state.metrics, state.log, cors, state.body_room, settings.base_path
    )
    if state.tracing:
        app.wsgi_app = state.tracing.wrap(app.wsgi_app)  # type: ignore
    if count := settings.trusted_proxies:
        # Where the proxies take no path off, there is none to be told about.
        if not settings.base_path:
            app.wsgi_app = BelievePrefix(app.wsgi_app, count)  # type: ignore[method-assign]
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count
        )
    return app


def _refuse_outside_base_path(request: Request) -> None:
    if OUTSIDE_KEY in request.environ:
        abort(404)


def _make_check(state: ServerState) -> Check:
    """What every request passes: a place to come, its address, its key, where keys are asked for,
    its rate, and room for it."""
    authenticator, limit, room = state.authenticator, state.rate_limit, state.body_room

    def check(request: Request) -> None:
        room.enter(request)
        _refuse_outside_base_path(request)
        try:
            if authenticator:
                authenticator.authenticate(request)
        finally:  # requests without a key are counted too, by address: keys cannot be guessed
            if limit:
                limit.count_request(request)
        room.take(request)

    return check


def _make_rate_limit(settings: Settings) -> RateLimit | None:
    if not settings.requests_per_minute:
        return None
    return RateLimit(settings.requests_per_minute, settings.rate_storage)


def _make_state(settings: Settings, kept_keys: Path | None) -> ServerState:
    lessons = None
    if settings.teach:
        # Imported only here: teaching needs more packages.
        from imagette.serving.teaching.lesson_store import LessonStore

        lessons = LessonStore(settings)
    feedback_folder = None
    if settings.feedback:
        from imagette.serving.feedback import FeedbackFolder  # likewise, what knows datasets

        feedback_folder = FeedbackFolder(settings)
    log = None
    if settings.log_requests:
        configure_json_logging()
        log = RequestLog()
    served, counts = ServedModels(settings), Metrics()
    for name, one in served.items():
        counts.show_model(name, one.now.classifier)
    authenticator = None
    if settings.asks_for_keys:
        authenticator = Authenticator(KeyRing(settings.api_keys, settings.api_keys_file, kept_keys))
    return ServerState(
        settings=settings,
        models=served,
        metrics=counts,
        authenticator=authenticator,
        lanes=Lanes(settings, counts),
        rate_limit=_make_rate_limit(settings),
        body_room=BodyRoom(settings, counts.waiting()),
        lessons=lessons,
        feedback=feedback_folder,
        log=log,
        tracing=make_tracing(),
    )


def _blueprints(settings: Settings) -> list[APIBlueprint]:
    """The groups of routes, in the order in which they are listed."""
    found = [
        predict.blueprint, model.blueprint, models.blueprint, health.blueprint,
        inference_protocol.blueprint,
    ]  # fmt: skip
    if not settings.metrics_port:
        found.append(metrics.blueprint)
    if settings.feedback:
        found.append(feedback.blueprint)
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
            state.metrics.show_model(name, served.now.classifier)


def reload_keys(app: DescribedApp) -> None:
    """Read the file of keys again, if there is one; if it cannot be used, keep those there are.

    What came of it stands in the log and in the metrics.
    """
    state: ServerState = app.extensions[EXTENSION]
    if state.authenticator is None or state.settings.api_keys_file is None:
        return
    try:
        state.authenticator.keys.reload()
    except Exception as error:  # as above
        app.logger.error("The keys were not replaced: %s", error)
        state.metrics.count_key_reload("failed")
    else:
        app.logger.info("The keys were read again")
        state.metrics.count_key_reload("done")


class _QuickJson(DefaultJSONProvider):
    """Writes JSON with pydantic's serializer, some 15 µs an answer quicker than the standard one.

    Keys stay in their order; what is not a number in JSON becomes null.
    """

    def response(self, *args: Any, **kwargs: Any) -> Response:
        """An answer that holds its arguments."""
        content = _to_json(self._prepare_response_obj(args, kwargs))
        return Response(content, mimetype="application/json")


def _to_json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null") + b"\n"
