"""What a dataset is: images, labels, names."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import ArrayLike, NDArray

from imagette.data.class_names import ClassNames, name_classes
from imagette.data.data_source import DataSource, RawSplit, Skipped
from imagette.data.decode import allocate, map_rows
from imagette.errors import ImagetteError
from imagette.images.open_image import to_pixels
from imagette.images.views import ViewName
from imagette.wording import clean_name, listed

IMBALANCE_RATIO = 1.5
"""From this ratio of the largest class to the smallest on, classes are weighed."""


@dataclass(frozen=True)
class Split:
    """Labelled images of one split of a dataset.

    Attributes:
        images: uint8 `(n, height, width, 3)`, RGB.
        labels: `(n,)`, positions in the dataset's `class_names`; any integers become int64.
        paths: the file of each image, relative to the dataset's folder; None where the images
            do not come from files.

    Raises:
        ImagetteError: the arrays have another shape or type, or are not of equal length.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    paths: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        images = self.images
        pictures = images.ndim == 4 and images.shape[3] == 3 and all(images.shape[1:])
        if images.dtype != np.uint8 or not pictures:
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

    @property
    def raw(self) -> RawSplit:
        """The same images one by one, as a source has them."""
        return RawSplit(list(self.images), self.labels, self.paths)

    def take(self, indices: NDArray[np.int64]) -> "Split":
        """The images at `indices`, in that order; many are a memory-mapped file."""
        paths = None if self.paths is None else tuple(self.paths[index] for index in indices)
        return Split(map_rows(self.images, indices), self.labels[indices], paths)

    def resized(self, height: int, width: int, view: ViewName = "whole") -> "Split":
        """The same images with so many rows and columns, seen as any other is; many are a
        memory-mapped file."""
        if self.images.shape[1:3] == (height, width):
            return self
        images = allocate((len(self), height, width, 3))
        for row, image in zip(images, self.images, strict=True):
            row[:] = to_pixels(image, height, width, view=view)
        return Split(images, self.labels, self.paths)

    def fingerprint(self) -> str:
        """A hex digest (128 bits) of the images and labels, in their order."""
        digest = blake2b(repr(self.images.shape).encode(), digest_size=16)
        for array in (self.images, self.labels):
            digest.update(np.ravel(array).data)  # no copy where it is contiguous
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset(DataSource):
    """Labelled images, split into a train split and (most often) a test split.

    Attributes:
        train: what training may look at; where no validation split is given, it is split off it.
        test: what no training ever looks at, or None where the dataset has no such split.
        validation: what came with the dataset to validate with, or None.
        name: and the other ones, see `imagette.data.data_source.DataSource`.

    Raises:
        ImagetteError: labels, names and image sizes do not fit one another.
    """

    train: Split
    test: Split | None = None
    validation: Split | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        classes = len(self.class_names)
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
                "The pictures of the splits differ in size.",
                "Resize all of them to the same height and width.",
            )

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(split):,} {name}" for name, split in self.splits.items())
        size = "×".join(map(str, self.train.images.shape[2:0:-1]))
        return f"<Dataset {self.name}: {counts}; {size} pixels, {len(self.class_names)} classes>"

    @classmethod
    def from_arrays(
        cls,
        images: ArrayLike,
        labels: ArrayLike,
        class_names: Sequence[str] | None = None,
        *,
        test_images: ArrayLike | None = None,
        test_labels: ArrayLike | None = None,
        name: str = "arrays",
        class_names_fr: Sequence[str] = (),
    ) -> "Dataset":
        """A dataset of NumPy arrays.

        Args:
            images: uint8 `(n, height, width, 3)`, RGB, or `(n, height, width)`, greyscale; 0–255.
            labels: `(n,)`, the class of each image: a name, or an integer.
            class_names: of the classes; integers are then positions in it. By default the labels
                that occur, sorted (numbers as numbers).
            test_images: what no training ever looks at, as `images`.
            test_labels: the classes of `test_images`, as `labels`.
            name: what to call the dataset in titles and file names.
            class_names_fr: French names of the classes; the English ones by default.

        Raises:
            ImagetteError: the arrays have another shape or type, or do not fit one another.
        """
        if (test_images is None) != (test_labels is None):
            raise ImagetteError(
                "A test split needs both images and labels.",
                "Give test_images and test_labels, or neither of them.",
            )
        given = _check_labels(labels)
        found = name_classes(np.unique(given).tolist() if class_names is None else (), class_names)
        names = found.order if class_names is None else tuple(map(clean_name, class_names))
        train = Split(_to_rgb(images), _positions(given, found, names, "train"))
        test = None
        if test_images is not None and test_labels is not None:
            positions = _positions(_check_labels(test_labels), found, names, "test")
            test = Split(_to_rgb(test_images), positions)
            if not len(test):
                raise ImagetteError(
                    "The test split holds no picture.",
                    "Give it pictures, or neither test_images nor test_labels.",
                )
        return cls(name, names, train, test, class_names_fr=(*class_names_fr,), notes=found.notes)

    @classmethod
    def from_source(
        cls, found: DataSource, splits: dict[str, Split], skipped: Skipped = ()
    ) -> "Dataset":
        """A source whose images have been decoded.

        Args:
            found: the source.
            splits: those of its splits that were decoded, by name; without `train`, that is empty.
            skipped: images that cannot be read, beside what the source itself left out.

        Raises:
            ImagetteError: a class has no image to learn from, or another split none.
        """
        for name, split in splits.items():
            if name == "train":
                found.check_classes(split.labels, skipped)
            elif not len(split):
                raise ImagetteError(
                    f"The {name} split of {found.source} holds no readable picture.",
                    "Add pictures to it, or remove it.",
                )
        none = next(iter(splits.values())).take(np.arange(0))
        return cls(
            found.name,
            found.class_names,
            splits.get("train", none),
            splits.get("test"),
            splits.get("validation"),
            class_names_fr=found.class_names_fr,
            source=found.source,
            licence=found.licence,
            skipped=found.skipped + skipped,
            notes=found.notes,
        )

    def load(self, size: int, view: ViewName = "whole", test_only: bool = False) -> "Dataset":
        """The same dataset with images of `size` by `size` pixels; see `DataSource.load`."""
        names = list(self.splits)[-1:] if test_only else self.splits
        resized = {name: self.splits[name].resized(size, size, view) for name in names}
        return Dataset.from_source(self, resized)

    @property
    def decoded(self) -> "Dataset":
        return self

    @property
    def splits(self) -> dict[str, Split]:
        """The splits there are, by name: train, validation, test."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}

    @property
    def count(self) -> int:
        return sum(map(len, self.splits.values()))

    @property
    def raw_train(self) -> RawSplit:
        return self.train.raw

    @property
    def raw_validation(self) -> RawSplit | None:
        return None if self.validation is None else self.validation.raw

    @property
    def raw_test(self) -> RawSplit | None:
        return None if self.test is None else self.test.raw


def _to_array(given: ArrayLike, what: str) -> NDArray:
    try:
        return np.asarray(given)
    except ValueError as error:  # rows of different lengths
        raise ImagetteError(
            f"The {what} cannot be made an array: they differ in shape.",
            f"Give all {what} the same shape.",
        ) from error


def _check_labels(labels: ArrayLike) -> NDArray:
    """The labels as an array of integers or of strings."""
    given = _to_array(labels, "labels")
    if given.dtype.kind == "O" and all(isinstance(label, str) for label in given.flat):
        given = given.astype(str)
    if given.dtype.kind not in "iuU" or given.ndim != 1:
        raise ImagetteError(
            f"Labels of shape {given.shape} and type {given.dtype} are not classes.",
            "Give the class of each picture, by its name or as an integer: (n,).",
        )
    return given


def _positions(
    labels: NDArray, found: ClassNames, names: tuple[str, ...], split: str
) -> NDArray[np.int64]:
    """The position of each label's class, among the names of all."""
    places = {name: place for place, name in enumerate(names)}
    values = np.unique(labels).tolist()
    named = {
        value: found.of.get(value, clean_name(value) if isinstance(value, str) else "")
        for value in values
    }
    unknown = [value for value in values if named[value] not in places]
    if unknown:
        known = names if isinstance(unknown[0], str) else list(found.of)
        raise ImagetteError(
            f"The label {unknown[0]!r} in the {split} split belongs to no class.",
            f"Labels may be: {listed([repr(value) for value in known], 'en')}.",
        )
    return np.array([places[named[label]] for label in labels.tolist()], np.int64)


def _to_rgb(images: ArrayLike) -> NDArray:
    """The images with three channels, also where they are greyscale."""
    given = _to_array(images, "images")
    return np.repeat(given[..., np.newaxis], 3, axis=3) if given.ndim == 3 else given
