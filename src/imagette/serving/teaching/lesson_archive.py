"""A lesson with its pictures as one zip file: a folder of pictures for each class, and a small file
of JSON. `imagette train` takes it, and the page opens it again."""

import io
import json
import zipfile
from collections.abc import Iterator

from imagette.serving.problems import RequestError
from imagette.serving.teaching.lesson import Lesson

ABOUT = "imagette-lesson.json"
"""The file that says what the lesson is called, and its classes and pictures in their order."""

VERSION = 1


def write_archive(lesson: Lesson) -> Iterator[bytes]:
    """The zip file, piece by piece: no more than a picture of it is in memory.

    Pictures that are taken away meanwhile are left out, and so is what is left of a lesson that is
    deleted meanwhile.

    Raises:
        RequestError: there is no such lesson; before the first piece.
    """
    file, images = lesson.file(), lesson.images()
    about = {
        "format": "imagette-lesson",
        "version": VERSION,
        "name": file.name,
        "classes": [
            {"name": name, "pictures": [f"{name}/{image}.png" for image in found]}
            for name, found in images.items()
        ],
    }
    return _pieces(lesson, json.dumps(about, indent=2, ensure_ascii=False), images)


def _pieces(lesson: Lesson, about: str, images: dict[str, list[str]]) -> Iterator[bytes]:
    written = _Written()
    # Pictures are packed already.
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(ABOUT, about + "\n")
        for class_name, names in images.items():
            for name in names:
                try:
                    content = lesson.picture(name)
                except (RequestError, OSError):
                    continue
                archive.writestr(f"{class_name}/{name}.png", content)
                yield written.take()
    yield written.take()


class _Written(io.RawIOBase):
    """What is written to it is taken out again; it cannot go back, so nothing of it is kept."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, part: bytes) -> int:  # type: ignore[override]
        """Keep a part until it is taken."""
        self._parts.append(bytes(part))
        return len(part)

    def take(self) -> bytes:
        """What was written since this was asked last."""
        content, self._parts = b"".join(self._parts), []
        return content
