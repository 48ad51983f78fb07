"""What one person has shown the page since they opened it.

It lives in Streamlit's session: in the memory of the page's process, until the tab is closed.
"""

import csv
import io
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from imagette.webapp import html_parts
from imagette.webapp.client import Api, ApiDown, LessonApi, Refused
from imagette.wording import Language

MOST_PICTURES = 100
"""So many pictures of a session are kept, the last ones; each takes some 100 kB."""

API_DOWN = "api-down"

# Asking again would not help. All other problems may pass, and the picture is kept for that.
_ABOUT_THE_PICTURE = {
    "empty-picture",
    "no-picture",
    "picture-too-large",
    "request-too-large",
    "unreadable-picture",
}

Words = dict[str, str]
"""What something is called, by language."""


class ChosenFile(Protocol):
    """What Streamlit's widgets give for a file."""

    name: str

    def getvalue(self) -> bytes:
        """The file's content."""


@dataclass(frozen=True)
class Answer:
    """What the API said of a picture.

    Attributes:
        ranking: names of the classes with their probabilities, the most probable first.
        known: whether the picture looks like any of the classes; None if the model cannot tell.
        familiarity: how much it looks like them, 0 to 1; None if the model cannot tell.
        seen: the pixels that the network saw, as a data URL.
        heat_map: what decided, as a data URL to lay over the picture; None if there is none.
        shown: the picture as every browser shows it; None if it cannot be.
        thumbnail: a small picture, as a data URL.
    """

    ranking: list[tuple[Words, float]]
    known: bool | None
    familiarity: float | None
    seen: str
    heat_map: str | None
    shown: html_parts.Preview | None
    thumbnail: str

    def ranked(self, language: Language) -> list[tuple[str, float]]:
        """The ranking with names in one language."""
        return [(names[language], probability) for names, probability in self.ranking]


@dataclass
class Picture:
    """A picture that was shown to the page, and what came of it.

    Attributes:
        number: counts the pictures of this session, from 1.
        name: what the picture is called.
        description: what it shows, for those who do not see it.
        time: when it came.
        content: the file, as long as it may have to be sent.
        answer: what the API said; None before it did, or if it refused.
        problem: the short name of what was wrong; None if nothing was.
        shown: the picture as every browser shows it, once it has been answered.
    """

    number: int
    name: Words
    description: Words
    time: datetime
    content: bytes | None
    answer: Answer | None = None
    problem: str | None = None
    shown: html_parts.Preview | None = None

    @property
    def anchor(self) -> str:
        """Where on the page its answer is."""
        return f"picture-{self.number}"

    @property
    def waits(self) -> bool:
        """Whether it has yet to be asked about."""
        return self.answer is None and self.problem is None

    @property
    def can_retry(self) -> bool:
        """Whether asking again may help."""
        return self.problem is not None and self.content is not None


