"""What one person does on the tab to teach: it lives in Streamlit's session.

What is taught lives in the API; here is only what is on its way there, and small images.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from imagette.webapp.client import LessonApi, NoAnswer, Refused
from imagette.webapp.live_camera import Frame
from imagette.webapp.session import Session
from imagette.webapp.uploads import Upload

MAX_TRIED = 12
"""So many images that the lesson is tried on are kept, to be asked about anew."""

_PASS = frozenset(("overloaded", "out-of-time"))
"""Problems that pass, as when a whole classroom sends photographs at once."""
_PATIENCE = 60  # seconds for which such files are sent again, since the last one was taken
_PAUSE = 1  # second before they are

Lesson = dict[str, Any]
"""Where a lesson stands, as the API says it."""

_File = tuple[str, Upload]


@dataclass
class TeachState:
    """What one person does on the tab to teach.

    Attributes:
        lesson_id: of the lesson; None before there is one.
        names: of the classes, as they are being written.
        widget_generation: counts how often files were taken from a widget: it is part of the
            widgets' keys, and one whose key is new is empty.
        camera: whether it is open.
        frame: what it saw last; None before there is that.
        live_answer: what the API says of the frame; None if it is yet to be asked.
        waiting: files that are to be sent, by class.
        refused: of the files sent last, the kinds of the problems, by class.
        latest: where the lesson stands, if the API has just said so.
        thumbnails: of the lesson's images by name, as data URLs.
        problem: kind of the last problem.
        session: images that the lesson is tried on.
        learned: names of the images that had been learned when those were asked about.
    """

    lesson_id: str | None = None
    names: list[str] = field(default_factory=lambda: ["", ""])
    widget_generation: int = 0
    camera: bool = False
    frame: Frame | None = None
    live_answer: dict[str, Any] | None = None
    waiting: dict[str, list[_File]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    latest: Lesson | None = None
    thumbnails: dict[str, str] = field(default_factory=dict)
    problem: str | None = None
    session: Session = field(default_factory=lambda: Session(max_images=MAX_TRIED, keep_files=True))
    learned: frozenset[str] = frozenset()

    def attempt(self, action: Callable[[], Any]) -> bool:
        """Do what a click asks of the API; keep the problem, if there is one."""
        self.problem = None
        try:
            action()
        except NoAnswer as problem:
            self.problem = problem.kind
        return self.problem is None

    def has_changed(self, generation: int) -> bool:
        """Whether the whole page has something new to show since a generation of its widgets."""
        is_new = self.widget_generation != generation or self.latest is not None
        return is_new or bool(self.waiting) or not self.camera

    def put(self, class_name: str, files: list[_File]) -> None:
        """Let files wait to be sent, but for those that were refused on their way here."""
        self.refused.clear()
        self.refused[class_name] = [file.refused for _, file in files if file.refused]
        taken = [(name, file) for name, file in files if not file.refused]
        self.waiting.setdefault(class_name, []).extend(taken)

    def send_waiting(self, api: LessonApi, limits: dict[str, Any]) -> None:
        """Send the files that wait; what the API refuses is kept in `refused`.

        What it has no time for is sent again for a while. Where it does not answer, those that are
        left wait for the next time.

        Args:
            api: the lesson's.
            limits: of the API.

        Raises:
            ApiDown: the API does not answer.
        """
        since = time.monotonic()
        for class_name, files in list(self.waiting.items()):
            refused = self.refused.setdefault(class_name, [])
            while files:
                batch = _first(files, limits)
                if len(batch[0][1].data) > limits["max_upload_bytes"]:
                    del files[0]
                    refused.append("request-too-large")
                    continue
                problems = self._send(api, class_name, batch)
                if len(problems) < len(batch):
                    since = time.monotonic()
                passing = _PASS if time.monotonic() < since + _PATIENCE else ()
                refused += [kind for kind in problems.values() if kind not in passing]
                again = [batch[place] for place, kind in problems.items() if kind in passing]
                files[: len(batch)] = again
                if again:
                    time.sleep(_PAUSE)
            del self.waiting[class_name]

    def remove(self, api: LessonApi, image: str) -> None:
        """Take an image away from the lesson."""
        self.refused.clear()
        self.latest = api.remove(image)

    def ask_anew(self, lesson: Lesson) -> None:
        """Let what is being tried be asked about again, if the lesson has changed since."""
        learned = frozenset(name for one in lesson["classes"] for name in one["pictures"])
        if learned != self.learned:
            self.learned = learned
            self.session.ask_anew()
            self.live_answer = None

    def _send(self, api: LessonApi, class_name: str, files: list[_File]) -> dict[int, str]:
        """Send files in one request; of those that were refused, by place, the problems' kinds."""
        try:
            # By place, as several may have one name: every photograph of some phones is image.jpg.
            response = api.add(
                class_name, [(f"{n}", file.data) for n, (_, file) in enumerate(files)]
            )
        except Refused as refusal:
            return dict.fromkeys(range(len(files)), refusal.kind)
        self.latest = response["lesson"]
        self.thumbnails |= {one["name"]: one["thumbnail"] for one in response["kept"]}
        return {int(one["file"]): one["type"].rpartition(":")[2] for one in response["refused"]}


def _first(files: list[_File], limits: dict[str, Any]) -> list[_File]:
    """The first of the files, as many as the API takes in one request and at least one."""
    size, count = 0, 0
    for _, file in files[: limits["max_pictures"]]:
        size += len(file.data) + 1000  # its part's head
        if count and size > 0.9 * limits["max_upload_bytes"]:
            break
        count += 1
    return files[:count]
