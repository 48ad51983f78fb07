"""What one person has shown the page since they opened it.

It lives in Streamlit's session: in the memory of the page's process, until the tab is closed.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from imagette.files import csv_text
from imagette.webapp.client import Api, LessonApi, NoAnswer
from imagette.webapp.previews import preview
from imagette.webapp.session_image import (
    Answer,
    SessionImage,
    Words,
    read_answer,
    read_explanation,
    same_words,
)
from imagette.webapp.uploads import Upload, discard
from imagette.wording import Language

MAX_IMAGES = 100
"""So many images of a session are kept, the last ones; each takes some 100 kB."""

MOST_WHOLE = 4
"""So many images in view are answered in full, one below the other; of more, small ones are shown,
each of which opens its answer."""

# Asking again would not help. All other problems may pass, and the image is kept for that.
_ABOUT_THE_IMAGE = {
    "empty-picture",
    "no-picture",
    "picture-too-large",
    "request-too-large",
    "unreadable-picture",
}


@dataclass
class Session:
    """The images of this session, and which of them are in view.

    Attributes:
        images: all of them that are kept, in the order they came.
        in_view: those that the person looks at.
        opened: of more than are answered in full, the one that is.
        view_number: counts how often what is in view, or the one that is opened, was chosen.
        turned_to: key of what the person turned to then.
        left_out: how many of the files that came last were too many.
        model: what the API last said of its model.
        max_images: how many of them are kept.
        keep_files: whether their files are kept too, so that they can be asked about anew.
    """

    images: deque[SessionImage] = field(default_factory=deque)
    in_view: list[SessionImage] = field(default_factory=list)
    opened: SessionImage | None = None
    view_number: int = 0
    turned_to: str = "answers"
    left_out: int = 0
    model: dict[str, Any] | None = None
    max_images: int = MAX_IMAGES
    keep_files: bool = False
    _count: int = 0

    def __post_init__(self) -> None:
        self.images = deque(self.images, maxlen=self.max_images)

    def add(self, files: list[tuple[Words, Words, Upload]]) -> None:
        """Take in images, given by name, description and content, and bring them into view."""
        added = []
        for name, description, content in files:
            self._count += 1
            image = SessionImage(self._count, name, description, _now(), content)
            if content.refused:
                image.content, image.problem = None, content.refused
            added.append(image)
        self.images.extend(added)
        self.look_at(added)

    def show_files(self, files: Sequence[UploadedFile]) -> None:
        """Take in what was chosen in a widget, as much of it as is kept."""
        self.add(
            [
                (same_words(file.name), same_words(file.name), Upload.take(file))
                for file in files[: self.max_images]
            ]
        )
        discard(files[self.max_images :])
        self.left_out = max(0, len(files) - self.max_images)

    def look_at(self, images: list[SessionImage]) -> None:
        """Bring images into view; of those that were, no file is kept that was answered."""
        for image in self.in_view:
            if image.answer and image not in images:
                image.content = None
        self.in_view, self.opened = images, None
        self._turn_to("answers")
        self.left_out = 0

    @property
    def are_many(self) -> bool:
        """Whether more images are in view than are answered in full."""
        return len(self.in_view) > MOST_WHOLE

    def open(self, image: SessionImage) -> None:
        """Open the answer to one of many images in view, or close it where it is open."""
        is_open = self.opened is image
        self.opened = None if is_open else image
        self._turn_to(f"{'tile' if is_open else 'answer'}-{image.number}")

    def _turn_to(self, key: str) -> None:
        self.view_number += 1
        self.turned_to = key

    def ask(self, image: SessionImage, api: Api | LessonApi, in_full: bool = True) -> None:
        """Ask the API about an image and keep what it says, be it a problem.

        Args:
            image: which.
            api: the API.
            in_full: whether to ask what decided, too.
        """
        assert image.content is not None
        assert self.model is not None
        try:
            response = (api.predict if in_full else api.recognise)(image.content.data)
        except NoAnswer as problem:
            image.problem = problem.kind
            if problem.kind in _ABOUT_THE_IMAGE:
                image.content = None
        else:
            image.shown = image.shown or preview(image.content.data)
            image.answer = read_answer(response, image.shown, self.model)
            image.explained = in_full
            if not self.keep_files:
                image.content = None

    def explain(self, image: SessionImage, api: Api | LessonApi) -> str | None:
        """Ask the API what decided its answer to an image, if it was not asked yet.

        Returns:
            The short name of the problem, if there was one.
        """
        content = image.sendable()
        if image.answer is None or image.explained or content is None:
            return None
        assert self.model is not None
        try:
            response = api.predict(content)
        except NoAnswer as problem:
            return problem.kind
        image.explained = True
        image.answer = replace(image.answer, **read_explanation(response))
        return None

    def keep_as(self, image: SessionImage, name: str, words: Words, api: Api) -> None:
        """Have the API keep an image that it answered wrongly, and forget its file then.

        Args:
            image: which.
            name: what it shows, as `Api.keep` has it.
            words: the same, as the person is told it.
            api: the API.
        """
        content = image.sendable()
        assert content is not None
        try:
            api.keep(content, name)
        except NoAnswer as problem:
            image.not_kept = problem.kind
        else:
            image.kept_as, image.not_kept = words, None
            image.content = None

    def ask_anew(self) -> None:
        """Let the images in view, whose files are kept, be asked about anew."""
        for image in self.in_view:
            if image.content is not None:
                image.answer = image.problem = None

    def try_again(self) -> None:
        """Let all images whose problem may have passed be asked about anew."""
        for image in self.images:
            if image.can_retry:
                image.problem = None

    def answered(self) -> list[tuple[SessionImage, Answer]]:
        """The images that have an answer, with it, the last one first."""
        return [(image, image.answer) for image in reversed(self.images) if image.answer]

    def forget(self) -> None:
        """Forget all images."""
        self.images.clear()
        self.in_view, self.opened = [], None


def current_session() -> Session:
    """The session of whoever looks at the page."""
    return st.session_state.setdefault("session", Session())


def class_names(model: dict[str, Any], language: Language) -> list[str]:
    """The names of the classes that a model knows, as the API says them."""
    return model["class_names_fr" if language == "fr" else "class_names"]


def _now() -> datetime:
    """The time where the person is, as their browser tells it."""
    try:
        return datetime.now(ZoneInfo(st.context.timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):  # a name that this machine does not know
        return datetime.now(UTC)


def to_csv(answered: Iterable[tuple[SessionImage, Answer]]) -> bytes:
    """The answers as a table that spreadsheets open: CSV in UTF-8, one line an image."""
    rows = []
    for image, answer in answered:
        best, confidence = answer.ranking[0]
        row: dict[str, Any] = {
            "time": image.time.isoformat(timespec="seconds"),
            "picture": image.name["en"],
            "class": best["en"],
            "class_fr": best["fr"],
            "confidence": confidence,
            "known": answer.known,
            "familiarity": answer.familiarity,
        }
        rows.append(row | {f"p_{name['en']}": value for name, value in answer.ranking})
    columns = list(dict.fromkeys(column for row in rows for column in row))
    # The mark at the start tells Excel that this is UTF-8.
    return csv_text(rows, columns).encode("utf-8-sig")
