"""The images to validate with: those of a validation split, or some held out of the train split."""

import numpy as np
from numpy.typing import NDArray

from imagette.data.dataset import Dataset, Split
from imagette.errors import ImagetteError


def train_and_validation(dataset: Dataset, fraction: float, seed: int) -> tuple[Split, Split]:
    """The images to train on, and those to validate with.

    Those are the dataset's own validation split or, where it comes without one, what
    `split_validation` holds out of its train split.

    Raises:
        ImagetteError: there are too few images to hold some out.
    """
    if dataset.validation is not None:
        return dataset.train, dataset.validation
    return split_validation(dataset.train, fraction, seed)


def split_validation(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Hold out a stratified, seeded fraction of the train split for validation.

    Every class is on both sides, however few images it has.

    Args:
        split: the train split of a dataset.
        fraction: share of the images to hold out, between 0 and 1.
        seed: the same seed holds out the same images.

    Returns:
        The images to train on and the images held out.

    Raises:
        ImagetteError: a class has a single image, or there is none at all.
    """
    train, validation = split_positions(split, fraction, seed)
    return split.take(train), split.take(validation)


def split_positions(
    split: Split, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the images that `split_validation` gives."""
    from sklearn.model_selection import train_test_split

    classes, counts = np.unique(split.labels, return_counts=True)
    if not len(split):
        raise ImagetteError("There is no picture to learn from.", "Add pictures.")
    if counts.min() == 1:
        raise too_few(f"Class {classes[counts.argmin()]} (counted from 0)")
    try:
        sides = train_test_split(
            np.arange(len(split)), test_size=fraction, random_state=seed, stratify=split.labels
        )
    except ValueError:  # fewer on one side than there are classes
        sides = None
    if sides is None or any(len(np.unique(split.labels[side])) < len(classes) for side in sides):
        sides = _split_each_class(split, fraction, seed)
    train, validation = map(np.sort, sides)
    return train, validation


def _split_each_class(split: Split, fraction: float, seed: int) -> list[NDArray[np.int64]]:
    """Of each class at least one image on each side, however small it is."""
    random = np.random.default_rng(seed)
    kept, held_out = [], []
    for label in np.unique(split.labels):
        positions = random.permutation(np.flatnonzero(split.labels == label))
        count = min(max(round(fraction * len(positions)), 1), len(positions) - 1)
        held_out.append(positions[:count])
        kept.append(positions[count:])
    return [np.concatenate(kept), np.concatenate(held_out)]


def too_few(of: str) -> ImagetteError:
    """What is wrong with a class of a single image."""
    return ImagetteError(
        f"{of} has only one picture; one is needed to train on and another to validate with.",
        "Add pictures to it, or remove the class.",
    )
