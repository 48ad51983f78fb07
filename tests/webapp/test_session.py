"""What the page keeps of a session, and the table it gives of it."""

import csv
import io
from datetime import UTC, datetime
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp import session as session_module
from imagette.webapp.client import ApiDown, Refused
from imagette.webapp.previews import Preview
from imagette.webapp.session import MAX_IMAGES, Session, to_csv
from imagette.webapp.session_image import Answer, SessionImage, same_words
from imagette.webapp.tabs import predict
from imagette.webapp.uploads import Upload

TIME = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MODEL = {"class_names": ["cat", "dog"], "class_names_fr": ["chat", "chien"]}
SAID = {
    "probabilities": {"cat": 0.25, "dog": 0.75},
    "known": False,
    "familiarity": 0.1,
    "seen": "data:image/png;base64,",
    "explanation": {"class": "dog", "class_fr": "chien", "heat_map": "data:image/png;base64,abc"},
}


class SessionState(dict):
    """What Streamlit keeps: its keys are attributes too."""

    __getattr__ = dict.__getitem__
    __setattr__ = dict.__setitem__


def api(outcome):
    """Answers, or refuses, as it is told to."""
    return Mock(predict=Mock(side_effect=[outcome]))


def session_with(*names):
    session = Session(model=MODEL)
    session.add([(same_words(name), same_words(name), Upload(b"...")) for name in names])
    return session


def test_an_answer_is_kept_and_the_file_is_not():
    session = session_with("a.png")
    (image,) = session.in_view
    assert image.waits
    session.ask(image, api(SAID))
    assert not image.waits
    assert image.content is None
    assert image.answer.ranked("fr") == [("chien", 0.75), ("chat", 0.25)]
    assert image.answer.heat_map == "data:image/png;base64,abc"
    assert image.answer.thumbnail == SAID["seen"]  # the file is no image that can be shown
    assert session.answered() == [(image, image.answer)]


@pytest.mark.parametrize("zone", [None, "Europe/Paris", "Nowhere/Land", "../../etc/passwd", ""])
def test_an_image_has_a_time_whatever_zone_the_browser_tells(monkeypatch, zone):
    monkeypatch.setattr(session_module.st, "context", SimpleNamespace(timezone=zone))
    (image,) = session_with("a.png").in_view
    assert abs((datetime.now(UTC) - image.time).total_seconds()) < 60


PASSING = ("api-down", "too-many-requests", "out-of-time", "unauthorized", "something-new")


@pytest.mark.parametrize("kind", [*PASSING, "unreadable-picture", "request-too-large"])
def test_what_may_pass_can_be_tried_again_and_nothing_is_lost(kind):
    outcome = ApiDown() if kind == "api-down" else Refused(kind)
    may_pass = kind in PASSING
    session = session_with("a.png")
    (image,) = session.in_view
    session.ask(image, api(outcome))
    assert not image.waits
    assert image.can_retry == may_pass
    session.try_again()
    assert image.waits == may_pass
    if may_pass:
        session.ask(image, api(SAID))
        assert image.answer is not None


def test_of_many_one_is_opened_and_then_says_what_decided():
    session = session_with(*"abcde")
    assert session.are_many
    briefly = SAID | {"explanation": None}
    shown = Preview("data:image/webp;base64,bm90IG9uZQ==", "data:,", 4, 3)
    asked = Mock(
        recognise=Mock(return_value=briefly), predict=Mock(side_effect=[Refused("x"), SAID])
    )
    for one in session.in_view:
        session.ask(one, asked, in_full=False)
        one.shown = shown  # the file was none
    first, second = session.in_view[:2]
    assert not first.explained
    assert first.answer.heat_map is None
    session.open(first)
    assert (session.opened, session.turned_to) == (first, "answer-1")
    assert session.explain(first, asked) == "x"
    assert session.explain(first, asked) is None
    assert first.answer.heat_map == "data:image/png;base64,abc"
    assert first.answer.mapped == {"en": "dog", "fr": "chien"}
    assert session.explain(first, asked) is None
    asked.predict.assert_called_with(b"not one")  # of which the file is not kept
    assert asked.predict.call_count == 2
    session.open(second)
    session.open(second)
    assert (session.opened, session.turned_to) == (None, "tile-2")
    session.open(first)
    session.look_at([second])
    assert (session.opened, session.turned_to, session.are_many) == (None, "answers", False)


def test_what_was_wrong_is_kept_from_the_file_as_long_as_it_is_in_view():
    session = session_with("a.png", "b.png")
    session.keep_files = True
    first, second = session.in_view
    keeps = Mock(predict=Mock(return_value=SAID), keep=Mock(side_effect=[Refused("no-room"), None]))
    for one in (first, second):
        session.ask(one, keeps)
    cat = {"en": "cat", "fr": "chat"}
    session.keep_as(first, "cat", cat, keeps)
    assert (first.kept_as, first.not_kept) == (None, "no-room")
    session.keep_as(first, "cat", cat, keeps)
    keeps.keep.assert_called_with(b"...", "cat")
    assert (first.kept_as, first.not_kept, first.content) == (cat, None, None)
    assert second.content is not None
    session.look_at([first])
    assert second.content is None


def test_new_images_take_the_view_and_old_ones_are_kept_up_to_a_limit():
    session = session_with("first.png")
    session.add([(same_words(str(n)), same_words(str(n)), Upload(b"")) for n in range(MAX_IMAGES)])
    assert len(session.in_view) == MAX_IMAGES
    assert len(session.images) == MAX_IMAGES
    assert session.images[0].number == 2
    session.forget()
    assert not session.images
    assert not session.in_view


def image(name, ranking, known=True):
    answer = Answer(ranking, known, 0.5, "data:,", None, None, "data:,")
    words = same_words(name)
    return SessionImage(1, words, words, TIME, None, answer), answer


def test_the_table_has_a_line_an_image_and_the_probabilities():
    cat = ({"en": "cat", "fr": "chat"}, 0.75)
    dog = ({"en": "dog", "fr": "chien"}, 0.25)
    bird = ({"en": "bird", "fr": "oiseau"}, 1.0)  # of a model that came later
    table = to_csv([image("é.png", [cat, dog]), image("=1+1", [bird], known=False)])
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"))))
    columns = "time picture class class_fr confidence known familiarity p_cat p_dog p_bird"
    said = "2026-01-02T03:04:05+00:00 é.png cat chat 0.75 True 0.5 0.75 0.25 "
    assert rows[0] == dict(zip(columns.split(" "), said.split(" "), strict=True))
    # A spreadsheet must not take a file's name for a formula (see tests/test_files.py).
    assert rows[1]["picture"] == "'=1+1"
    assert rows[1]["known"] == "False"


def test_more_images_than_are_kept_are_told_and_not_read(monkeypatch):
    file = Mock(type="image/png", getvalue=Mock(return_value=b"..."))
    state = SessionState(widget_generation=3, session=Session(model=MODEL))
    state["files-3"] = [file] * (MAX_IMAGES + 7)
    monkeypatch.setattr(predict.st, "session_state", state)
    predict._take_files()
    assert file.getvalue.call_count == len(state.session.in_view) == MAX_IMAGES
    assert state.session.left_out == 7
    state.session.look_at([])
    assert state.session.left_out == 0
