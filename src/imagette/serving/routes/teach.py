"""`/lessons` and what is below: teaching the server classes of one's own.

They are there when the setting `teach` is on.
"""

from typing import Any, cast

from flask import Response, request
from pydantic import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from imagette.errors import ImageError
from imagette.inference.classifier import Classifier
from imagette.serving.base_path import public_path
from imagette.serving.client import client_of
from imagette.serving.openapi import (
    json_request,
    make_blueprint,
    pictures_request,
    predict_request,
    responses,
)
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.routes.predict import PREDICT_PROBLEMS, answer_request
from imagette.serving.schemas import teach as schemas
from imagette.serving.schemas.model import InputSize
from imagette.serving.schemas.predict import PictureAnswer, SeveralAnswers
from imagette.serving.state import server_state
from imagette.serving.teaching.class_names import clean_name
from imagette.serving.teaching.lesson import Lesson
from imagette.serving.teaching.lesson_store import LessonStore
from imagette.serving.teaching.taught_model import TaughtModel
from imagette.serving.uploads import read_declared_json, read_images

_FILE = {"type": "string", "format": "binary"}
_DISK = "no-room"

_MOST_BYTES_OF_NAMES = 65_536
"""A hundred names of 40 letters fit, even if every letter is written as an escape."""

blueprint = make_blueprint("teach", __name__, "Teaching")


