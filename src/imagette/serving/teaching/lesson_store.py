"""Lessons: classes and pictures that somebody teaches the server, and what it learned of them.

Everything is in files below one folder, so that any worker can answer for any lesson:

    <id>/lesson.json                   the classes, their folders, the client whose it is, and what
                                       can be undone; without it, the folder is no lesson
    <id>/forgotten.json                the same, of a lesson that can still be brought back
    <id>/used                          touched whenever somebody asks for the lesson
    <id>/lesson/<class>/<digest>.png   the pictures
    <id>/lesson/<class>/<digest>.npy   the features of each; a picture counts once they are there
    <id>/removed/                      pictures that were taken away, for some minutes
    <id>/thumbnails/<digest>.jpg       the pictures, small, as they are listed
    .lock                              held by whoever changes any of them
"""

import math
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from threading import Thread

from imagette.errors import ImagetteError
from imagette.features.backbone import Backbone, missing_package, open_backbone
from imagette.files import make_private_folder
from imagette.serving.client import PAGE
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings
from imagette.serving.teaching.changes import delete_expired
from imagette.serving.teaching.class_names import check_lesson_name, check_names
from imagette.serving.teaching.lesson import (
    MIN_CLASSES,
    Lesson,
    disk_problems,
    lesson_not_found,
    new_class_folder,
)
from imagette.serving.teaching.lesson_file import (
    FORGOTTEN,
    KEPT,
    UNDO_SECONDS,
    LessonClass,
    LessonFile,
    is_forgotten,
    is_lesson,
)
from imagette.serving.teaching.write_lock import WriteLock

# People read ids aloud and copy them by hand: no letter looks like another. These are 99 bits;
# earlier versions had 22 letters of all kinds.
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_ID = re.compile(r"[2-9a-z]{4}(-[2-9a-z]{4}){4}|[A-Za-z0-9_-]{22}")
_SECONDS_BETWEEN_CHECKS = 60
# For want of room, a lesson is not forgotten so soon after it was used; one without pictures is so
# long after it was begun, whoever asks for it, so that nobody holds the server with names alone.
_SECONDS_IN_USE = 600
_SECONDS_EMPTY = 120


def prepare_backbone() -> Backbone:
    """What computes features; the first time on a machine, it is made, which takes seconds.

    Raises:
        ImagetteError: something for that is missing.
    """
    if package := missing_package():
        raise ImagetteError(
            f"Teaching needs the package {package}, which is not installed.",
            "Install it with `pip install 'imagette[train]'`, or serve without --teach.",
        )
    return open_backbone()


