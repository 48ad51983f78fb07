"""What a dataset is: pictures, labels, names."""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImagetteError


@dataclass(frozen=True)
class Part:
    """Labelled pictures of one part of a dataset.

    Attributes:
        images: uint8 `(n, height, width, 3)`, RGB.
        labels: int64 `(n,)`, positions in the dataset's `class_names`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.int64]) -> "Part":
        """The pictures at `indices`, in that order."""
        return Part(self.images[indices], self.labels[indices])

    def fingerprint(self) -> str:
        """A hex digest (128 bits) of the pictures and labels, in their order."""
        digest = blake2b(repr(self.images.shape).encode(), digest_size=16)
        for array in (self.images, self.labels):
            digest.update(np.ravel(array).data)  # no copy where it is contiguous
        return digest.hexdigest()


@dataclass(frozen=True)
class Dataset:
    """Labelled pictures, split into a train part and (most often) a test part.

    Attributes:
        name: what to call it in titles and file names, such as `cifar10`.
        source: what to give `load_dataset` to get it again: a name, or a folder's full path.
        class_names: English names, in the order of the labels.
        class_names_fr: French names, in the same order (the English ones where there are none).
        train: what training may look at; validation is split off it.
        test: what no training ever looks at, or None where the dataset has no such part.
        licence: under what terms the pictures may be used, in a few words; empty if unknown.
        skipped: files that could not be read and were left out, with the reason.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    class_names_fr: tuple[str, ...]
    train: Part
    test: Part | None
    licence: str = ""
    skipped: tuple[tuple[str, str], ...] = ()

    @property
    def parts(self) -> dict[str, Part]:
        """The parts there are, by name."""
        return {"train": self.train} | ({"test": self.test} if self.test is not None else {})


def split_validation(part: Part, fraction: float, seed: int) -> tuple[Part, Part]:
    """Hold out a stratified, seeded fraction of the train part for validation.

    Args:
        part: the train part of a dataset.
        fraction: share of the pictures to hold out, between 0 and 1.
        seed: the same seed holds out the same pictures.

    Returns:
        The pictures to train on and the pictures held out.

    Raises:
        ImagetteError: there are too few pictures to have every class on both sides.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, validation = train_test_split(
            np.arange(len(part)), test_size=fraction, random_state=seed, stratify=part.labels
        )
    except ValueError as error:
        raise ImagetteError(
            f"{len(part)} pictures are too few to hold out {fraction:.0%} of every class"
            " for validation.",
            "Add pictures to the smallest classes, or change `validation_fraction`.",
        ) from error
    return part.take(np.sort(train)), part.take(np.sort(validation))
