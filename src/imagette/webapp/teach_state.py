"""What one person does on the tab to teach: it lives in Streamlit's session.

What is taught lives in the API; here is only what is on its way there, and small images.
"""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import streamlit as st

from imagette.webapp.client import LessonApi, NoAnswer, Refused
from imagette.webapp.live_camera import Frame
from imagette.webapp.session import Session

MAX_TRIED = 12
"""So many images that the lesson is tried on are kept, to be asked about anew."""

_PASS = frozenset(("overloaded", "out-of-time"))
"""Problems that pass, as when a whole classroom sends photographs at once."""
_PATIENCE = 60  # seconds for which such files are sent again, since the last one was taken
_PAUSE = 1  # second before they are

Lesson = dict[str, Any]
"""Where a lesson stands, as the API says it."""


class File(Protocol):
    """An image that was given, or is in a file that was."""

    @property
    def data(self) -> bytes:
        """Its bytes."""

    @property
    def refused(self) -> str | None:
        """Why they are not there, if they are not."""


_File = tuple[str, File]


def id_in_address(said: str) -> str:
    """The id of a lesson in what an address says of it; empty if that is nothing."""
    return said.rpartition(".")[2]


@dataclass
class TeachState:
    """What one person does on the tab to teach.

    Attributes:
        lesson_id: of the lesson; None before there is one.
        forgotten: id of a lesson that was deleted and can be brought back; None if there is none.
        in_address: what the page's address says of the lesson; empty if nothing.
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
        enlarged: name of the image that is looked at, and the whole of it as a data URL.
        hidden: id of the change that is no longer offered to be undone.
        problem: kind of the last problem.
        zip_problem: kind of the problem with the zip file that was chosen last.
        session: images that the lesson is tried on.
        learned: names of the images that had been learned when those were asked about.
    """

    lesson_id: str | None = None
    forgotten: str | None = None
    in_address: str = ""
    names: list[str] = field(default_factory=lambda: ["", ""])
    widget_generation: int = 0
    camera: bool = False
    frame: Frame | None = None
    live_answer: dict[str, Any] | None = None
    waiting: dict[str, list[_File]] = field(default_factory=dict)
    refused: dict[str, list[str]] = field(default_factory=dict)
    latest: Lesson | None = None
    thumbnails: dict[str, str] = field(default_factory=dict)
    enlarged: tuple[str, str] | None = None
    hidden: str | None = None
    problem: str | None = None
    zip_problem: str | None = None
    session: Session = field(default_factory=lambda: Session(max_images=MAX_TRIED, keep_files=True))
    learned: frozenset[str] = frozenset()
    # Streamlit begins to run the page anew while a run before it is still sending.
    _sending: Lock = field(default_factory=Lock, repr=False, compare=False)

    def open(self, lesson: Lesson) -> None:
        """Go to a lesson, which the page's address names from then on."""
        self.lesson_id, self.forgotten, self.latest = lesson["id"], None, lesson
        self.in_address = st.query_params["lesson"] = self.address_of(lesson)

    def address_of(self, lesson: Lesson) -> str:
        """What an address says of a lesson: `my-mugs.7k2m-…`, of which only the id counts."""
        words = re.sub(r"[\W_]+", "-", lesson["name"].casefold()).strip("-")
        return f"{words}.{lesson['id']}" if words else lesson["id"]

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

    def put(self, class_name: str, files: Sequence[_File]) -> None:
        """Let files wait to be sent, but for those that were refused on their way here."""
        taken = [(name, file) for name, file in files if not file.refused]
        with self._sending:
            self.refused.clear()
            self.refused[class_name] = [file.refused for _, file in files if file.refused]
            self.waiting.setdefault(class_name, []).extend(taken)

    def send_waiting(
        self, api: LessonApi, limits: dict[str, Any], tell: Callable[[int, int], Any] | None = None
    ) -> None:
        """Send the files that wait; what the API refuses is kept in `refused`.

        What it has no time for is sent again for a while. Where it does not answer, those that are
        left wait for the next time.

        Args:
            api: the lesson's.
            limits: of the API.
            tell: is told how many were sent, and of how many.

        Raises:
            ApiDown: the API does not answer.
        """
        with self._sending:
            self._send_all(api, limits, tell)

    def _send_all(
        self, api: LessonApi, limits: dict[str, Any], tell: Callable[[int, int], Any] | None
    ) -> None:
        since = time.monotonic()
        count, done = sum(map(len, self.waiting.values())), 0
        for class_name, files in list(self.waiting.items()):
            refused = self.refused.setdefault(class_name, [])
            while files:
                batch = _first(files, limits)
                if len(batch[0][1].data) > limits["max_upload_bytes"]:
                    del files[0]
                    refused.append("request-too-large")
                    done += 1
                    continue
                problems = self._send(api, class_name, batch)
                if len(problems) < len(batch):
                    since = time.monotonic()
                passing = _PASS if time.monotonic() < since + _PATIENCE else ()
                refused += [kind for kind in problems.values() if kind not in passing]
                again = [batch[place] for place, kind in problems.items() if kind in passing]
                files[: len(batch)] = again
                done += len(batch) - len(again)
                if tell:
                    tell(done, count)
                if again:
                    time.sleep(_PAUSE)
            del self.waiting[class_name]

    def change(self, ask: Callable[[], Lesson]) -> bool:
        """Let the API change the lesson; whether it did."""
        self.refused.clear()

        def keep() -> None:
            self.latest = ask()

        return self.attempt(keep)

    def remove(self, api: LessonApi, images: list[str]) -> bool:
        """Take images away from the lesson; one that is gone already is as well."""

        def ask() -> Lesson:
            lesson = None
            for image in images:
                try:
                    lesson = api.remove(image)
                except Refused as refusal:
                    if refusal.kind != "not-found":
                        raise
            return lesson or api.status()

        return self.change(ask)

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


def begin_anew(forgotten: str | None = None) -> None:
    """Leave the lesson that is open.

    Args:
        forgotten: its id, if it was deleted and can be brought back.
    """
    st.query_params.pop("lesson", None)
    st.session_state.teach_state = TeachState(forgotten=forgotten)
    for key in [key for key in st.session_state if str(key).startswith("teach-name-")]:
        del st.session_state[key]


def _first(files: list[_File], limits: dict[str, Any]) -> list[_File]:
    """The first of the files, as many as the API takes in one request and at least one."""
    size, count = 0, 0
    for _, file in files[: limits["max_pictures"]]:
        size += len(file.data) + 1000  # its part's head
        if count and size > 0.9 * limits["max_upload_bytes"]:
            break
        count += 1
    return files[:count]
