"""The pictures of a dataset as people have them, for the pages that show them."""

import shutil

import numpy as np
import pytest
from support.sources import paint

from imagette.data import load_dataset, open_source
from imagette.data.originals import Originals

SEEN = np.full((32, 32, 3), 7, np.uint8)


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1.png", "dog/1.png"):
        paint(tmp_path / "pets" / name, (200, 10, 10), size=(300, 100))
    return tmp_path / "pets"


def test_a_file_comes_in_its_own_proportions_and_no_larger_than_asked_for(folder):
    originals = Originals(open_source(folder))
    small, whole = (originals.find("cat/1.png", SEEN, most) for most in (150, 400))
    assert (small.pixels.shape, whole.pixels.shape) == ((50, 150, 3), (100, 300, 3))
    assert (whole.pixels == (200, 10, 10)).all()
    assert whole.file == folder / "cat" / "1.png"


def test_what_was_unpacked_is_shown_and_is_no_file_of_anybody(folder):
    archive = shutil.make_archive(str(folder), "zip", folder)
    original = Originals(open_source(archive)).find("cat/1.png", SEEN, 400)
    assert original.pixels.shape == (100, 300, 3)
    assert original.file is None


def test_without_a_file_it_is_what_the_network_sees(folder):
    found = open_source(folder)
    (folder / "cat" / "1.png").unlink()
    (folder / "dog" / "1.png").write_bytes(b"damaged since")
    for originals, path in (
        (Originals(found), "cat/1.png"),
        (Originals(found), "dog/1.png"),
        (Originals(load_dataset("digits")), None),
    ):
        pixels, file = originals.find(path, SEEN, 400)
        assert (pixels == SEEN).all()
        assert file is None
