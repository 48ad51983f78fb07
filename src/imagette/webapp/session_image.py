"""An image that was shown to the page, and what the API said of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from imagette.webapp.previews import Preview
from imagette.webapp.sentences import Ranking
from imagette.webapp.uploads import Upload
from imagette.wording import Language

Words = dict[str, str]
"""What something is called, by language."""


@dataclass(frozen=True)
class Answer:
    """What the API said of an image.

    Attributes:
        ranking: names of the classes with their probabilities, the most probable first.
        known: whether the image looks like any of the classes; None if the model cannot tell.
        familiarity: how much it looks like them, 0 to 1, made of an out-of-distribution score; None
            if the model cannot tell.
        seen: the pixels that the network saw, as a data URL.
        heat_map: what decided, as a data URL to lay over the image; None if there is none.
        mapped: name of the class that the map is about; None if there is none.
        thumbnail: a small image, as a data URL.
    """

    ranking: list[tuple[Words, float]]
    known: bool | None
    familiarity: float | None
    seen: str
    heat_map: str | None
    mapped: Words | None
    thumbnail: str

    def ranked(self, language: Language) -> Ranking:
        """The ranking with names in one language."""
        return [(names[language], probability) for names, probability in self.ranking]


@dataclass
class SessionImage:
    """An image that was shown to the page, and what came of it.

    Attributes:
        number: counts the images of this session, from 1.
        name: what the image is called.
        description: what it shows, for those who do not see it.
        time: when it came.
        content: the file, as long as it may have to be sent.
        answer: what the API said; None before it did, or if it refused.
        problem: the short name of what was wrong; None if nothing was.
        shown: the image as every browser shows it, once it has been answered; None if it cannot be.
        explained: whether the API has been asked what decided.
        kept_as: what the person has said that it shows, if the API has kept it so.
        not_kept: the short name of the problem, if the API has not.
    """

    number: int
    name: Words
    description: Words
    time: datetime
    content: Upload | None
    answer: Answer | None = None
    problem: str | None = None
    shown: Preview | None = None
    explained: bool = False
    kept_as: Words | None = None
    not_kept: str | None = None

    @property
    def anchor(self) -> str:
        """Where on the page its answer is."""
        return f"image-{self.number}"

    @property
    def waits(self) -> bool:
        """Whether it has yet to be asked about."""
        return self.answer is None and self.problem is None

    @property
    def can_retry(self) -> bool:
        """Whether asking again may help."""
        return self.problem is not None and self.content is not None

    def sendable(self) -> bytes | None:
        """The file, or else the image as it is shown; None if there is neither."""
        if self.content is not None:
            return self.content.data
        return self.shown.content if self.shown else None


def same_words(text: str) -> Words:
    """Words that are the same in every language, such as the name of a file."""
    return {"en": text, "fr": text}


def read_answer(response: dict[str, Any], shown: Preview | None, model: dict[str, Any]) -> Answer:
    """What the API said of an image.

    Args:
        response: that.
        shown: the image, if it can be shown.
        model: what the API says of its model.
    """
    french = dict(zip(model["class_names"], model["class_names_fr"], strict=True))
    ranking = sorted(response["probabilities"].items(), key=lambda pair: -pair[1])
    return Answer(
        ranking=[({"en": name, "fr": french.get(name, name)}, value) for name, value in ranking],
        known=response.get("known"),
        familiarity=response.get("familiarity"),
        seen=response["seen"],
        thumbnail=shown.thumbnail if shown else response["seen"],
        **read_explanation(response),
    )


def read_explanation(response: dict[str, Any]) -> dict[str, Any]:
    """What the API said of what decided: `heat_map` and `mapped` of an `Answer`."""
    if not (explanation := response.get("explanation")):
        return {"heat_map": None, "mapped": None}
    mapped = {"en": explanation["class"], "fr": explanation["class_fr"]}
    return {"heat_map": explanation["heat_map"], "mapped": mapped}
