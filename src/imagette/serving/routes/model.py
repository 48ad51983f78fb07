"""`GET /model`: what the model is, and the limits of the server."""

from flask import Response

from imagette.serving.openapi import make_blueprint, responses
from imagette.serving.schemas.model import ModelAnswer
from imagette.serving.state import server_state

blueprint = make_blueprint("model", __name__)


@blueprint.get("/model", responses=responses(ModelAnswer))
def show_model() -> Response:
    """What the model is and knows, how good it is, and the limits of this server"""
    return Response(server_state().model.now.description, mimetype="application/json")
