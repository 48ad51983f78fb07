"""Changes of a lesson's classes and pictures, each of which can be undone for some minutes.

What is taken away is put aside: a picture in the lesson's folder `removed`; a class stays where it
is, without being one. The lesson's file says what was done; what it says no more is deleted.
"""

import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from imagette.serving.problems import RequestError
from imagette.serving.teaching.class_names import check_lesson_name, check_names
from imagette.serving.teaching.lesson import (
    Lesson,
    disk_problems,
    lesson_not_found,
    new_class_folder,
    no_such_picture,
)
from imagette.serving.teaching.lesson_file import (
    MOST_CHANGES,
    Change,
    ChangeKind,
    LessonClass,
    LessonFile,
)

_DIGEST = re.compile(r"[0-9a-f]{24}")


def last_change(file: LessonFile) -> Change | None:
    """What can be undone next."""
    last = file.changes[-1] if file.changes else None
    return last if last and last.expires_in() else None


@disk_problems()
def name_lesson(lesson: Lesson, name: str) -> None:
    """Give a lesson a name, or none.

    Raises:
        RequestError: it cannot be called so.
    """
    name = check_lesson_name(name)
    with lesson.lock:
        file = lesson.file()
        file.name = name
        file.write(lesson.folder)


@disk_problems()
def add_class(lesson: Lesson, name: str) -> None:
    """Add a class without pictures.

    Raises:
        RequestError: it cannot be called so, or the lesson has as many as it may.
    """
    with lesson.lock:
        file = lesson.file()
        _check_count(lesson, len(file.classes) + 1)
        *_, name = check_names([*(one.name for one in file.classes), name])
        folder = new_class_folder()
        (lesson.folder / "lesson" / folder).mkdir(mode=0o700)
        file.classes.append(LessonClass(name, folder))
        file.write(lesson.folder)


@disk_problems()
def rename_class(lesson: Lesson, class_name: str, name: str) -> None:
    """Give a class another name.

    Raises:
        RequestError: there is no such class, or it cannot be called so.
    """
    with lesson.lock:
        file, folder = lesson.file(), lesson.find_class(class_name)
        names = check_names([name if one.name == class_name else one.name for one in file.classes])
        place = _place_of(file, folder)
        if names[place] != class_name:
            file.classes[place] = LessonClass(names[place], folder)
            _note(lesson, file, _change("rename", folder, class_name))


@disk_problems()
def remove_class(lesson: Lesson, class_name: str) -> None:
    """Take a class and its pictures away.

    Raises:
        RequestError: there is no such class, or it is the only one.
    """
    with lesson.lock:
        file, folder = lesson.file(), lesson.find_class(class_name)
        if len(file.classes) == 1:
            raise RequestError(
                "wrong-classes", "A lesson has one class at least.", "Delete the lesson instead."
            )
        place = _place_of(file, folder)
        del file.classes[place]
        _note(lesson, file, _change("class", folder, class_name, place=place))


@disk_problems()
def remove_picture(lesson: Lesson, name: str) -> None:
    """Take a picture away.

    Raises:
        RequestError: the lesson does not have it.
    """
    with lesson.lock:
        file = lesson.file()
        for one in file.classes if _DIGEST.fullmatch(name) else ():
            path = lesson.path(one.folder, name)
            if not path.is_file():
                continue
            _removed(lesson).mkdir(mode=0o700, exist_ok=True)
            for kept in (path, path.with_suffix(".png")):
                with suppress(FileNotFoundError):
                    kept.replace(_removed(lesson) / kept.name)
            lesson.thumbnail_path(name).unlink(missing_ok=True)  # made anew where it is wanted
            _note(lesson, file, _change("picture", one.folder, one.name, picture=name))
            return
    raise no_such_picture()


@disk_problems()
def undo(lesson: Lesson, change_id: str | None) -> None:
    """Undo the last change.

    Args:
        lesson: the lesson.
        change_id: the change's; None for the last one, whichever it is.

    Raises:
        RequestError: there is none, another one came after it, or the lesson has changed since so
            that it cannot be undone.
    """
    with lesson.lock:
        file = lesson.file()
        change = last_change(file)
        if change is None or change_id not in (None, change.id):
            raise RequestError(
                "not-undoable",
                "That cannot be undone: it was undone already, too long ago, or something was"
                " changed after it.",
                "Ask the lesson for what can be undone.",
            )
        if change.kind == "picture":
            _bring_picture_back(lesson, change)
        elif change.kind == "class":
            _check_count(lesson, len(file.classes) + 1)
            file.classes.insert(change.place, LessonClass(change.name, change.folder))
            check_names([one.name for one in file.classes])
            _drop_twins(lesson, file, change.folder)
        else:
            place = _place_of(file, change.folder)
            file.classes[place] = LessonClass(change.name, change.folder)
            check_names([one.name for one in file.classes])
        file.changes.pop()
        file.write(lesson.folder)


