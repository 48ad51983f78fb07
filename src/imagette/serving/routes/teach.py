"""`/lessons` and what is below: teaching the server classes of one's own.

They are there when the setting `teach` is on.
"""

from typing import Any

from flask import Response, request

from imagette.errors import ImageError
from imagette.inference.classifier import Classifier
from imagette.serving.base_path import public_path
from imagette.serving.client import client_of
from imagette.serving.openapi import (
    json_request,
    make_blueprint,
    options_request,
    pictures_request,
    predict_request,
    responses,
)
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.routes.lesson_requests import (
    asked_class,
    describe_lesson,
    find_lesson,
    lessons,
    read_class_names,
    read_name,
    taught_model,
    thumbnails,
)
from imagette.serving.routes.predict import PREDICT_PROBLEMS, answer_request
from imagette.serving.schemas import teach as schemas
from imagette.serving.schemas.predict import PictureAnswer, SeveralAnswers
from imagette.serving.state import server_state
from imagette.serving.teaching import changes
from imagette.serving.teaching.lesson_archive import write_archive
from imagette.serving.teaching.lesson_file import UNDO_SECONDS
from imagette.serving.uploads import read_images

_FILE = {"type": "string", "format": "binary"}
_DISK = "no-room"
_WRITE_PROBLEMS = (_DISK, "out-of-time")
_NAME_PROBLEMS = (
    "invalid-json", "wrong-classes", "same-names", "unsupported-content-type", *_WRITE_PROBLEMS,
)  # fmt: skip

blueprint = make_blueprint("teach", __name__, "Teaching")


@blueprint.post(
    "/lessons",
    responses=responses(
        schemas.LessonAnswer, *_NAME_PROBLEMS, "too-many-lessons", "too-many-own-lessons",
        status="201",
    ),
    openapi_extensions=json_request(schemas.LessonRequest),
)  # fmt: skip
def begin_lesson() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Begin a lesson, of two classes or more"""
    asked = read_class_names()
    lesson = lessons().create(asked.class_names, client_of(request.environ), asked.name)
    location = f"{public_path(request.environ)}/lessons/{lesson.id}"
    return describe_lesson(lesson), 201, {"Location": location}


@blueprint.get("/lessons/<lesson>", responses=responses(schemas.LessonAnswer, "no-lesson", _DISK))
def show_lesson(path: schemas.LessonPath) -> dict[str, Any]:
    """Where a lesson stands: its pictures, and how good what they teach is"""
    return describe_lesson(find_lesson(path))


@blueprint.patch(
    "/lessons/<lesson>",
    responses=responses(schemas.LessonAnswer, "no-lesson", *_NAME_PROBLEMS),
    openapi_extensions=json_request(schemas.NameRequest),
)
def name_lesson(path: schemas.LessonPath) -> dict[str, Any]:
    """Give a lesson a name, or an empty one"""
    lesson = find_lesson(path)
    changes.name_lesson(lesson, read_name())
    return describe_lesson(lesson)


@blueprint.delete(
    "/lessons/<lesson>",
    responses=responses(schemas.Deleted, "no-lesson", *_WRITE_PROBLEMS),
    openapi_extensions=options_request(schemas.DeleteOption),
)
def delete_lesson(path: schemas.LessonPath) -> dict[str, Any]:
    """Forget a lesson and its pictures: at once and for good, unless `undo=1` is asked for"""
    if request.args.get("undo") == "1":
        lessons().forget(find_lesson(path))
        return schemas.Deleted(status="deleted", undo_seconds=UNDO_SECONDS).model_dump()
    lessons().delete_forgotten(path.lesson)
    return schemas.Deleted(status="deleted", undo_seconds=0).model_dump()


@blueprint.post(
    "/lessons/<lesson>/undo",
    responses=responses(
        schemas.LessonAnswer, "no-lesson", "not-undoable", "lesson-full", "wrong-classes",
        "same-names", *_WRITE_PROBLEMS,
    ),
    openapi_extensions=options_request(schemas.UndoOption),
)  # fmt: skip
def undo_change(path: schemas.LessonPath) -> dict[str, Any]:
    """Bring back what was deleted last, or the lesson itself, or a class's name"""
    if lessons().is_forgotten(path.lesson):
        lesson = lessons().bring_back(path.lesson)
    else:
        lesson = find_lesson(path)
        changes.undo(lesson, request.args.get("change") or None)
    return describe_lesson(lesson)


@blueprint.post(
    "/lessons/<lesson>/classes",
    responses=responses(schemas.LessonAnswer, "no-lesson", *_NAME_PROBLEMS),
    openapi_extensions=json_request(schemas.NameRequest),
)
def add_class(path: schemas.LessonPath) -> dict[str, Any]:
    """Add a class"""
    lesson = find_lesson(path)
    changes.add_class(lesson, read_name())
    return describe_lesson(lesson)


