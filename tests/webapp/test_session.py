"""What the page keeps of a session, and the table it gives of it."""

import csv
import io
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp import session as session_module
from imagette.webapp.client import ApiDown, Refused
from imagette.webapp.session import MOST_PICTURES, Answer, Picture, Session, same_words, to_csv
from imagette.webapp.tabs import predict

MODEL = {"class_names": ["cat", "dog"], "class_names_fr": ["chat", "chien"]}
SAID = {
    "probabilities": {"cat": 0.25, "dog": 0.75},
    "known": False,
    "familiarity": 0.1,
    "seen": "data:image/png;base64,",
    "explanation": {"heat_map": "data:image/png;base64,abc"},
}


class SessionState(dict):
    """What Streamlit keeps: its keys are attributes too."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


class Api:
    """Answers, or refuses, as it is told to."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.asked = 0

    def predict(self, picture):
        self.asked += 1
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def visit_with(*names):
    session = Session(model=MODEL)
    session.add([(same_words(name), same_words(name), b"...") for name in names])
    return session


def test_an_answer_is_kept_and_the_file_is_not():
    session = visit_with("a.png")
    (picture,) = session.in_view
    assert picture.waits
    session.ask(picture, Api(SAID))
    assert not picture.waits
    assert picture.content is None
    assert picture.answer.ranked("fr") == [("chien", 0.75), ("chat", 0.25)]
    assert picture.answer.heat_map == "data:image/png;base64,abc"
    assert picture.answer.thumbnail == SAID["seen"]  # the file is no picture that can be shown
    assert session.answered() == [picture]


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Nowhere/Land", "../../etc/passwd", ""])
def test_a_picture_has_a_time_whatever_zone_the_browser_tells(monkeypatch, zone):
    monkeypatch.setattr(session_module.st, "context", SimpleNamespace(timezone=zone))
    (picture,) = visit_with("a.png").in_view
    assert abs((datetime.now(UTC) - picture.time).total_seconds()) < 60


@pytest.mark.parametrize(
    ("outcome", "may_pass"),
    [
        (ApiDown(), True),
        (Refused("too-many-requests"), True),
        (Refused("out-of-time"), True),
        (Refused("unauthorized"), True),
        (Refused("something-new"), True),
        (Refused("unreadable-picture"), False),
        (Refused("request-too-large"), False),
    ],
)
def test_what_may_pass_can_be_tried_again_and_nothing_is_lost(outcome, may_pass):
    session = visit_with("a.png")
    (picture,) = session.in_view
    session.ask(picture, Api(outcome))
    assert not picture.waits
    assert picture.can_retry == may_pass
    session.try_again()
    assert picture.waits == may_pass
    if may_pass:
        session.ask(picture, Api(SAID))
        assert picture.answer is not None


def test_new_pictures_take_the_view_and_old_ones_are_kept_up_to_a_limit():
    session = visit_with("first.png")
    session.add([(same_words(str(n)), same_words(str(n)), b"") for n in range(MOST_PICTURES)])
    assert len(session.in_view) == MOST_PICTURES
    assert len(session.pictures) == MOST_PICTURES
    assert session.pictures[0].number == 2
    session.forget()
    assert not session.pictures
    assert not session.in_view


def picture(number, name, ranking, known=True):
    answer = Answer(ranking, known, 0.5, "data:,", None, None, "data:,")
    words = same_words(name)
    return Picture(number, words, words, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, answer)


def test_the_table_has_a_line_a_picture_and_the_probabilities():
    cat = ({"en": "cat", "fr": "chat"}, 0.75)
    dog = ({"en": "dog", "fr": "chien"}, 0.25)
    bird = ({"en": "bird", "fr": "oiseau"}, 1.0)  # of a model that came later
    table = to_csv([picture(1, "é.png", [cat, dog]), picture(2, "=1+1", [bird], known=False)])
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    assert rows[0] == {
        "time": "2026-01-02T03:04:05+00:00",
        "picture": "é.png",
        "class": "cat",
        "class_fr": "chat",
        "confidence": "0.75",
        "known": "True",
        "familiarity": "0.5",
        "p_cat": "0.75",
        "p_dog": "0.25",
        "p_bird": "",
    }
    # A spreadsheet must not take a file's name for a formula.
    assert rows[1]["picture"] == "'=1+1"
    assert rows[1]["known"] == "False"


def test_more_pictures_than_are_kept_are_told_and_not_read(monkeypatch):
    read = []

    class File:
        name = "a.png"

        def getvalue(self):
            read.append(1)
            return b"..."

    state = SessionState(turn=3, session=Session(model=MODEL))
    state["files-3"] = [File() for _ in range(MOST_PICTURES + 7)]
    monkeypatch.setattr(predict.st, "session_state", state)
    predict._take_files()
    assert len(read) == len(state.session.in_view) == MOST_PICTURES
    assert state.session.left_out == 7
    state.session.look_at([])
    assert state.session.left_out == 0