@disk_problems()
def delete_expired(lesson: Lesson) -> None:
    """Delete what was taken away too long ago to be brought back."""
    with suppress(OSError):
        if all(change.expires_in() for change in LessonFile.read(lesson.folder).changes):
            return
    with lesson.lock:
        file = lesson.file()
        _prune(lesson, file)
        file.write(lesson.folder)


def _change(kind: ChangeKind, folder: str, name: str, picture: str = "", place: int = 0) -> Change:
    return Change(secrets.token_hex(8), time.time(), kind, folder, name, picture, place)


def _note(lesson: Lesson, file: LessonFile, change: Change) -> None:
    """Write down what was done, and delete what cannot be undone any more."""
    # Of a picture that was taken away, came again and was taken away again there is one file.
    file.changes = [one for one in file.changes if not one.picture or one.picture != change.picture]
    file.changes.append(change)
    file.write(lesson.folder)
    if _prune(lesson, file):
        file.write(lesson.folder)


def _prune(lesson: Lesson, file: LessonFile) -> bool:
    """Delete what is put aside for too long, or is too much; whether the file has to say so."""
    before = len(file.changes)
    file.changes = [one for one in file.changes if one.expires_in()][-MOST_CHANGES:]
    while sum(_count(lesson, one) for one in file.changes) > lesson.settings.max_lesson_pictures:
        del file.changes[0]
    kept = {one.picture for one in file.changes}
    with suppress(FileNotFoundError):
        for path in _removed(lesson).iterdir():
            if path.stem not in kept:
                path.unlink(missing_ok=True)
    folders = {one.folder for one in file.classes} | {one.folder for one in file.changes}
    for path in (lesson.folder / "lesson").iterdir():
        if path.name not in folders:
            shutil.rmtree(path, ignore_errors=True)
    return len(file.changes) < before


def _count(lesson: Lesson, change: Change) -> int:
    """How many pictures are put aside by a change."""
    if change.kind == "class":
        with suppress(OSError):
            return len(lesson.list_images(change.folder))
    return int(change.kind == "picture")


def _bring_picture_back(lesson: Lesson, change: Change) -> None:
    try:
        lesson.check_room_for(change.picture, change.folder)
    except RequestError as error:
        if error.kind == "same-picture":  # it was shown again meanwhile
            return
        raise
    for ending in (".png", ".npy"):  # it counts once its features are there
        path = lesson.path(change.folder, change.picture).with_suffix(ending)
        with suppress(FileNotFoundError):
            (_removed(lesson) / path.name).replace(path)


def _drop_twins(lesson: Lesson, file: LessonFile, folder: str) -> None:
    """Of a class that comes back, delete pictures that other classes have by now, and make sure
    that there is room for the others."""
    others = {
        image
        for one in file.classes
        if one.folder != folder
        for image in lesson.list_images(one.folder)
    }
    own = set(lesson.list_images(folder))
    if len(others | own) > lesson.settings.max_lesson_pictures:
        raise RequestError(
            "lesson-full",
            f"With them the lesson would have {len(others | own)} pictures, more than this server"
            " keeps.",
            "Take some away first.",
        )
    for image in own & others:
        for path in (lesson.path(folder, image), lesson.path(folder, image).with_suffix(".png")):
            path.unlink(missing_ok=True)


def _removed(lesson: Lesson) -> Path:
    return lesson.folder / "removed"


def _place_of(file: LessonFile, folder: str) -> int:
    for place, one in enumerate(file.classes):
        if one.folder == folder:
            return place
    raise lesson_not_found()


def _check_count(lesson: Lesson, count: int) -> None:
    if count > (most := lesson.settings.max_classes):
        raise RequestError(
            "wrong-classes",
            f"A lesson cannot have {count} classes.",
            f"This server takes {most} of them at most.",
        )
