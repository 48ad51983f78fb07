"""A picture is known by its content."""

import pytest

from imagette.data.content import PictureSet, content_digest

DIGESTS = [content_digest(bytes([number])) for number in range(100)]


def test_a_set_knows_its_pictures_and_no_others():
    known = PictureSet([*DIGESTS[:50], b""])
    assert len(known) == 50
    assert known.contains(DIGESTS).tolist() == [True] * 50 + [False] * 50
    assert not known.contains([b""]).any()  # what cannot be read is no picture
    assert known.within(DIGESTS)
    assert not known.within(DIGESTS[1:])
    assert len(known | PictureSet(DIGESTS[40:60])) == 60


def test_a_set_as_text():
    known = PictureSet.from_text(PictureSet(DIGESTS[:50]).to_text())
    assert known.contains(DIGESTS).sum() == 50
    assert PictureSet().to_text() == ""


@pytest.mark.parametrize("text", ["", "no text of a set", "é", "AAA"])
def test_a_text_that_is_no_set_holds_no_picture(text):
    assert len(PictureSet.from_text(text)) == 0
