"""Pictures of which people say what they really show, kept as `imagette train` takes them.

<folder>/<class>/<digest>.jpg          (or .png)
<folder>/.none-of-these/<digest>.jpg   those that show nothing that has a name: a class of them
                                       would teach nothing, and a hidden folder is none
"""

import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from imagette.data.sources.split_names import is_plain, is_split_alone
from imagette.files import make_private_folder, write_bytes
from imagette.images.find_images import folders_in
from imagette.inference.classifier import Classifier
from imagette.serving.gate import Gate
from imagette.serving.problems import RequestError, disk_problems
from imagette.serving.settings import Settings
from imagette.serving.teaching.class_names import check_names
from imagette.serving.upright_picture import SIDE, write_upright
from imagette.wording import clean_name, why_no_file_name

NONE = ".none-of-these"
"""The folder of pictures that show nothing that has a name."""

_LEAST_FREE = 500_000_000
"""Bytes that are left free on the disk for others."""

_MOST_CLASSES = 200
"""Folders, beside those of the model's classes: people may name what they like."""

_UNFIT = re.compile(r"[/\\\0-\x1f\x7f]")
_FILE = re.compile(r"[0-9a-f]{24}\.(?:jpg|png)")


class FeedbackFolder:
    """The folder, which any thread of any worker may write to.

    Args:
        settings: where it is, and how many pictures it may hold. Each worker counts for itself: as
            many more as there are workers may get in at the same moment.

    Raises:
        ImagetteError: it cannot be made, or written to.
    """

    def __init__(self, settings: Settings) -> None:
        assert settings.feedback is not None
        self._folder = settings.feedback.resolve()
        self._most = settings.max_feedback_pictures
        self._lock = Lock()
        make_private_folder(self._folder, "--feedback")

    def keep(self, content: bytes, name: str, classifier: Classifier, gate: Gate) -> str:
        """Keep a picture under what it shows; one that is there under another name moves.

        Args:
            content: the bytes of its file.
            name: a class of the model, in either language, or another name; empty where it shows
                nothing that has one.
            classifier: the model.
            gate: what the picture passes before it is decoded.

        Returns:
            The class, as its folder is called; empty where there is none.

        Raises:
            RequestError: the name cannot be used, or there is no room.
            ImageError: the picture cannot be read or has too many pixels.
        """
        own = {_as_folder(one) for one in classifier.class_names}
        folder = self._called(_folder_name(name, classifier), own)
        kept, suffix = gate.decode(content, SIDE, write_upright)
        path = folder / f"{blake2b(kept, digest_size=12).hexdigest()}{suffix}"
        with self._lock, disk_problems():
            others = [one for one in self._pictures() if one.name == path.name]
            if not others:
                self._check_room()
            if path not in others:
                self._make(folder)
                write_bytes(path, kept)
            for other in others:
                if other != path:
                    other.unlink(missing_ok=True)
                    with suppress(OSError):  # others are left in it
                        other.parent.rmdir()
        return "" if folder.name == NONE else folder.name

    def _called(self, name: str, own: set[str]) -> Path:
        """The folder of a name, or the one there is that differs from it in capitals alone."""
        if name == NONE:
            return self._folder / NONE
        with disk_problems():
            there = {_plain(one.name): one for one in self._folders()}
        if _plain(name) in there:
            return there[_plain(name)]
        if name not in own and len(there) >= _MOST_CLASSES + len(own):
            raise _full(f"It has {len(there)} classes already.")
        return self._folder / name

    def _make(self, folder: Path) -> None:
        """Make the folder of a class, if it is one that would be learned from."""
        if folder.is_dir():
            return
        folder.mkdir(mode=0o700)
        if folder.name != NONE and folder not in folders_in(self._folder):
            folder.rmdir()
            raise _wrong_class(f"A folder called {folder.name!r} would not be learned from.")

    def _folders(self) -> Iterator[Path]:
        with os.scandir(self._folder) as entries:
            yield from (Path(entry) for entry in entries if entry.is_dir() and entry.name != NONE)

    def _pictures(self) -> list[Path]:
        return [
            folder / file.name
            for folder in (*self._folders(), self._folder / NONE)
            if folder.is_dir()
            for file in os.scandir(folder)
            if _FILE.fullmatch(file.name)
        ]

    def _check_room(self) -> None:
        if (count := len(self._pictures())) >= self._most:
            raise _full(f"It has {count} pictures already.")
        if shutil.disk_usage(self._folder).free < _LEAST_FREE:
            raise RequestError(
                "no-room",
                "The server’s disk is nearly full.",
                "Ask whoever runs it to make room, then try again.",
            )


def _folder_name(name: str, classifier: Classifier) -> str:
    """What the folder of a class is called.

    Raises:
        RequestError: none can be called so.
    """
    if not (name := clean_name(name)):
        return NONE
    french = dict(zip(classifier.class_names_fr, classifier.class_names, strict=True))
    if name in classifier.class_names or name in french:
        folder = _as_folder(name if name in classifier.class_names else french[name])
    else:
        folder = _check_typed(name)
    if folder[0] in "._" or (why := why_no_file_name(folder)):
        why = "it begins with a dot or a dash" if folder[0] in "._" else why
        raise _wrong_class(f"No folder can be called {folder!r}: {why}.")
    if is_plain(folder) or is_split_alone(folder):
        raise _wrong_class(
            f"{folder!r} would be taken for a part of a dataset, and not for a class."
        )
    return folder


def _check_typed(name: str) -> str:
    try:
        return check_names([name])[0]
    except RequestError as error:
        raise RequestError("wrong-class", error.problem, error.remedy) from error


def _as_folder(name: str) -> str:
    """The name of a model's class, without what means something in paths."""
    return _UNFIT.sub("-", clean_name(name))


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _wrong_class(problem: str) -> RequestError:
    return RequestError("wrong-class", problem, "Choose another name.")


def _full(problem: str) -> RequestError:
    return RequestError(
        "feedback-full",
        f"The folder keeps no more. {problem}",
        "Ask whoever runs the server to take out what is there, or to allow more.",
    )
