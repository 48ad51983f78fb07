"""A lesson with its pictures as one zip file: a folder of pictures for each class, and a small file
of JSON. `imagette train` takes it, and the page opens it again."""

import io
import json
import zipfile
from collections.abc import Iterator

from imagette.data.sources.split_names import split_named
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
    # A class called `test` would be taken for a split, unless it lies in one.
    split = "train/" if any(map(split_named, images)) else ""
    paths = {
        name: {image: f"{split}{name}/{place:03}.png" for place, image in enumerate(found, start=1)}
        for name, found in images.items()
    }
    about = {
        "format": "imagette-lesson",
        "version": VERSION,
        "name": file.name,
        "classes": [
            {"name": name, "pictures": list(found.values())} for name, found in paths.items()
        ],
    }
    return _pieces(lesson, json.dumps(about, indent=2, ensure_ascii=False), paths)


def _pieces(lesson: Lesson, about: str, paths: dict[str, dict[str, str]]) -> Iterator[bytes]:
    written = _Written()
    # Pictures are packed already.
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(ABOUT, about + "\n")
        for found in paths.values():
            for image, path in found.items():
                try:
                    content = lesson.picture(image)
                except (RequestError, OSError):
                    continue
                archive.writestr(path, content)
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
