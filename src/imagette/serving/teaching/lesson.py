"""One lesson: its pictures, their features, and what they teach."""

import io
import os
import re
import secrets
import shutil
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import blake2b
from pathlib import Path

import numpy as np

from imagette.features.backbone import Backbone
from imagette.files import write_bytes
from imagette.images.formats import ImageInput
from imagette.images.views import REDUCING_GAP
from imagette.serving import problems
from imagette.serving.gate import Gate
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings
from imagette.serving.teaching.lesson_file import FORGOTTEN, KEPT, LessonFile
from imagette.serving.teaching.reduced_picture import IMAGE_SIDE, reduce_picture
from imagette.serving.teaching.taught_model import VIEW, TaughtModel, fit_taught_model
from imagette.serving.teaching.thumbnails import read_thumbnail
from imagette.serving.teaching.write_lock import WriteLock

MIN_CLASSES = 2

_DIGEST = re.compile(r"[0-9a-f]{24}")


def lesson_not_found() -> RequestError:
    """What a lesson that is not there is answered with."""
    return RequestError(
        "no-lesson",
        "There is no such lesson: it was deleted, or it was not used for too long.",
        "Begin a new one.",
    )


def no_such_picture() -> RequestError:
    """What a picture that is not there is answered with."""
    return RequestError(
        "not-found", "The lesson has no such picture.", "Ask the lesson for those it has."
    )


disk_problems = partial(problems.disk_problems, lesson_not_found)
"""Tells what the disk refuses, or lacks since the lesson was deleted, as a request's problem."""


