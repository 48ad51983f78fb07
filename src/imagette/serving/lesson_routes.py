"""The addresses below `/lessons`: teaching the server classes of one's own.

They are there when the setting `teach` is on.
"""

import unicodedata
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Response, request, send_file
from pydantic import ValidationError

from imagette.errors import ImagetteError, PictureError
from imagette.inference.classifier import Classifier
from imagette.serving.answers import (
    AddedPictures,
    Deleted,
    Epoch,
    InputSize,
    LessonAnswer,
    LessonClass,
    LessonModel,
    LessonPath,
    LessonPicturePath,
    LessonPictures,
    LessonProgress,
    LessonRequest,
    PictureAnswer,
    SeveralAnswers,
)
from imagette.serving.lessons import Lesson, Lessons, Progress, open_classifier
from imagette.serving.metrics import Metrics
from imagette.serving.openapi import (
    DescribedApp,
    answer,
    json_request,
    pictures_request,
    predict_request,
)
from imagette.serving.pictures import read_files, read_json
from imagette.serving.predict import PREDICT_PROBLEMS, Turns, answer_request
from imagette.serving.problems import RequestError, describe, kind_of
from imagette.serving.settings import Settings

_FILE = {"type": "string", "format": "binary"}
_DISK = "no-room"


def add_lessons(
    app: DescribedApp, settings: Settings, lessons: Lessons, turns: Turns, metrics: Metrics
) -> None:
    """Add the addresses below `/lessons` to the application.

    Args:
        app: the application.
        settings: the bounds.
        lessons: where they are kept.
        turns: whose time pictures take.
        metrics: where requests are counted.
    """
    _add_collecting(app, settings, lessons, turns, metrics)
    _add_learning(app, settings, lessons)
    _add_using(app, settings, lessons, turns, metrics)


def _add_collecting(
    app: DescribedApp, settings: Settings, lessons: Lessons, turns: Turns, metrics: Metrics
) -> None:
    @app.post(
        "/lessons",
        responses=answer(
            LessonAnswer, "invalid-json", "wrong-classes", "unsupported-content-type",
            "too-many-lessons", _DISK, status="201",
        ),
        openapi_extensions=json_request(LessonRequest),
    )  # fmt: skip
    def begin_lesson() -> tuple[dict[str, Any], int, dict[str, str]]:
        """Begin a lesson, of two classes or more"""
        lesson = lessons.create(_read_class_names())
        return _describe(lesson, settings), 201, {"Location": f"/lessons/{lesson.id}"}

    @app.get("/lessons/<lesson>", responses=answer(LessonAnswer, "no-lesson", _DISK))
    def show_lesson(path: LessonPath) -> dict[str, Any]:
        """Where a lesson stands: what there is to learn from, how far it is, what came of it"""
        return _describe(lessons.find(path.lesson), settings)

    @app.delete("/lessons/<lesson>", responses=answer(Deleted, "no-lesson", _DISK))
    def delete_lesson(path: LessonPath) -> dict[str, str]:
        """Forget a lesson and its pictures, and end its training"""
        lessons.find(path.lesson).forget()
        return {"status": "deleted"}

    @app.post(
        "/lessons/<lesson>/pictures",
        responses=answer(
            AddedPictures, "wrong-option", "no-picture", "no-lesson", "lesson-in-training",
            "too-many-pictures", "unsupported-content-type", _DISK,
        ),
        openapi_extensions=pictures_request(),
    )  # fmt: skip
    def add_pictures(path: LessonPath) -> dict[str, Any]:
        """Add pictures of a class; those that cannot be used are told one by one"""
        lesson = lessons.find(path.lesson)
        class_name = unicodedata.normalize("NFC", request.args.get("class", "")).strip()
        lesson.check_class(class_name)
        deadline, kept, refused = turns.deadline(), 0, []
        for content, file in read_files(request, settings.max_pictures):
            try:
                _add(lesson, class_name, content, turns, deadline)
            except (RequestError, PictureError) as error:
                if kind_of(error) in ("no-lesson", "lesson-in-training", _DISK):
                    raise
                metrics.count_problem(kind_of(error))
                refused.append({"file": file} | describe(error))
            else:
                kept += 1
        counts = {name: len(pictures) for name, pictures in lesson.status().pictures.items()}
        return {"kept": kept, "refused": refused, "classes": counts}

    @app.get("/lessons/<lesson>/pictures", responses=answer(LessonPictures, "no-lesson", _DISK))
    def show_pictures(path: LessonPath) -> dict[str, Any]:
        """The pictures of a lesson, small"""
        found = lessons.find(path.lesson).thumbnails()
        return {
            "classes": {
                class_name: [{"name": name, "thumbnail": url} for name, url in pictures]
                for class_name, pictures in found.items()
            }
        }

    @app.delete(
        "/lessons/<lesson>/pictures/<picture>",
        responses=answer(Deleted, "no-lesson", "not-found", "lesson-in-training", _DISK),
    )
    def delete_picture(path: LessonPicturePath) -> dict[str, str]:
        """Take a picture away from a lesson"""
        lessons.find(path.lesson).remove(path.picture)
        return {"status": "deleted"}


