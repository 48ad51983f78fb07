"""One lesson: its pictures, their features, and what they teach."""

import io
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np

from imagette.errors import ImagetteError
from imagette.features.backbone import Backbone
from imagette.files import write_bytes
from imagette.images.formats import ImageInput
from imagette.images.views import REDUCING_GAP
from imagette.serving.gate import Gate
from imagette.serving.problems import RequestError
from imagette.serving.settings import Settings
from imagette.serving.teaching.reduced_picture import IMAGE_SIDE, reduce_picture
from imagette.serving.teaching.taught_model import VIEW, TaughtModel, fit_taught_model
from imagette.serving.teaching.thumbnails import read_thumbnail

MIN_CLASSES = 2

_DIGEST = re.compile(r"[0-9a-f]{24}")


def lesson_not_found() -> RequestError:
    """What a lesson that is not there is answered with."""
    return RequestError(
        "no-lesson",
        "There is no such lesson: it was deleted, or it was not used for too long.",
        "Begin a new one.",
    )


def is_lesson(folder: Path) -> bool:
    """Whether a folder holds a lesson."""
    return (folder / "lesson.json").is_file()


@contextmanager
def disk_problems() -> Iterator[None]:
    """Tell what the disk refuses, or lacks since the lesson was deleted, as a request's problem."""
    try:
        yield
    except (ImagetteError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(error, RequestError) or not isinstance(cause, OSError):
            raise
        if isinstance(cause, FileNotFoundError):
            raise lesson_not_found() from error
        raise RequestError(
            "no-room",
            f"The server cannot write to its disk ({cause.strerror}).",
            "Ask whoever runs it to make room, then try again.",
        ) from error


class Lesson:
    """One lesson, which any thread of any worker may hold.

    Every method raises a RequestError if the lesson was deleted meanwhile, or if the disk is full.

    Args:
        folder: where it is.
        settings: its bounds.
        backbone: computes the features of its pictures.
        lock: is held while a picture is added, so that no more are than may be. Each worker has its
            own: as many more as there are workers may get in at the same moment.
    """

    def __init__(self, folder: Path, settings: Settings, backbone: Backbone, lock: Lock) -> None:
        self.id = folder.name
        self._folder = folder
        self._settings = settings
        self._backbone = backbone
        self._lock = lock

    @disk_problems()
    def images(self) -> dict[str, list[str]]:
        """Names of the pictures of each class, the first that came first."""
        return {name: self._list(name) for name in self._class_names()}

    def add(self, class_name: str, content: ImageInput, gate: Gate) -> str:
        """Keep a picture of a class, upright, reduced, and without what the file says besides.

        Args:
            class_name: one of the lesson's.
            content: the bytes of its file, or its pixels.
            gate: what it passes before it is decoded.

        Returns:
            The picture's name.

        Raises:
            RequestError: the lesson is full, or has the picture already.
            ImageError: it cannot be read or has too many pixels.
        """
        size = self._backbone.size
        at_least = max(IMAGE_SIDE, REDUCING_GAP * size)
        small, thumbnail, pixels = gate.decode(content, at_least, reduce_picture, size, VIEW)
        name = blake2b(small, digest_size=12).hexdigest()
        features = io.BytesIO()
        np.save(features, self._backbone.compute(pixels[None])[0].astype(np.float16))
        with disk_problems(), self._lock:
            self._check_room_for(name)
            path = self._path(class_name, name)
            write_bytes(path.with_suffix(".png"), small)
            write_bytes(self._thumbnail_path(name), thumbnail)
            write_bytes(path, features.getvalue())
        if not is_lesson(self._folder):  # deleted meanwhile, and now there again
            self.delete()
            raise lesson_not_found()
        return name

    @disk_problems()
    def check_class(self, class_name: str) -> None:
        """Raise a RequestError unless the lesson has this class."""
        if class_name not in self._class_names():
            raise RequestError(
                "wrong-option",
                f"The option class cannot be {class_name!r}.",
                "Name one of the lesson’s classes.",
            )

    def thumbnail(self, class_name: str, name: str) -> str:
        """A picture, small, as a data URL; empty if it was taken away meanwhile."""
        picture = self._path(class_name, name).with_suffix(".png")
        return read_thumbnail(self._thumbnail_path(name), picture)

    @disk_problems()
    def remove(self, name: str) -> None:
        """Take a picture away.

        Raises:
            RequestError: the lesson does not have it.
        """
        for class_name in self._class_names() if _DIGEST.fullmatch(name) else ():
            path = self._path(class_name, name)
            if path.is_file():
                path.unlink(missing_ok=True)
                for other in (path.with_suffix(".png"), self._thumbnail_path(name)):
                    other.unlink(missing_ok=True)
                return
        raise RequestError(
            "not-found", "The lesson has no such picture.", "Ask the lesson for those it has."
        )

    def taught_model(self) -> TaughtModel | None:
        """What answers by all pictures that there are; None before two classes have one."""
        while True:
            images = {name: tuple(sorted(found)) for name, found in self.images().items()}
            known = tuple((name, found) for name, found in images.items() if found)
            if len(known) < MIN_CLASSES:
                return None
            with suppress(FileNotFoundError):  # one was taken away meanwhile
                return _fit(self._backbone, self._folder, known)

    def delete(self) -> None:
        """Delete the lesson, and what this process remembers of any."""
        _fit.cache_clear()
        with disk_problems():
            # At once, so that whoever is in the middle of it never finds half a lesson.
            (self._folder / "lesson.json").unlink(missing_ok=True)
        gone = self._folder.with_name(f"{self.id.removesuffix('-gone')}-gone")
        with suppress(OSError):
            self._folder.rename(gone)
        for folder in (self._folder, gone):
            shutil.rmtree(folder, ignore_errors=True)

    def _class_names(self) -> list[str]:
        return json.loads((self._folder / "lesson.json").read_text("utf-8"))["class_names"]

    def _list(self, class_name: str) -> list[str]:
        found = []
        with os.scandir(self._folder / "lesson" / class_name) as entries:
            for entry in entries:
                if entry.name[0] != "." and entry.name.endswith(".npy"):
                    with suppress(FileNotFoundError):  # taken away meanwhile
                        found.append((entry.stat().st_mtime_ns, entry.name[:-4]))
        return [name for _, name in sorted(found)]

    def _path(self, class_name: str, name: str) -> Path:
        """Where the features of a picture are, beside the picture."""
        return self._folder / "lesson" / class_name / f"{name}.npy"

    def _thumbnail_path(self, name: str) -> Path:
        """Where a small picture is; not beside the picture, which it would be taken for."""
        return self._folder / "thumbnails" / f"{name}.jpg"

    def _check_room_for(self, name: str) -> None:
        known = {image: one for one in self._class_names() for image in self._list(one)}
        if name in known:
            raise RequestError(
                "same-picture",
                f"This picture is in “{known[name]}” already.",
                "Choose another one: the same picture twice teaches nothing more.",
            )
        if len(known) >= self._settings.max_lesson_pictures:
            raise RequestError(
                "lesson-full",
                f"The lesson has {len(known)} pictures, the most that this server keeps.",
                "Take some away first.",
            )


@lru_cache(maxsize=32)
def _fit(
    backbone: Backbone, folder: Path, images: tuple[tuple[str, tuple[str, ...]], ...]
) -> TaughtModel:
    """What some pictures of a lesson teach; the last few are kept, some 2 MB each at most."""
    class_names = tuple(name for name, _ in images)
    counts = [len(names) for _, names in images]
    files = [folder / "lesson" / one / f"{name}.npy" for one, names in images for name in names]
    features = np.stack([np.load(file) for file in files])
    labels = np.repeat(np.arange(len(counts)), counts)
    return fit_taught_model(backbone, class_names, features, labels)
