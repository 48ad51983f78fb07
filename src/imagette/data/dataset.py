"""What a dataset is: pictures, labels, names."""

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError

if TYPE_CHECKING:
    from imagette.images.views import ViewName

IMBALANCE_RATIO = 1.5
"""From this ratio of the largest class to the smallest on, classes are weighed."""


@dataclass(frozen=True)
class Split:
    """Labelled pictures of one split of a dataset.

    Attributes:
        images: uint8 `(n, height, width, 3)`, RGB.
        labels: `(n,)`, positions in the dataset's `class_names`; any integers become int64.
        paths: the file of each picture, relative to the dataset's folder; None where the pictures
            do not come from files.

    Raises:
        ImagetteError: the arrays have another shape or type, or are not of equal length.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    paths: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4 or self.images.shape[3] != 3:
            raise ImagetteError(
                f"Images of shape {self.images.shape} and type {self.images.dtype} are not a split"
                " of a dataset.",
                "Give them as uint8 (n, height, width, 3), in 0–255 and RGB.",
            )
        if not np.issubdtype(self.labels.dtype, np.integer) or self.labels.ndim != 1:
            raise ImagetteError(
                f"Labels of shape {self.labels.shape} and type {self.labels.dtype} are not the"
                " classes of pictures.",
                "Give them as integers (n,): the position of each picture's class.",
            )
        if len(self.images) != len(self.labels):
            raise ImagetteError(
                f"There are {len(self.images)} images but {len(self.labels)} labels.",
                "Give one label for each image.",
            )
        if self.paths is not None and len(self.paths) != len(self.images):
            raise ImagetteError(
                f"There are {len(self.images)} images but {len(self.paths)} paths.",
                "Give one path for each image, or none at all.",
            )
        object.__setattr__(self, "labels", self.labels.astype(np.int64, copy=False))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """The pictures at `indices`, in that order; many are a memory-mapped file."""
        from imagette.data.decode import map_rows

        paths = None if self.paths is None else tuple(self.paths[index] for index in indices)
        return Split(map_rows(self.images, indices), self.labels[indices], paths)

    def resized(self, height: int, width: int, view: "ViewName" = "whole") -> "Split":
        """The same pictures with so many rows and columns, seen as any other is; many are a
        memory-mapped file."""
        from imagette.data.decode import allocate
        from imagette.images.opened import to_pixels

        if self.images.shape[1:3] == (height, width):
            return self
        images = allocate((len(self), height, width, 3))
        for row, image in zip(images, self.images, strict=True):
            row[:] = to_pixels(image, height, width, view=view)
        return Split(images, self.labels, self.paths)

    def fingerprint(self) -> str:
        """A hex digest (128 bits) of the pictures and labels, in their order."""
        digest = blake2b(repr(self.images.shape).encode(), digest_size=16)
        for array in (self.images, self.labels):
            digest.update(np.ravel(array).data)  # no copy where it is contiguous
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures, split into a train split and (most often) a test split.

    Attributes:
        name: what to call it in titles and file names, such as `cifar10`.
        source: what to give `load_dataset` to get it again: a name, or a folder's full path.
        class_names: English names, in the order of the labels.
        class_names_fr: French names, in the same order (the English ones where there are none).
        train: what training may look at; validation is split off it.
        test: what no training ever looks at, or None where the dataset has no such split.
        licence: under what terms the pictures may be used, in a few words; empty if unknown.
        skipped: files and folders that were left out, by their paths within the dataset, each with
            the reason, which does not repeat the path.

    Raises:
        ImagetteError: labels, names and picture sizes do not fit one another.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    class_names_fr: tuple[str, ...]
    train: Split
    test: Split | None
    licence: str = ""
    skipped: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        classes = len(self.class_names)
        if len(set(self.class_names)) != classes:
            twice = next(name for name in self.class_names if self.class_names.count(name) > 1)
            raise ImagetteError(
                f"Two classes are called {twice!r}.", "Give every class a name of its own."
            )
        if len(self.class_names_fr) != classes:
            raise ImagetteError(
                f"There are {classes} English class names but {len(self.class_names_fr)} French"
                " ones.",
                "Give a French name for each class; repeat the English one where there is none.",
            )
        for name, split in self.splits.items():
            outside = split.labels[(split.labels < 0) | (split.labels >= classes)]
            if len(outside):
                raise ImagetteError(
                    f"The label {outside[0]} in the {name} split is the position of no class.",
                    f"Labels of {classes} classes go from 0 to {classes - 1}.",
                )
        sizes = {split.images.shape[1:3] for split in self.splits.values()}
        if len(sizes) > 1:
            raise ImagetteError(
                "The pictures of the train split and of the test split differ in size.",
                "Bring all of them to the same height and width.",
            )

    def resized(self, size: int, view: "ViewName" = "whole") -> "Dataset":
        """The same dataset with pictures of `size` by `size` pixels."""
        test = None if self.test is None else self.test.resized(size, size, view)
        return replace(self, train=self.train.resized(size, size, view), test=test)

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name."""
        return {"train": self.train} | ({"test": self.test} if self.test is not None else {})


def split_validation(split: Split, fraction: float, seed: int) -> tuple[Split, Split]:
    """Hold out a stratified, seeded fraction of the train split for validation.

    Every class is on both sides, however few pictures it has.

    Args:
        split: the train split of a dataset.
        fraction: share of the pictures to hold out, between 0 and 1.
        seed: the same seed holds out the same pictures.

    Returns:
        The pictures to train on and the pictures held out.

    Raises:
        ImagetteError: a class has a single picture, or there is none at all.
    """
    train, validation = split_positions(split, fraction, seed)
    return split.take(train), split.take(validation)


def split_positions(
    split: Split, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The positions of the pictures that `split_validation` gives."""
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
    """Of each class at least one picture on each side, however small it is."""
    random = np.random.default_rng(seed)
    kept, held_out = [], []
    for label in np.unique(split.labels):
        positions = random.permutation(np.flatnonzero(split.labels == label))
        count = min(max(round(fraction * len(positions)), 1), len(positions) - 1)
        held_out.append(positions[:count])
        kept.append(positions[count:])
    return [np.concatenate(kept), np.concatenate(held_out)]


def too_few(of: str) -> ImagetteError:
    """What is wrong with a class of a single picture."""
    return ImagetteError(
        f"{of} has a single picture, and one is needed to learn from and another to check with.",
        "Add pictures to it, or remove the class.",
    )