class LessonStore:
    """All lessons of a server, and of all its workers.

    Args:
        settings: their bounds, and the folder that they are in.

    Raises:
        ImagetteError: nothing can be taught here, or the folder cannot be made.
    """

    def __init__(self, settings: Settings) -> None:
        if settings.lessons_dir is None:
            raise ImagetteError(
                "The server is to be taught, but has no folder for that.",
                "Name one in IMAGETTE_LESSONS_DIR, the same for all its processes.",
            )
        self._settings = settings
        self._backbone = prepare_backbone()
        self._folder = settings.lessons_dir.resolve()
        make_private_folder(self._folder, "--lessons-dir")
        self._lock = WriteLock(self._folder / ".lock")
        Thread(target=self._delete_expired_at_times, daemon=True).start()

    def create(self, class_names: list[str], client: str, name: str = "") -> Lesson:
        """Begin a lesson.

        Args:
            class_names: what it is to tell apart.
            client: whose it is, as `client_of` says it.
            name: of the lesson; empty for none.

        Raises:
            RequestError: the names cannot be used, or there is no room for one more.
        """
        most = self._settings.max_classes
        if not MIN_CLASSES <= len(class_names) <= most:
            raise RequestError(
                "wrong-classes",
                f"A lesson cannot have {len(class_names)} classes.",
                f"Name {MIN_CLASSES} to {most} of them.",
            )
        class_names, name = check_names(class_names), check_lesson_name(name)
        folder = self._folder / _new_id()
        classes = [LessonClass(one, new_class_folder()) for one in class_names]
        with disk_problems(), self._lock:
            self._make_room(client)
            for one in classes:
                (folder / "lesson" / one.folder).mkdir(mode=0o700, parents=True)
            (folder / "thumbnails").mkdir(mode=0o700)
            (folder / "used").touch()
            LessonFile(client, classes, name).write(folder)
        return self._open(folder)

    def find(self, lesson_id: str) -> Lesson:
        """The lesson of an id, which counts as used.

        Raises:
            RequestError: there is none.
        """
        folder = self._folder / lesson_id if _ID.fullmatch(lesson_id) else None
        if folder is None or not is_lesson(folder):
            raise lesson_not_found()
        with suppress(OSError):
            (folder / "used").touch()
        return self._open(folder)

    def forget(self, lesson: Lesson) -> None:
        """Let a lesson be gone, and let it be brought back for some minutes."""
        with disk_problems(), self._lock:
            (lesson.folder / KEPT).replace(lesson.folder / FORGOTTEN)
            with suppress(OSError):
                (lesson.folder / "used").touch()

    def is_forgotten(self, lesson_id: str) -> bool:
        """Whether a lesson of this id was forgotten, and is not deleted yet."""
        return bool(_ID.fullmatch(lesson_id)) and is_forgotten(self._folder / lesson_id)

    def bring_back(self, lesson_id: str) -> Lesson:
        """A lesson that was forgotten, or that is there anyway.

        Raises:
            RequestError: there is none of this id, or it was too long ago.
        """
        folder = self._folder / lesson_id
        if self.is_forgotten(lesson_id):
            with disk_problems(), self._lock:
                if _last_used(folder) + UNDO_SECONDS > time.time():
                    (folder / FORGOTTEN).replace(folder / KEPT)
        return self.find(lesson_id)

    def delete_forgotten(self, lesson_id: str) -> None:
        """Delete a lesson for good, be it there or forgotten.

        Raises:
            RequestError: there is none of this id.
        """
        folder = self._folder / lesson_id if _ID.fullmatch(lesson_id) else None
        if folder is None or not (is_lesson(folder) or is_forgotten(folder)):
            raise lesson_not_found()
        self._open(folder).delete()

    def delete_expired(self) -> None:
        """Forget the lessons that nobody has used for too long, and what is left of others; and
        what was taken away from lessons too long ago to be brought back."""
        now, longest = time.time(), 3600 * self._settings.lesson_hours
        for folder in self._folder.iterdir():
            # Other folders may lie beside them.
            if not _ID.fullmatch(folder.name.removesuffix("-gone")):
                continue
            seconds = longest if is_lesson(folder) else min(longest, UNDO_SECONDS)
            with suppress(RequestError):  # of a disk that fails, or deleted meanwhile
                if (folder / "lesson").is_dir() and _last_used(folder) < now - seconds:
                    self._open(folder).delete()
                elif is_lesson(folder):
                    delete_expired(self._open(folder))

    def _open(self, folder: Path) -> Lesson:
        return Lesson(folder, self._settings, self._backbone, self._lock)

    def _make_room(self, client: str) -> None:
        """Forget the lesson that is needed least if there are too many, of the client or in all."""
        self.delete_expired()
        folders = [
            folder for folder in self._folder.iterdir() if is_lesson(folder) or is_forgotten(folder)
        ]
        own = [folder for folder in folders if _client(folder) == client]
        most = self._settings.max_lessons_per_client
        # The page that cannot say who looks at it asks for everybody.
        if client != PAGE and len(own) >= most:
            self._forget_one(
                own,
                "too-many-own-lessons",
                f"All {most} lessons that one client may have at once are in use.",
                "Delete one that is not needed any more, or try again in some minutes.",
            )
        elif len(folders) >= self._settings.max_lessons:
            self._forget_one(
                folders,
                "too-many-lessons",
                f"All {self._settings.max_lessons} lessons that this server keeps are in use.",
                "Try again in some minutes.",
            )

    def _forget_one(self, folders: list[Path], kind: str, problem: str, remedy: str) -> None:
        """Forget one of some lessons, an empty one if there is, or else the one unused longest.

        Raises:
            RequestError: all are in use.
        """
        kept_until = {folder: _kept_until(folder) for folder in folders}
        wait = min(until for _, until in kept_until.values()) - time.time()
        if wait > 0:
            raise RequestError(kind, problem, remedy, {"Retry-After": str(math.ceil(wait))})
        over = [folder for folder, (_, until) in kept_until.items() if until <= time.time()]
        self._open(min(over, key=lambda folder: kept_until[folder])).delete()

    def _delete_expired_at_times(self) -> None:
        while True:
            with suppress(OSError):
                self.delete_expired()
            time.sleep(_SECONDS_BETWEEN_CHECKS)


def _new_id() -> str:
    """An id that nobody guesses, as `7k2m-9qxe-hv4t-…`."""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(5))
    return "-".join(groups)


def _kept_until(folder: Path) -> tuple[bool, float]:
    """Whether a lesson has pictures, and when it may be forgotten for want of room."""
    if is_forgotten(folder):
        return False, 0.0
    if next((folder / "lesson").glob("*/*.npy"), None) is None:
        return False, _modified(folder / KEPT) + _SECONDS_EMPTY
    return True, _last_used(folder) + _SECONDS_IN_USE


def _client(folder: Path) -> str | None:
    """Whose a lesson is; None where an earlier version did not say, or it was deleted meanwhile."""
    with suppress(OSError, ValueError):
        return LessonFile.read(folder, FORGOTTEN if is_forgotten(folder) else KEPT).client
    return None


def _last_used(folder: Path) -> float:
    for path in (folder / "used", folder):
        with suppress(OSError):
            return path.stat().st_mtime
    return time.time()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # deleted meanwhile
        return 0.0
