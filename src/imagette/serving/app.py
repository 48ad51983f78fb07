"""The API as a Flask application.

Any WSGI server can run it: the factory is `imagette.serving.app:create_app`.
"""

import base64
import io
from threading import Lock
from typing import Any

import numpy as np
from flask import Flask, Request, Response, request
from numpy.typing import NDArray
from PIL import Image

import imagette
from imagette.errors import PictureError
from imagette.inference.classifier import Classifier, Prediction
from imagette.serving.pictures import SentPicture, read_pictures
from imagette.serving.problems import RequestError, answer_errors_as_problems, describe
from imagette.serving.settings import Settings

_ENDPOINTS = {
    "POST /predict": "what a picture shows; send it as the multipart field `image`",
    "GET /model": "what the model knows, how good it is, and the limits of this server",
    "GET /healthz": "whether the server is ready to answer",
}


def create_app(settings: Settings | None = None) -> Flask:
    """Make the application and load its model.

    Args:
        settings: what to serve; from the environment if None.

    Raises:
        ImagetteError: the model cannot be loaded, or a setting is not usable.
    """
    settings = settings or Settings()
    # The server runs one worker a core, so more threads for one picture would only get in the way.
    classifier = Classifier(settings.model, threads=1, max_pixels=settings.max_pixels)
    # Icons (ICO, ICNS) hold pictures larger than they say; Pillow itself refuses those beyond twice
    # this number before it decodes them.
    Image.MAX_IMAGE_PIXELS = settings.max_pixels // 2

    app = Flask("imagette", static_folder=None)
    app.request_class = _InMemoryRequest
    app.config["MAX_CONTENT_LENGTH"] = settings.max_upload_bytes
    app.json.sort_keys = False  # type: ignore[attr-defined]  # probabilities stay in class order
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    answer_errors_as_problems(app)

    index = {"name": "imagette", "version": imagette.__version__, "endpoints": _ENDPOINTS}
    model = _describe_model(classifier, settings)
    # A large picture takes hundreds of megabytes while it is decoded, so one at a time is.
    turn = Lock()

    @app.get("/")
    def show_index() -> dict[str, Any]:
        return index

    @app.get("/healthz")
    def show_health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/model")
    def show_model() -> dict[str, Any]:
        return model

    @app.post("/predict")
    def predict() -> dict[str, Any]:
        with_seen = request.args.get("seen") == "1"
        pictures = read_pictures(
            request, classifier.height, classifier.width, settings.max_pictures
        )

        def answer(picture: SentPicture) -> dict[str, Any]:
            with turn:
                return _answer(classifier, picture, with_seen)

        if len(pictures) == 1:
            return answer(pictures[0])
        predictions = []
        for picture in pictures:
            try:
                result = answer(picture)
            except (RequestError, PictureError) as error:
                result = describe(error)
            predictions.append({"file": picture.file} | result)
        return {"predictions": predictions}

    @app.after_request
    def forbid_sniffing(response: Response) -> Response:
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    return app


class _InMemoryRequest(Request):
    """Keeps uploads in memory: Werkzeug would write large ones to a temporary file."""

    def _get_file_stream(self, *_: Any, **__: Any) -> io.BytesIO:  # type: ignore[override]
        return io.BytesIO()


def _answer(classifier: Classifier, picture: SentPicture, with_seen: bool) -> dict[str, Any]:
    """The prediction about one picture as JSON has it.

    Raises:
        RequestError: the file is empty.
        PictureError: it cannot be read or has too many pixels.
    """
    if len(picture.content) == 0:
        raise RequestError(
            "empty-picture", "The file is empty.", "Choose the picture again and send it."
        )
    pixels = classifier.preprocess(picture.content)
    answer = _as_json(classifier.predict_pixels(pixels[np.newaxis])[0])
    return answer | ({"seen": _data_url(pixels)} if with_seen else {})


def _as_json(prediction: Prediction) -> dict[str, Any]:
    return {
        "class": prediction.label,
        "class_fr": prediction.label_fr,
        "prediction": prediction.index,
        "confidence": prediction.confidence,
        "probabilities": prediction.probabilities,
        "known": prediction.known,
    }


def _data_url(pixels: NDArray[np.uint8]) -> str:
    """The pixels as a PNG that a browser shows without asking for a file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _describe_model(classifier: Classifier, settings: Settings) -> dict[str, Any]:
    return classifier.metadata.model_dump(mode="json") | {
        "input": {"height": classifier.height, "width": classifier.width, "channels": 3},
        "limits": {
            "max_upload_bytes": settings.max_upload_bytes,
            "max_pixels": settings.max_pixels,
            "max_pictures": settings.max_pictures,
        },
    }