class Lesson:
    """One lesson, which any thread of any worker may hold; `changes.py` changes its classes.

    Every method raises a RequestError if the lesson was deleted meanwhile, or if the disk is full.

    Args:
        folder: where it is.
        settings: its bounds.
        backbone: computes the features of its pictures.
        lock: is held while it is changed.

    Attributes:
        id: whoever knows it may do anything with the lesson.
    """

    def __init__(
        self, folder: Path, settings: Settings, backbone: Backbone, lock: WriteLock
    ) -> None:
        self.id = folder.name
        self.folder = folder
        self.settings = settings
        self.lock = lock
        self._backbone = backbone

    @disk_problems()
    def file(self) -> LessonFile:
        """What its file says."""
        return LessonFile.read(self.folder)

    @disk_problems()
    def images(self) -> dict[str, list[str]]:
        """Names of the pictures of each class, the first that came first."""
        return {one.name: self.list_images(one.folder) for one in self.file().classes}

    def add(self, class_folder: str, content: ImageInput, gate: Gate) -> str:
        """Keep a picture of a class, upright, reduced, and without what the file says besides.

        Args:
            class_folder: folder of one of the lesson's classes.
            content: the bytes of its file, or its pixels.
            gate: what it passes before it is decoded.

        Returns:
            The picture's name.

        Raises:
            RequestError: the lesson is full, or has the picture already, or no longer the class.
            ImageError: it cannot be read or has too many pixels.
        """
        size = self._backbone.size
        at_least = max(IMAGE_SIDE, REDUCING_GAP * size)
        small, thumbnail, pixels = gate.decode(content, at_least, reduce_picture, size, VIEW)
        name = blake2b(small, digest_size=12).hexdigest()
        features = io.BytesIO()
        np.save(features, self._backbone.compute(pixels[None])[0].astype(np.float16))
        with disk_problems(), self.lock:
            self.check_room_for(name, class_folder)
            path = self.path(class_folder, name)
            write_bytes(path.with_suffix(".png"), small)
            write_bytes(self.thumbnail_path(name), thumbnail)
            write_bytes(path, features.getvalue())
        return name

    def find_class(self, class_name: str) -> str:
        """The folder of a class; a RequestError unless the lesson has it."""
        if folder := self.file().folder_of(class_name):
            return folder
        raise RequestError(
            "wrong-option",
            f"The option class cannot be {class_name!r}.",
            "Name one of the lesson’s classes.",
        )

    def thumbnail(self, class_folder: str, name: str) -> str:
        """A picture, small, as a data URL; empty if it was taken away meanwhile."""
        picture = self.path(class_folder, name).with_suffix(".png")
        return read_thumbnail(self.thumbnail_path(name), picture)

    def picture(self, name: str) -> bytes:
        """A picture as it was kept, a PNG file.

        Raises:
            RequestError: the lesson does not have it.
        """
        for one in self.file().classes if _DIGEST.fullmatch(name) else ():
            with suppress(FileNotFoundError):
                return self.path(one.folder, name).with_suffix(".png").read_bytes()
        raise no_such_picture()

    def taught_model(self) -> TaughtModel | None:
        """What answers by all pictures that there are; None before two classes have one."""
        while True:
            with disk_problems():
                found = [
                    (one.name, one.folder, tuple(sorted(self.list_images(one.folder))))
                    for one in self.file().classes
                ]
            known = tuple(one for one in found if one[2])
            if len(known) < MIN_CLASSES:
                return None
            with suppress(FileNotFoundError):  # one was taken away meanwhile
                return _fit(self._backbone, self.folder, known)

    def delete(self) -> None:
        """Delete the lesson for good, and what this process remembers of any."""
        _fit.cache_clear()
        gone = self.folder.with_name(f"{self.id.removesuffix('-gone')}-gone")
        # At once, so that whoever is in the middle of it never finds half a lesson.
        with disk_problems(), self.lock:
            for file in (KEPT, FORGOTTEN):
                (self.folder / file).unlink(missing_ok=True)
            with suppress(OSError):
                self.folder.rename(gone)
        for folder in (self.folder, gone):
            shutil.rmtree(folder, ignore_errors=True)

    def list_images(self, class_folder: str) -> list[str]:
        """Names of the pictures in a class's folder, the first that came first.

        Raises:
            OSError: there is no such folder.
        """
        found = []
        with os.scandir(self.folder / "lesson" / class_folder) as entries:
            for entry in entries:
                if entry.name[0] != "." and entry.name.endswith(".npy"):
                    with suppress(FileNotFoundError):  # taken away meanwhile
                        found.append((entry.stat().st_mtime_ns, entry.name[:-4]))
        return [name for _, name in sorted(found)]

    def path(self, class_folder: str, name: str) -> Path:
        """Where the features of a picture are, beside the picture."""
        return self.folder / "lesson" / class_folder / f"{name}.npy"

    def thumbnail_path(self, name: str) -> Path:
        """Where a small picture is; not beside the picture, which it would be taken for."""
        return self.folder / "thumbnails" / f"{name}.jpg"

    def check_room_for(self, name: str, class_folder: str) -> None:
        """See, under the lock, that a picture may come into a class.

        Raises:
            RequestError: as of `add`.
        """
        classes = self.file().classes
        if not any(one.folder == class_folder for one in classes):
            raise RequestError(
                "wrong-option", "The class was deleted.", "Name one of the lesson’s classes."
            )
        known = {image: one.name for one in classes for image in self.list_images(one.folder)}
        if name in known:
            raise RequestError(
                "same-picture",
                f"This picture is in “{known[name]}” already.",
                "Choose another one: the same picture twice teaches nothing more.",
            )
        if len(known) >= self.settings.max_lesson_pictures:
            raise RequestError(
                "lesson-full",
                f"The lesson has {len(known)} pictures, the most that this server keeps.",
                "Take some away first.",
            )


def new_class_folder() -> str:
    """The name of a new class's folder."""
    return secrets.token_hex(4)


@lru_cache(maxsize=32)
def _fit(
    backbone: Backbone, folder: Path, classes: tuple[tuple[str, str, tuple[str, ...]], ...]
) -> TaughtModel:
    """What some pictures of a lesson teach; the last few are kept, some 2 MB each at most."""
    class_names = tuple(name for name, _, _ in classes)
    counts = [len(names) for *_, names in classes]
    files = [folder / "lesson" / one / f"{name}.npy" for _, one, names in classes for name in names]
    features = np.stack([np.load(file) for file in files])
    labels = np.repeat(np.arange(len(counts)), counts)
    return fit_taught_model(backbone, class_names, features, labels)
