"""Teaching from the page: what becomes of the files while the API comes and goes."""

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp.client import ApiDown, Refused
from imagette.webapp.teach import Desk, _send_waiting

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
        self.kept += [name for name, _ in files]
        return answer


def files(*sizes):
    return [(f"{number}.png", bytes(size)) for number, size in enumerate(sizes)]


@pytest.mark.filterwarnings("ignore")  # of Streamlit, that no page is being shown
def test_what_an_api_that_goes_down_did_not_take_waits_for_it():
    desk = Desk(waiting={"cat": files(*[10] * 7), "dog": files(10)})
    problem = {"type": "urn:imagette:problem:same-picture"}
    api = Scripted([problem], ApiDown("gone"))
    with pytest.raises(ApiDown):
        _send_waiting(desk, api, LIMITS, "en")
    assert [name for name, _ in desk.waiting["cat"]] == ["3.png", "4.png", "5.png", "6.png"]
    assert desk.refused["cat"] == ["same-picture"]

    api = Scripted([], Refused("lesson-full"), [])
    _send_waiting(desk, api, LIMITS, "en")
    assert desk.waiting == {}
    assert desk.refused == {"cat": ["same-picture", "lesson-full"], "dog": []}
    assert api.kept == ["3.png", "4.png", "5.png", "0.png"]


@pytest.mark.filterwarnings("ignore")
def test_requests_hold_no_more_than_the_api_takes():
    # The first two would be too much together; the third is alone, and is not even sent.
    desk = Desk(waiting={"cat": files(9_000, 9_000, 30_000)})
    api = Scripted([], [])
    _send_waiting(desk, api, LIMITS, "en")
    assert api.answers == []
    assert desk.refused == {"cat": ["request-too-large"]}
