"""Teaching from the page: what becomes of the files while the API comes and goes."""

from threading import Thread

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp import live_camera, teach_state
from imagette.webapp.client import ApiDown, Refused
from imagette.webapp.live_camera import Frame, _read
from imagette.webapp.tabs.teach_answers import _watch
from imagette.webapp.teach_state import TeachState, id_in_address
from imagette.webapp.texts import TEXTS
from imagette.webapp.uploads import Upload

LIMITS = {"max_pictures": 3, "max_upload_bytes": 20_000}


class Scripted:
    """A lesson's API that answers each request with the next of what it was given."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.kept = []

    def add(self, class_name, files):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        told = {problem["file"] for problem in answer}
        kept = [content[0] for name, content in files if name not in told]
        self.kept += kept
        small = [{"name": number, "thumbnail": "data:"} for number in kept]
        return {"kept": small, "refused": answer, "lesson": {"after": class_name}}


def files(*sizes):
    return [("image.png", Upload(bytes([number]) * size)) for number, size in enumerate(sizes)]


def problem(place, kind):
    return {"file": f"{place}", "type": f"urn:imagette:problem:{kind}"}


def test_what_an_api_that_goes_down_did_not_take_waits_for_it():
    state = TeachState(waiting={"cat": files(*[10] * 7), "dog": files(10)})
    api = Scripted([problem(1, "same-picture")], ApiDown("gone"))
    with pytest.raises(ApiDown):
        state.send_waiting(api, LIMITS)
    assert [file.data[0] for _, file in state.waiting["cat"]] == [3, 4, 5, 6]
    assert state.refused["cat"] == ["same-picture"]

    api = Scripted([], Refused("lesson-full"), [])
    state.send_waiting(api, LIMITS)
    assert state.waiting == {}
    assert state.refused == {"cat": ["same-picture", "lesson-full"], "dog": []}
    assert api.kept == [3, 4, 5, 0]
    # Where the lesson stands, and what its images look like, need not be asked for.
    assert state.latest == {"after": "dog"}
    assert set(state.thumbnails) == {0, 2, 3, 4, 5}


def test_pictures_that_come_while_others_are_sent_are_sent_too_and_none_twice():
    """As a camera's do: Streamlit runs the page anew meanwhile, in another thread."""
    state, others = TeachState(), []

    class Busy(Scripted):
        def add(self, class_name, files):
            if not others:
                others.append(Thread(target=go_on))
                others[0].start()
                others[0].join(0.3)  # it has to wait
            return super().add(class_name, files)

    api = Busy([], [])

    def go_on():
        state.put("cat", [("image.png", Upload(b"\7"))])
        state.send_waiting(api, LIMITS)

    state.put("cat", files(10, 10))
    state.send_waiting(api, LIMITS)
    others[0].join()
    assert api.kept == [0, 1, 7]
    assert state.waiting == {}


def test_what_an_api_with_much_to_do_has_no_time_for_is_sent_again(monkeypatch):
    monkeypatch.setattr(teach_state, "_PAUSE", 0)
    state = TeachState(waiting={"cat": files(10, 10, 10, 10)})
    busy = [problem(0, "out-of-time"), problem(2, "unreadable-picture")]
    api = Scripted(busy, Refused("overloaded"), [problem(1, "overloaded")], [])
    state.send_waiting(api, LIMITS)
    assert api.kept == [1, 0, 3]
    assert state.refused == {"cat": ["unreadable-picture"]}
    assert state.waiting == {}


def test_what_an_api_never_has_time_for_is_told(monkeypatch):
    monkeypatch.setattr(teach_state, "_PAUSE", 0)
    monkeypatch.setattr(teach_state, "_PATIENCE", 0)
    state = TeachState(waiting={"cat": files(10, 10)})
    state.send_waiting(Scripted(Refused("overloaded")), LIMITS)
    assert state.refused == {"cat": ["overloaded", "overloaded"]}
    assert state.waiting == {}


def test_addresses_say_names_and_mean_ids():
    state = TeachState()
    for name, said in (("", ""), ("Mes tasses & bols !", "mes-tasses-bols."), ("猫_1", "猫-1.")):
        address = state.address_of({"id": "7k2m-9qxe", "name": name})
        assert address == f"{said}7k2m-9qxe"
        assert id_in_address(address) == "7k2m-9qxe"
    assert id_in_address("") == ""


def test_requests_hold_no_more_than_the_api_takes():
    # The first two would be too much together; the third is alone, and is not even sent.
    state = TeachState(waiting={"cat": files(9_000, 9_000, 30_000)})
    api = Scripted([], [])
    state.send_waiting(api, LIMITS)
    assert api.answers == []
    assert state.refused == {"cat": ["request-too-large"]}


def test_what_is_tried_is_asked_about_anew_when_the_lesson_changes():
    state = TeachState()
    state.session.add([({"en": "a"}, {"en": "a"}, Upload(b"content"))])
    (image,) = state.session.in_view
    for names, is_asked in ((["1"], True), (["1"], False), (["1", "2"], True), (["2"], True)):
        image.problem = "not-learned"
        state.ask_anew({"classes": [{"name": "cat", "pictures": names}]})
        assert image.waits is is_asked


def test_only_what_the_camera_sends_is_taken():
    image = "data:image/jpeg;base64,AAEC"
    sent = {"number": 3, "label": 1, "contents": [image, image]}
    assert _read(sent) == Frame(3, 1, [b"\0\1\2"] * 2)
    assert _read(sent | {"label": None}) == Frame(3, None, [b"\0\1\2"] * 2)
    damaged = (
        {"contents": 5}, {"contents": []}, {"contents": [5]}, {"contents": ["data:,é"]},
        {"number": "x"},
    )  # fmt: skip
    for other in (None, {}, "x", *(sent | change for change in damaged)):
        assert _read(other) is None


def test_the_camera_hears_of_its_image_once_that_is_answered_or_cannot_be(monkeypatch):
    """Else it would send the next one meanwhile, and not spare an API that has much to do."""
    told = []

    class Busy:
        def glance(self, content):
            told.append(content)
            raise Refused("overloaded")

    def show(record, taken, answers, is_slow, take, texts):
        told.append((taken, is_slow))

    monkeypatch.setattr(live_camera, "show", show)
    lesson = {"classes": [{"name": "cat"}, {"name": "dog"}], "model": {"accuracy": 1}}
    _watch(TeachState(frame=Frame(7, None, [b"seen"])), lesson, Busy(), TEXTS["en"])
    assert told == [b"seen", (7, True)]
