"""`/openapi.json`, `/docs`, a page to read and to try it on, and `/`, which lists the endpoints."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from flask import Response, abort, current_app, request, send_file

import imagette
from imagette.serving.base_path import public_path
from imagette.serving.openapi import DescribedApp, make_blueprint, responses
from imagette.serving.schemas.model import Index

_PAGE = Path(__file__).parents[1] / "docs"
_SWAGGER = Path(str(find_spec("flask_openapi3_swagger").origin)).parent / "templates" / "swagger"  # type: ignore[union-attr]
_FILES = {
    "start.js": _PAGE / "start.js",
    "style.css": _PAGE / "style.css",
    "swagger-ui-bundle.js": _SWAGGER / "js" / "swagger-ui-bundle.js",
    "swagger-ui.css": _SWAGGER / "css" / "swagger-ui.css",
}
# Swagger UI writes styles into its elements and shows pictures of its own by data URLs.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

blueprint = make_blueprint("docs", __name__, "Server")


@blueprint.get("/openapi.json", responses=responses({"type": "object"}))
def show_openapi() -> Response:
    """This API as an OpenAPI 3.1 document"""
    return Response(_app().document(public_path(request.environ)), mimetype="application/json")


@blueprint.get("/docs", responses=responses({"type": "string"}, kind="text/html"))
def show_docs() -> Response:
    """This API as a page to read and to try it on"""
    response = send_file(_PAGE / "index.html", max_age=3600)
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@blueprint.route("/docs/<name>")
def send_docs_file(name: str) -> Response:
    """A file of the page"""
    if name not in _FILES:
        abort(404)
    return send_file(_FILES[name], max_age=3600)


@blueprint.get("/", responses=responses(Index))
def show_index() -> dict[str, Any]:
    """What there is at this server"""
    root = public_path(request.environ)
    endpoints = _app().endpoints
    if root:
        endpoints = {name.replace(" ", f" {root}"): what for name, what in endpoints.items()}
    return {"name": "imagette", "version": imagette.__version__, "endpoints": endpoints}


def _app() -> DescribedApp:
    return cast(DescribedApp, current_app)
