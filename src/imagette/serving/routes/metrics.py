"""`/metrics`, where it has no port of its own."""

from flask import Response

from imagette.serving.metrics_text import CONTENT_TYPE
from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.state import server_state

blueprint = make_blueprint("metrics", __name__, "Server")


@blueprint.get("/metrics", responses=responses({"type": "string"}, kind="text/plain"))
def show_metrics() -> Response:
    """Counts and times, as Prometheus reads them"""
    return Response(server_state().metrics.render(), content_type=CONTENT_TYPE)
