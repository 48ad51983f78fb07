"""`/healthz`, `/readyz` and `/metrics`: what a server that watches this one asks."""

from flask import Response, current_app

from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.problems import RequestError
from imagette.serving.schemas.model import Health, Readiness
from imagette.serving.served_model import ServedModel, ServedModels
from imagette.serving.state import server_state

blueprint = make_blueprint("health", __name__)


@blueprint.get("/healthz", responses=responses(Health))
def show_health() -> dict[str, str]:
    """Whether the server is alive"""
    return {"status": "ok"}


@blueprint.get("/readyz", responses=responses(Readiness, "not-ready"))
def show_readiness() -> dict[str, str]:
    """Whether every model answers"""
    raise_unless_ready(server_state().models)
    return {"status": "ready"}


def raise_unless_ready(models: ServedModels | ServedModel) -> None:
    """See that what answers is ready to.

    Raises:
        RequestError: it is not; why stands in the log.
    """
    try:
        models.check_ready()
    except Exception as error:  # whatever it is, the server is not ready
        current_app.logger.error("The model does not answer", exc_info=error)
        raise RequestError(
            "not-ready", "The model does not answer.", "Look at the server's log."
        ) from error


@blueprint.get("/metrics", responses=responses({"type": "string"}, kind="text/plain"))
def show_metrics() -> Response:
    """Counts and times, as Prometheus reads them"""
    content = server_state().metrics.render()
    return Response(content, content_type="text/plain; version=0.0.4; charset=utf-8")
