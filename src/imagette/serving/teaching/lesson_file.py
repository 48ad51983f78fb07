"""What a lesson's file says: its name, its classes, whose it is, and what may be undone."""

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from imagette.errors import ImagetteError
from imagette.files import write_json

KEPT = "lesson.json"
FORGOTTEN = "forgotten.json"
"""What the file is called of a lesson that was forgotten and can still be brought back."""

UNDO_SECONDS = 600
"""So long is kept what was taken away, and no longer than some minutes more."""

MOST_CHANGES = 50
"""So many are kept to be undone, the last ones."""

_TRIES = 40  # half a second apart in all; Windows replaces no file that somebody reads

ChangeKind = Literal["picture", "class", "rename"]


@dataclass(frozen=True)
class LessonClass:
    """A class of a lesson.

    Attributes:
        name: what people call it.
        folder: name of its folder, which stays the same, and which every system takes.
    """

    name: str
    folder: str


@dataclass(frozen=True)
class Change:
    """What was done to a lesson and can be undone.

    Attributes:
        id: says which one.
        time: when it was done, as `time.time` has it.
        kind: a picture or a class was taken away, or a class was given another name.
        folder: of the class.
        name: what the class was called before.
        picture: name of the picture; empty where it is about the class.
        place: where the class stood among the others.
    """

    id: str
    time: float
    kind: ChangeKind
    folder: str
    name: str
    picture: str = ""
    place: int = 0

    def expires_in(self) -> int:
        """For how many seconds more it can be undone, at least 0."""
        return max(0, round(self.time + UNDO_SECONDS - time.time()))


@dataclass
class LessonFile:
    """What a lesson's file says.

    Attributes:
        client: whose it is; None where an earlier version did not say.
        classes: in their order.
        name: of the lesson; empty if nobody gave it one.
        changes: what can be undone, the last one last.
    """

    client: str | None
    classes: list[LessonClass]
    name: str = ""
    changes: list[Change] = field(default_factory=list)

    @classmethod
    def read(cls, folder: Path, file: str = KEPT) -> "LessonFile":
        """What the file in a lesson's folder says.

        Raises:
            OSError: there is none.
        """
        found: dict[str, Any] = json.loads((folder / file).read_text("utf-8"))
        names = found["class_names"]
        # Earlier versions called the folders of the classes by their names.
        folders = found.get("folders", names)
        return cls(
            found.get("client"),
            [LessonClass(*pair) for pair in zip(names, folders, strict=True)],
            found.get("name", ""),
            [Change(**change) for change in found.get("changes", ())],
        )

    def write(self, folder: Path) -> None:
        """Write it, all of it or nothing; by whoever holds the lock.

        Raises:
            ImagetteError: the disk is full.
        """
        value = {
            "name": self.name,
            "class_names": [one.name for one in self.classes],
            "folders": [one.folder for one in self.classes],
            "client": self.client,
            "changes": [asdict(change) for change in self.changes],
        }
        for attempt in range(_TRIES):
            try:
                write_json(folder / KEPT, value)
                return
            except ImagetteError as error:
                is_read = sys.platform == "win32" and isinstance(error.__cause__, PermissionError)
                if not is_read or attempt == _TRIES - 1:
                    raise
            time.sleep(0.0125)

    def folder_of(self, class_name: str) -> str | None:
        """The folder of a class; None if there is no such class."""
        return next((one.folder for one in self.classes if one.name == class_name), None)

    def has_folder(self, folder: str) -> bool:
        """Whether a class has this folder."""
        return any(one.folder == folder for one in self.classes)


def is_lesson(folder: Path) -> bool:
    """Whether a folder holds a lesson."""
    return (folder / KEPT).is_file()


def is_forgotten(folder: Path) -> bool:
    """Whether a folder holds a lesson that was forgotten and is still there."""
    return (folder / FORGOTTEN).is_file()
