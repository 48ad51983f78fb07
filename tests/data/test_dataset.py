"""What a dataset must be, and how validation is split off it."""

from dataclasses import replace

import numpy as np
import pytest

from imagette import Dataset, ImagetteError
from imagette.data import Split, split_validation


def split(*counts: int, size: int = 4) -> Split:
    """So many noisy pictures of each class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    random = np.random.default_rng(0)
    return Split(random.integers(0, 256, (len(labels), size, size, 3), dtype=np.uint8), labels)


def dataset(train: Split, test: Split | None = None, names=("a", "b"), names_fr=("à", "b")):
    return Dataset("small", names, train, test, class_names_fr=names_fr)


# Splits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": np.zeros((2, 4, 4, 3), np.float32)}, "type float32"),
        ({"images": np.zeros((2, 4, 4), np.uint8)}, r"shape \(2, 4, 4\)"),
        ({"images": np.zeros((2, 3, 4, 4), np.uint8)}, r"shape \(2, 3, 4, 4\)"),
        ({"images": np.zeros((2, 0, 4, 3), np.uint8)}, r"shape \(2, 0, 4, 3\)"),
        ({"labels": np.array([0.0, 1.0])}, "Labels .* float64"),
        ({"labels": np.array([[0, 1]])}, r"Labels of shape \(1, 2\)"),
        ({"labels": np.array([0])}, "2 images but 1 labels"),
        ({"paths": ("a/1.png",)}, "2 images but 1 paths"),
    ],
)
def test_arrays_that_are_no_split_are_refused(changes, message):
    with pytest.raises(ImagetteError, match=message):
        replace(split(1, 1), **changes)


def test_any_integers_become_labels():
    labels = Split(np.zeros((3, 4, 4, 3), np.uint8), np.array([0, 2, 1], np.uint8)).labels
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 2, 1]


def test_taken_pictures_keep_their_paths():
    taken = replace(split(1, 2), paths=("a/0", "b/0", "b/1")).take(np.array([2, 0]))
    assert taken.paths == ("b/1", "a/0")
    assert taken.labels.tolist() == [1, 0]
    assert split(1, 2).take(np.array([0])).paths is None


def test_fingerprint_is_of_pictures_and_labels_alone():
    some = split(3, 3)
    assert some.fingerprint() == split(3, 3).fingerprint()
    assert some.fingerprint() == replace(some, paths=tuple("abcdef")).fingerprint()
    for other in (
        replace(some, labels=some.labels[::-1]),
        replace(some, images=some.images[::-1]),
        replace(some, images=some.images.reshape(6, 2, 8, 3)),
        some.take(np.arange(5)),
    ):
        assert other.fingerprint() != some.fingerprint()


# Datasets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"train": split(1, 1, 1)}, "label 2 in the train split"),
        ({"test": split(1, 0, 4)}, "label 2 in the test split"),
        ({"train": replace(split(1, 1), labels=np.array([-1, 0]))}, "label -1"),
        ({"test": split(1, 1, size=5)}, "differ in size"),
        ({"names": ("a", "a")}, "Two classes are called 'a'"),
        ({"names_fr": ("à",)}, "2 English class names but 1 French"),
    ],
)
def test_what_does_not_fit_together_is_refused(given, message):
    with pytest.raises(ImagetteError, match=message):
        dataset(**{"train": split(1, 1)} | given)


def test_arrays_become_a_dataset():
    greys = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    data = Dataset.from_arrays(
        greys, ["b", "a", "b"], test_images=greys[:1], test_labels=["a"], name="letters"
    )
    assert (data.name, data.source) == ("letters", "letters")
    assert data.class_names == data.class_names_fr == ("a", "b")
    assert data.train.labels.tolist() == [1, 0, 1]
    assert data.train.images.shape == (3, 4, 5, 3)
    assert (data.train.images == greys[..., np.newaxis]).all()
    assert data.test.labels.tolist() == [0]


@pytest.mark.parametrize(
    ("labels", "class_names", "expected", "positions"),
    [
        ([5, 7, 5], None, ("5", "7"), [0, 1, 0]),
        ([2, 0, 2], ["a", "b", "c"], ("a", "b", "c"), [2, 0, 2]),
        (np.array(["y", "x", "x"], object), ("y", "x"), ("y", "x"), [0, 1, 1]),
        (["10", "9", "10"], None, ("9", "10"), [1, 0, 1]),
        (["cafe\u0301", "caf\u00e9 ", "tea"], None, ("caf\u00e9", "tea"), [0, 0, 1]),
        (["cafe\u0301", "tea", "tea"], ["tea", "caf\u00e9"], ("tea", "caf\u00e9"), [1, 0, 0]),
    ],
)
def test_labels_of_arrays(labels, class_names, expected, positions):
    data = Dataset.from_arrays(np.zeros((3, 4, 4, 3), np.uint8), labels, class_names)
    assert data.class_names == expected
    assert data.train.labels.tolist() == positions


GREYS = np.zeros((2, 4, 4), np.uint8)


@pytest.mark.parametrize(
    ("labels", "more", "message"),
    [
        ([0, 1], {"images": GREYS.astype(np.float32)}, "type float32"),
        ([0, 1], {"images": GREYS[0]}, r"shape \(4, 4\)"),
        ([0.5, 1.5], {}, "type float64 are not classes"),
        ([0, 1, 1], {}, "2 images but 3 labels"),
        ([1, 1], {}, "holds a single class"),
        ([0, 3], {"class_names": ["a", "b"]}, "label 3 in"),
        (["a", "b"], {"class_names": ["a", "c"]}, "label 'b'"),
        ([[0], [0, 1]], {}, "labels cannot be made an array"),
        ([0, 1], {"images": [GREYS[0], GREYS[1, 1:]]}, "images cannot be made an array"),
        ([0, 1], {"test_labels": [0]}, "both images and labels"),
        ([0, 1], {"test_images": GREYS[:0], "test_labels": GREYS[:0, 0, 0]}, "holds no picture"),
        ([0, 1], {"test_images": GREYS[:1], "test_labels": [2]}, "label 2 in the test split"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(labels, more, message):
    with pytest.raises(ImagetteError, match=message):
        Dataset.from_arrays(**{"images": GREYS, "labels": labels} | more)


def test_a_dataset_is_loaded_in_another_size():
    data = dataset(split(1, 1), split(1, 1)).load(8, test_only=True)
    assert data.test.images.shape == (2, 8, 8, 3)
    assert data.train.images.shape == (0, 8, 8, 3)
    with pytest.raises(ImagetteError, match="No readable picture of the class b in small"):
        dataset(split(2, 0)).load(8)


# Validation -----------------------------------------------------------------------------------


def test_validation_is_stratified_seeded_and_apart():
    train, validation = split_validation(split(6, 6), 1 / 3, seed=1)
    assert len({image.tobytes() for image in (*train.images, *validation.images)}) == 12
    other = split_validation(split(6, 6), 1 / 3, seed=2)[1]
    assert not np.array_equal(other.images, validation.images)


def test_a_single_picture_cannot_be_on_both_sides():
    with pytest.raises(ImagetteError, match=r"Class 1 .* has only one picture") as caught:
        split_validation(split(5, 1), 0.2, seed=0)
    assert "Add pictures to it" in caught.value.remedy


@pytest.mark.parametrize(
    ("counts", "fraction", "held_out"),
    [
        ((6, 6), 1 / 3, [2, 2]),
        ((100, 3), 0.1, [10, 1]),
        ((100, 3), 0.9999, [99, 2]),
        ((5, 5), 0.1, [1, 1]),
        ((2, 2, 2), 0.2, [1, 1, 1]),
        ((5000, 4000), 0.0001, [1, 1]),
    ],
)
def test_every_class_is_on_both_sides(counts, fraction, held_out):
    some = split(*counts, size=1)
    train, validation = split_validation(some, fraction, seed=0)
    assert np.bincount(validation.labels).tolist() == held_out
    assert np.bincount(train.labels).tolist() == [
        count - out for count, out in zip(counts, held_out, strict=True)
    ]
    again = split_validation(some, fraction, seed=0)[1]
    assert np.array_equal(again.images, validation.images)


def test_no_picture_at_all():
    with pytest.raises(ImagetteError, match="no picture to learn from"):
        split_validation(split(0, 0), 0.2, seed=0)


def test_a_dataset_says_what_it_is_in_a_line(digits):
    assert repr(digits) == "<Dataset digits: 1,437 train, 360 test; 32×32 pixels, 10 classes>"