@dataclass
class Session:
    """The pictures of this session, and which of them are in view.

    Attributes:
        pictures: all of them that are kept, in the order they came.
        in_view: those that the person looks at.
        turn: counts how often what is in view was chosen.
        left_out: how many of the files that came last were too many.
        model: what the API last said of its model.
        most: how many pictures are kept.
        keeps: whether their files are kept too, so that they can be asked about anew.
    """

    pictures: deque[Picture] = field(default_factory=deque)
    in_view: list[Picture] = field(default_factory=list)
    turn: int = 0
    left_out: int = 0
    model: dict[str, Any] | None = None
    most: int = MOST_PICTURES
    keeps: bool = False
    _count: int = 0

    def __post_init__(self) -> None:
        self.pictures = deque(self.pictures, maxlen=self.most)

    def add(self, files: list[tuple[Words, Words, bytes]]) -> None:
        """Take in pictures, given by name, description and content, and bring them into view."""
        added = []
        for name, description, content in files:
            self._count += 1
            added.append(Picture(self._count, name, description, _now(), content))
        self.pictures.extend(added)
        self.look_at(added)

    def show_files(self, files: Sequence[ChosenFile]) -> None:
        """Take in what was chosen in a widget, as much of it as is kept."""
        self.add(
            [
                (same_words(file.name), same_words(file.name), file.getvalue())
                for file in files[: self.most]
            ]
        )
        self.left_out = max(0, len(files) - self.most)

    def look_at(self, pictures: list[Picture]) -> None:
        """Bring pictures into view."""
        self.in_view = pictures
        self.turn += 1
        self.left_out = 0

    def ask(self, picture: Picture, api: Api | LessonApi) -> None:
        """Ask the API about a picture and keep what it says, be it a problem."""
        assert picture.content is not None
        assert self.model is not None
        try:
            said = api.predict(picture.content)
        except ApiDown:
            picture.problem = API_DOWN
        except Refused as refusal:
            picture.problem = refusal.kind
            if refusal.kind in _ABOUT_THE_PICTURE:
                picture.content = None
        else:
            picture.shown = picture.shown or html_parts.preview(picture.content)
            picture.answer = _read_answer(said, picture.shown, self.model)
            if not self.keeps:
                picture.content = None

    def ask_anew(self) -> None:
        """Let the pictures in view, whose files are kept, be asked about anew."""
        for picture in self.in_view:
            if picture.content is not None:
                picture.answer = picture.problem = None

    def try_again(self) -> None:
        """Let all pictures whose problem may have passed be asked about anew."""
        for picture in self.pictures:
            if picture.can_retry:
                picture.problem = None

    def answered(self) -> list[Picture]:
        """The pictures that have an answer, the last one first."""
        return [picture for picture in reversed(self.pictures) if picture.answer is not None]

    def forget(self) -> None:
        """Forget all pictures."""
        self.pictures.clear()
        self.in_view = []


def current_session() -> Session:
    """The session of whoever looks at the page."""
    if "session" not in st.session_state:
        st.session_state.session = Session()
    return st.session_state.session


def _now() -> datetime:
    """The time where the person is, as their browser tells it."""
    try:
        return datetime.now(ZoneInfo(st.context.timezone or "UTC"))
    except (ZoneInfoNotFoundError, ValueError):  # a name that this machine does not know
        return datetime.now(UTC)


def _read_answer(
    said: dict[str, Any], shown: html_parts.Preview | None, model: dict[str, Any]
) -> Answer:
    french = dict(zip(model["class_names"], model["class_names_fr"], strict=True))
    ranking = [
        ({"en": name, "fr": french.get(name, name)}, probability)
        for name, probability in sorted(said["probabilities"].items(), key=lambda pair: -pair[1])
    ]
    return Answer(
        ranking=ranking,
        known=said.get("known"),
        familiarity=said.get("familiarity"),
        seen=said["seen"],
        heat_map=(said.get("explanation") or {}).get("heat_map"),
        shown=shown,
        thumbnail=shown.thumbnail if shown else said["seen"],
    )


def to_csv(pictures: list[Picture]) -> bytes:
    """The answers as a table that spreadsheets open: CSV in UTF-8, one line a picture."""
    names = list(dict.fromkeys(name["en"] for one in pictures for name, _ in _ranking(one)))
    columns = ["time", "picture", "class", "class_fr", "confidence", "known", "familiarity"]
    file = io.StringIO()
    table = csv.DictWriter(file, columns + [f"p_{name}" for name in names])
    table.writeheader()
    for picture in pictures:
        answer = picture.answer
        assert answer is not None
        best, confidence = answer.ranking[0]
        row: dict[str, Any] = {
            "time": picture.time.isoformat(timespec="seconds"),
            "picture": _harmless(picture.name["en"]),
            "class": _harmless(best["en"]),
            "class_fr": _harmless(best["fr"]),
            "confidence": confidence,
            "known": answer.known,
            "familiarity": answer.familiarity,
        }
        table.writerow(row | {f"p_{name['en']}": value for name, value in answer.ranking})
    # The mark at the start tells Excel that this is UTF-8.
    return file.getvalue().encode("utf-8-sig")


def _ranking(picture: Picture) -> list[tuple[Words, float]]:
    return picture.answer.ranking if picture.answer else []


def _harmless(text: str) -> str:
    """A spreadsheet would take what starts like this for a formula (OWASP, "CSV Injection")."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def same_words(text: str) -> Words:
    """Words that are the same in every language, such as the name of a file."""
    return {"en": text, "fr": text}
