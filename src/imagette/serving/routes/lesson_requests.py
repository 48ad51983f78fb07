"""What the endpoints of lessons have in common: which lesson, what it is to be called, and what is
said of it."""

from typing import Any, TypeVar, cast

from flask import request
from pydantic import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from imagette.serving.problems import RequestError
from imagette.serving.schemas import teach as schemas
from imagette.serving.schemas.model import InputSize
from imagette.serving.state import server_state
from imagette.serving.teaching.changes import last_change
from imagette.serving.teaching.lesson import Lesson
from imagette.serving.teaching.lesson_store import LessonStore
from imagette.serving.teaching.taught_model import TaughtModel
from imagette.serving.uploads import read_declared_json
from imagette.wording import clean_name

Names = TypeVar("Names", schemas.LessonRequest, schemas.NameRequest)

_MOST_BYTES_OF_NAMES = 65_536
"""A hundred names of 40 letters fit, even if every letter is written as an escape."""


def taught_model(path: schemas.LessonPath) -> TaughtModel:
    """What a lesson has taught.

    Raises:
        RequestError: there is none, or it cannot answer yet.
    """
    if model := find_lesson(path).taught_model():
        return model
    raise RequestError(
        "not-learned",
        "Nothing can be told apart yet.",
        "Add pictures, at least one of each of two classes.",
    )


def lessons() -> LessonStore:
    """The lessons of this server."""
    # The blueprint is registered only where something may be taught.
    return cast(LessonStore, server_state().lessons)


def find_lesson(path: schemas.LessonPath) -> Lesson:
    """The lesson of an address.

    Raises:
        RequestError: there is none.
    """
    return lessons().find(path.lesson)


def asked_class() -> str:
    """The class that the address names after `?class=`."""
    return clean_name(request.args.get("class", ""))


def read_class_names() -> schemas.LessonRequest:
    """What a lesson is to begin with.

    Raises:
        RequestError: the body is something else.
    """
    example = '{"class_names": ["cat", "dog"]}'
    return _read_names(schemas.LessonRequest, "a list `class_names`", example)


def read_name() -> str:
    """What something is to be called.

    Raises:
        RequestError: the body is something else.
    """
    return _read_names(schemas.NameRequest, "a `name`", '{"name": "cat"}').name


def _read_names(model: type[Names], what: str, example: str) -> Names:
    """A body of names."""
    # As objects of Python, a body of short names takes some thirty times the memory.
    request.max_content_length = _MOST_BYTES_OF_NAMES
    try:
        return model.model_validate_json(read_declared_json(request, server_state()))
    except RequestEntityTooLarge as error:
        _discard_body()
        raise RequestError(
            "request-too-large",
            f"The body is larger than the {_MOST_BYTES_OF_NAMES // 1024} KiB of class names.",
            f"Send nothing but the names: {example}.",
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        kind = "invalid-json" if first["type"] == "json_invalid" else "wrong-classes"
        raise RequestError(
            kind, f"The body is not an object with {what}.", f"Send {example}."
        ) from error


def _discard_body() -> None:
    """Read what is left of a body as large as pictures may be, and keep nothing of it.

    A client that still sends when the connection is closed does not read the answer.
    """
    most = server_state().settings.max_upload_bytes
    left = min(request.content_length or most, most)
    while left > 0 and (part := request.environ["wsgi.input"].read(min(left, 65_536))):
        left -= len(part)


def thumbnails(lesson: Lesson, class_folder: str, names: list[str]) -> list[dict[str, str]]:
    """Pictures of a class, small; without those that were taken away meanwhile."""
    found = [(name, lesson.thumbnail(class_folder, name)) for name in names]
    return [{"name": name, "thumbnail": url} for name, url in found if url]


def describe_lesson(lesson: Lesson) -> dict[str, Any]:
    """A lesson as JSON has it."""
    classes = [
        schemas.LessonClass(name=name, pictures=found) for name, found in lesson.images().items()
    ]
    taught = lesson.taught_model()
    model = _describe_model(taught) if taught else None
    file = lesson.file()
    undoable = None
    if last := last_change(file):
        undoable = schemas.UndoableChange(
            id=last.id, kind=last.kind, class_name=last.name, expires_in=last.expires_in()
        )
    return schemas.LessonAnswer(
        id=lesson.id, name=file.name, classes=classes, undo=undoable, model=model
    ).model_dump()


def _describe_model(taught: TaughtModel) -> schemas.LessonModel:
    told = taught.metadata
    as_told = {"class_names", "class_names_fr", "familiarity_threshold", "accuracy"}
    return schemas.LessonModel(
        **told.model_dump(include=as_told),
        input=InputSize(height=taught.height, width=taught.width),
        accuracy_interval=told.evaluation["accuracy_interval"] if told.evaluation else None,
        pictures=taught.n_images,
    )