@blueprint.patch(
    "/lessons/<lesson>/classes",
    responses=responses(schemas.LessonAnswer, "no-lesson", "wrong-option", *_NAME_PROBLEMS),
    openapi_extensions=json_request(schemas.NameRequest, schemas.ClassOption),
)
def rename_class(path: schemas.LessonPath) -> dict[str, Any]:
    """Give a class another name"""
    lesson = find_lesson(path)
    changes.rename_class(lesson, asked_class(), read_name())
    return describe_lesson(lesson)


@blueprint.delete(
    "/lessons/<lesson>/classes",
    responses=responses(
        schemas.LessonAnswer, "no-lesson", "wrong-option", "wrong-classes", *_WRITE_PROBLEMS
    ),
    openapi_extensions=options_request(schemas.ClassOption),
)
def delete_class(path: schemas.LessonPath) -> dict[str, Any]:
    """Delete a class and its pictures; it can be undone for some minutes"""
    lesson = find_lesson(path)
    changes.remove_class(lesson, asked_class())
    return describe_lesson(lesson)


@blueprint.get(
    "/lessons/<lesson>/archive",
    responses=responses(_FILE, "no-lesson", _DISK, kind="application/zip"),
)
def download_archive(path: schemas.LessonPath) -> Response:
    """The lesson with its pictures as a zip file, a folder for each class: `imagette train` takes
    it, and the page opens it again"""
    return Response(
        write_archive(find_lesson(path)),
        mimetype="application/zip",
        headers={"Content-Disposition": "attachment; filename=imagette-lesson.zip"},
    )


@blueprint.post(
    "/lessons/<lesson>/pictures",
    responses=responses(
        schemas.AddedPictures, "wrong-option", "no-picture", "no-lesson", "too-many-pictures",
        "unsupported-content-type", "too-slow", *_WRITE_PROBLEMS,
    ),
    openapi_extensions=pictures_request(),
)  # fmt: skip
def add_pictures(path: schemas.LessonPath) -> dict[str, Any]:
    """Add pictures of a class; those that cannot be used are told one by one"""
    state, lesson = server_state(), find_lesson(path)
    class_folder = lesson.find_class(asked_class())
    gate, kept, refused = state.gate(request), [], []
    images = read_images(request, state).images
    state.count_pictures(request, len(images))
    for image in images:
        try:
            name = lesson.add(class_folder, image.open(), gate)
        except (RequestError, ImageError) as error:
            if kind_of(error) in ("no-lesson", _DISK):
                raise
            state.metrics.count_problem(kind_of(error))
            refused.append({"file": image.name} | describe(error))
        else:
            kept.append(name)
    small = thumbnails(lesson, class_folder, kept)
    return {"kept": small, "refused": refused, "lesson": describe_lesson(lesson)}


@blueprint.get(
    "/lessons/<lesson>/pictures", responses=responses(schemas.LessonPictures, "no-lesson", _DISK)
)
def show_pictures(path: schemas.LessonPath) -> dict[str, Any]:
    """The pictures of a lesson, small"""
    lesson = find_lesson(path)
    images, folders = lesson.images(), {one.name: one.folder for one in lesson.file().classes}
    return {
        "classes": {
            name: thumbnails(lesson, folders.get(name, name), found)
            for name, found in images.items()
        }
    }


@blueprint.get(
    "/lessons/<lesson>/pictures/<picture>",
    responses=responses(_FILE, "no-lesson", "not-found", _DISK, kind="image/png"),
)
def show_picture(path: schemas.LessonPicturePath) -> Response:
    """A picture of a lesson, as it is kept"""
    return Response(find_lesson(path).picture(path.picture), mimetype="image/png")


@blueprint.delete(
    "/lessons/<lesson>/pictures/<picture>",
    responses=responses(schemas.LessonAnswer, "no-lesson", "not-found", *_WRITE_PROBLEMS),
)
def delete_picture(path: schemas.LessonPicturePath) -> dict[str, Any]:
    """Take a picture away from a lesson; it can be undone for some minutes"""
    lesson = find_lesson(path)
    changes.remove_picture(lesson, path.picture)
    return describe_lesson(lesson)


@blueprint.get(
    "/lessons/<lesson>/model",
    responses=responses(_FILE, "no-lesson", "not-learned", kind="application/octet-stream"),
)
def download_model(path: schemas.LessonPath) -> Response:
    """What was learned, as a bundle: the one file that Imagette serves"""
    return Response(
        taught_model(path).to_bundle(),
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
    classifier = Classifier(taught_model(path), max_pixels=state.settings.max_pixels)
    return answer_request(state, request, classifier, count_classes=False)
