"""What is said of one's own pictures before a training begins."""

from dataclasses import replace

import numpy as np
import pytest

from imagette.data.check import check
from imagette.data.dataset import Dataset, Split
from imagette.errors import ImagetteError


def split(*counts: int, seed: int = 0) -> Split:
    """So many pictures of noise of each class, no two alike."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), 8, 8, 3), np.uint8)
    return Split(images, labels, tuple(f"{label}/{n}.png" for n, label in enumerate(labels)))


def dataset(*counts: int, **changes) -> Dataset:
    names = ("ant", "bee", "cow")[: len(counts)]
    return replace(Dataset("pets", names, split(*counts)), **changes)


def test_nothing_to_mend():
    assert check(dataset(20, 30)) == ["pets: 50 pictures of 2 classes (ant 20, bee 30)"]
    with_test = dataset(20, 30, test=split(2, 3, seed=1))
    assert check(with_test)[0].startswith("pets: 50 pictures of 2 classes, and 5 to test with (")


def test_what_is_to_be_known_of_how_it_was_read():
    assert check(dataset(20, 30, notes=("Read with care.",)))[1:] == ["Read with care."]


def test_what_was_left_out_is_listed():
    skipped = tuple((f"{number}.png", "is empty.") for number in range(25))
    lines = check(dataset(20, 30, skipped=skipped))
    assert lines[1] == "Left out: 0.png: is empty."
    assert lines[21].startswith("Left out: 5 more files; `imagette explore`")
    assert len(lines) == 22


def test_the_same_picture_in_two_classes():
    given = dataset(20, 30)
    given.train.images[25] = given.train.images[3]
    given.train.images[5] = given.train.images[3]
    given.train.images[10] = given.train.images[11]  # of one class: no contradiction
    contradicting, repeated = check(given)[1:]
    assert contradicting.startswith(
        "The same picture in several classes, as 8×8 pixels show it (1 in all): 0/3.png = 1/25.png."
    )
    assert repeated.startswith("Copies: 2 pictures are copies of others in the same class")
    assert "held out may be too high" in repeated


def test_the_same_picture_in_train_and_test():
    given = dataset(20, 30, test=split(2, 3, seed=1))
    given.test.images[[0, 1]] = given.train.images[[4, 5]]
    (line,) = check(given)[1:]
    assert line.startswith("The same picture in train and test (2 in all)")


@pytest.mark.parametrize(
    ("counts", "beginning"),
    [
        ((9, 12), "Few pictures: fewer than 10 to learn from in ant."),
        ((5, 9), "Few pictures: fewer than 10 to learn from in ant, bee."),
        ((20, 90), "Uneven classes: the largest has 4.5 times as many"),
    ],
)
def test_few_or_uneven_pictures(counts, beginning):
    (line,) = check(dataset(*counts))[1:]
    assert line.startswith(beginning)


def test_a_single_picture():
    with pytest.raises(ImagetteError, match="The class bee has only one picture"):
        check(dataset(20, 1))