def _add_learning(app: DescribedApp, settings: Settings, lessons: Lessons) -> None:
    @app.post(
        "/lessons/<lesson>/training",
        responses=answer(
            LessonAnswer, "no-lesson", "too-few-pictures", "lesson-in-training", "too-busy", _DISK,
            status="202",
        ),
    )  # fmt: skip
    def start_training(path: LessonPath) -> tuple[dict[str, Any], int]:
        """Start to learn from the pictures of a lesson"""
        lesson = lessons.find(path.lesson)
        lesson.train()
        return _describe(lesson, settings), 202

    @app.delete(
        "/lessons/<lesson>/training", responses=answer(LessonAnswer, "no-lesson", "out-of-time")
    )
    def cancel_training(path: LessonPath) -> dict[str, Any]:
        """End the training of a lesson; its pictures stay, and what was learned before"""
        lesson = lessons.find(path.lesson)
        lesson.cancel()
        return _describe(lesson, settings)


def _add_using(
    app: DescribedApp, settings: Settings, lessons: Lessons, turns: Turns, metrics: Metrics
) -> None:
    @app.get(
        "/lessons/<lesson>/model",
        responses=answer(_FILE, "no-lesson", "not-learned", kind="application/octet-stream"),
    )
    def download_model(path: LessonPath) -> Response:
        """What was learned, as a bundle: the one file that Imagette serves"""
        bundle = _learned(lessons.find(path.lesson)).path
        name = "imagette-lesson.onnx"
        return send_file(bundle, "application/octet-stream", as_attachment=True, download_name=name)

    @app.post(
        "/lessons/<lesson>/predict",
        responses=answer(
            [PictureAnswer, SeveralAnswers], "no-lesson", "not-learned", *PREDICT_PROBLEMS
        ),
        openapi_extensions=predict_request(),
    )
    def predict_by_lesson(path: LessonPath) -> dict[str, Any]:
        """What a picture, or each of several, shows, as far as the lesson has taught"""
        classifier = _learned(lessons.find(path.lesson))
        return answer_request(
            classifier, settings.max_pictures, turns, metrics, count_classes=False
        )

    def _learned(lesson: Lesson) -> Classifier:
        if bundle := lesson.status().bundle:
            return open_classifier(bundle, settings.max_pixels)
        raise RequestError(
            "not-learned",
            "Nothing has been learned from this lesson yet.",
            "Start its training, and wait until that has finished.",
        )


def _read_class_names() -> list[str]:
    """The class names in the request under way."""
    try:
        return LessonRequest.model_validate_json(read_json(request)).class_names
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        kind = "invalid-json" if first["type"] == "json_invalid" else "wrong-classes"
        raise RequestError(
            kind,
            "The body is not an object with a list `class_names`.",
            'Send {"class_names": ["cat", "dog"]}.',
        ) from error


def _add(lesson: Lesson, class_name: str, content: bytes, turns: Turns, deadline: float) -> None:
    if not content:
        raise RequestError(
            "empty-picture", "The file is empty.", "Choose the picture again and send it."
        )
    lesson.add(class_name, content, turns.before(deadline))


def _describe(lesson: Lesson, settings: Settings) -> dict[str, Any]:
    """A lesson as JSON has it."""
    status = lesson.status()
    model = None
    if status.bundle:
        with suppress(ImagetteError, OSError):  # replaced, or deleted, at this very moment
            changed = status.bundle.stat().st_mtime_ns
            model = _describe_model(status.bundle, changed, settings.max_pixels)
    return LessonAnswer(
        id=lesson.id,
        state=status.state,  # type: ignore[arg-type]
        classes=[LessonClass(name=name, pictures=files) for name, files in status.pictures.items()],
        error=status.error,
        progress=_describe_progress(status.progress) if status.progress else None,
        model=model,
    ).model_dump()


def _describe_progress(progress: Progress) -> LessonProgress:
    return LessonProgress(
        seconds=progress.seconds,
        seconds_left=progress.seconds_left,
        epoch=progress.epoch,
        epochs=progress.epochs,
        history=[Epoch(**row) for row in progress.history],
    )


@lru_cache(maxsize=256)  # pages ask every second, of more lessons than bundles are kept open
def _describe_model(bundle: Path, _changed: int, max_pixels: int) -> LessonModel:
    classifier = open_classifier(bundle, max_pixels)
    metadata = classifier.metadata
    measured = metadata.evaluation or {}
    return LessonModel(
        class_names=list(metadata.class_names),
        class_names_fr=list(metadata.class_names_fr),
        input=InputSize(height=classifier.height, width=classifier.width),
        familiarity_threshold=metadata.familiarity_threshold,
        accuracy=metadata.accuracy,
        accuracy_interval=measured.get("accuracy_interval"),
        pictures=measured.get("n"),
    )