@blueprint.post(
    "/lessons",
    responses=responses(
        schemas.LessonAnswer, "invalid-json", "wrong-classes", "unsupported-content-type",
        "too-many-lessons", "too-many-own-lessons", _DISK, status="201",
    ),
    openapi_extensions=json_request(schemas.LessonRequest),
)  # fmt: skip
def begin_lesson() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Begin a lesson, of two classes or more"""
    lesson = _lessons().create(_read_class_names(), client_of(request.environ))
    location = f"{public_path(request.environ)}/lessons/{lesson.id}"
    return _describe(lesson), 201, {"Location": location}


@blueprint.get("/lessons/<lesson>", responses=responses(schemas.LessonAnswer, "no-lesson", _DISK))
def show_lesson(path: schemas.LessonPath) -> dict[str, Any]:
    """Where a lesson stands: its pictures, and how good what they teach is"""
    return _describe(_find_lesson(path))


@blueprint.delete("/lessons/<lesson>", responses=responses(schemas.Deleted, "no-lesson", _DISK))
def delete_lesson(path: schemas.LessonPath) -> dict[str, str]:
    """Forget a lesson and its pictures"""
    _find_lesson(path).delete()
    return {"status": "deleted"}


@blueprint.post(
    "/lessons/<lesson>/pictures",
    responses=responses(
        schemas.AddedPictures, "wrong-option", "no-picture", "no-lesson", "too-many-pictures",
        "unsupported-content-type", "too-slow", _DISK,
    ),
    openapi_extensions=pictures_request(),
)  # fmt: skip
def add_pictures(path: schemas.LessonPath) -> dict[str, Any]:
    """Add pictures of a class; those that cannot be used are told one by one"""
    state, lesson = server_state(), _find_lesson(path)
    class_name = clean_name(request.args.get("class", ""))
    lesson.check_class(class_name)
    gate, kept, refused = state.gate(request), [], []
    images = read_images(request, state).images
    state.count_pictures(request, len(images))
    for image in images:
        try:
            name = lesson.add(class_name, image.open(), gate)
        except (RequestError, ImageError) as error:
            if kind_of(error) in ("no-lesson", _DISK):
                raise
            state.metrics.count_problem(kind_of(error))
            refused.append({"file": image.name} | describe(error))
        else:
            kept.append(name)
    small = _thumbnails(lesson, class_name, kept)
    return {"kept": small, "refused": refused, "lesson": _describe(lesson)}


@blueprint.get(
    "/lessons/<lesson>/pictures", responses=responses(schemas.LessonPictures, "no-lesson", _DISK)
)
def show_pictures(path: schemas.LessonPath) -> dict[str, Any]:
    """The pictures of a lesson, small"""
    lesson = _find_lesson(path)
    images = lesson.images().items()
    return {"classes": {name: _thumbnails(lesson, name, found) for name, found in images}}


@blueprint.delete(
    "/lessons/<lesson>/pictures/<picture>",
    responses=responses(schemas.LessonAnswer, "no-lesson", "not-found", _DISK),
)
def delete_picture(path: schemas.LessonPicturePath) -> dict[str, Any]:
    """Take a picture away from a lesson"""
    lesson = _find_lesson(path)
    lesson.remove(path.picture)
    return _describe(lesson)


@blueprint.get(
    "/lessons/<lesson>/model",
    responses=responses(_FILE, "no-lesson", "not-learned", kind="application/octet-stream"),
)
def download_model(path: schemas.LessonPath) -> Response:
    """What was learned, as a bundle: the one file that Imagette serves"""
    return Response(
        _taught_model(path).to_bundle(),
        mimetype="application/octet-stream",
        headers={"Content-Disposition": "attachment; filename=imagette-lesson.onnx"},
    )


@blueprint.post(
    "/lessons/<lesson>/predict",
    responses=responses(
        [PictureAnswer, SeveralAnswers], "no-lesson", "not-learned", *PREDICT_PROBLEMS
    ),
    openapi_extensions=predict_request(),
)
def predict_by_lesson(path: schemas.LessonPath) -> dict[str, Any]:
    """What a picture, or each of several, shows, as far as the lesson has taught"""
    state = server_state()
    classifier = Classifier(_taught_model(path), max_pixels=state.settings.max_pixels)
    return answer_request(state, request, classifier, count_classes=False)


def _taught_model(path: schemas.LessonPath) -> TaughtModel:
    if model := _find_lesson(path).taught_model():
        return model
    raise RequestError(
        "not-learned",
        "Nothing can be told apart yet.",
        "Add pictures, at least one of each of two classes.",
    )


def _lessons() -> LessonStore:
    # The blueprint is registered only where something may be taught.
    return cast(LessonStore, server_state().lessons)


def _find_lesson(path: schemas.LessonPath) -> Lesson:
    return _lessons().find(path.lesson)


def _read_class_names() -> list[str]:
    # As objects of Python, a body of short names takes some thirty times the memory.
    request.max_content_length = _MOST_BYTES_OF_NAMES
    try:
        return schemas.LessonRequest.model_validate_json(
            read_declared_json(request, server_state())
        ).class_names
    except RequestEntityTooLarge as error:
        _discard_body()
        raise RequestError(
            "request-too-large",
            f"The body is larger than the {_MOST_BYTES_OF_NAMES // 1024} KiB of class names.",
            'Send nothing but the names: {"class_names": ["cat", "dog"]}.',
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        kind = "invalid-json" if first["type"] == "json_invalid" else "wrong-classes"
        raise RequestError(
            kind,
            "The body is not an object with a list `class_names`.",
            'Send {"class_names": ["cat", "dog"]}.',
        ) from error


def _discard_body() -> None:
    """Read what is left of a body as large as pictures may be, and keep nothing of it.

    A client that still sends when the connection is closed does not read the answer.
    """
    most = server_state().settings.max_upload_bytes
    left = min(request.content_length or most, most)
    while left > 0 and (part := request.environ["wsgi.input"].read(min(left, 65_536))):
        left -= len(part)


def _thumbnails(lesson: Lesson, class_name: str, names: list[str]) -> list[dict[str, str]]:
    """Pictures of a class, small; without those that were taken away meanwhile."""
    found = [(name, lesson.thumbnail(class_name, name)) for name in names]
    return [{"name": name, "thumbnail": url} for name, url in found if url]


def _describe(lesson: Lesson) -> dict[str, Any]:
    """A lesson as JSON has it."""
    classes = [
        schemas.LessonClass(name=name, pictures=found) for name, found in lesson.images().items()
    ]
    taught = lesson.taught_model()
    model = _describe_model(taught) if taught else None
    return schemas.LessonAnswer(id=lesson.id, classes=classes, model=model).model_dump()


def _describe_model(taught: TaughtModel) -> schemas.LessonModel:
    told = taught.metadata
    as_told = {"class_names", "class_names_fr", "familiarity_threshold", "accuracy"}
    return schemas.LessonModel(
        **told.model_dump(include=as_told),
        input=InputSize(height=taught.height, width=taught.width),
        accuracy_interval=told.evaluation["accuracy_interval"] if told.evaluation else None,
        pictures=taught.n_images,
    )
