"""`/healthz` and `/readyz`: what a server that watches this one asks."""

from flask import current_app, request

from imagette.serving.middleware import log_ids
from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.problems import RequestError
from imagette.serving.schemas.model import Health, Readiness
from imagette.serving.served_model import ServedModel, ServedModels
from imagette.serving.state import server_state

blueprint = make_blueprint("health", __name__, "Server")


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
        ids = log_ids(request.environ)
        current_app.logger.error("The model does not answer", exc_info=error, extra={"fields": ids})
        raise RequestError(
            "not-ready", "The model does not answer.", "Look at the server's log."
        ) from error
