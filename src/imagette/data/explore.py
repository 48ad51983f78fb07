"""What is in a dataset: counts, pixel statistics and duplicates."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.data.data_source import Skipped
from imagette.data.dataset import Dataset, Split
from imagette.images.batches import batches

_PIXELS_AT_ONCE = 10_000_000


class Copy(NamedTuple):
    """One of several images with the same pixels.

    Attributes:
        split: `train`, `validation` or `test`.
        position: its position in that split.
        label: position of its class.
    """

    split: str
    position: int
    label: int


@dataclass(frozen=True)
class Duplicates:
    """How many images there are more than once, in one place.

    Attributes:
        groups: sets of images with the same pixels.
        images: within a split, the images beyond the first of each group; across the splits,
            those to measure with that are in train too.
        disagreeing: groups whose images have different labels.
    """

    groups: int
    images: int
    disagreeing: int


@dataclass(frozen=True)
class Exploration:
    """What is in a dataset.

    Attributes:
        name: the dataset's name.
        height: rows of each image.
        width: columns of each image.
        counts: number of images by split (`train`, and `validation` and `test` if there are such),
            then by class.
        mean: mean of the red, green and blue values of the train split, 0–255.
        deviation: their standard deviation over all its pixels, 0–255.
        duplicates: exact duplicates within each split and, where there are several, as `across`
            between train and the others.
        duplicate_groups: every set of images with the same pixels.
        skipped: files and folders that were left out, with the reason.
        notes: what to know of how the dataset was read.
    """

    name: str
    height: int
    width: int
    counts: dict[str, dict[str, int]]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    duplicates: dict[str, Duplicates]
    duplicate_groups: tuple[tuple[Copy, ...], ...]
    skipped: Skipped
    notes: tuple[str, ...] = ()


def explore(dataset: Dataset) -> Exploration:
    """Look into a dataset; `imagette.data.explore_page.write_page` shows what is found."""
    groups = find_duplicates(dataset)
    mean, deviation = channel_statistics(dataset.train.images)
    return Exploration(
        name=dataset.name,
        height=dataset.train.images.shape[1],
        width=dataset.train.images.shape[2],
        counts={name: _count(split, dataset.class_names) for name, split in dataset.splits.items()},
        mean=mean,
        deviation=deviation,
        duplicates=_summarise(groups, dataset),
        duplicate_groups=groups,
        skipped=dataset.skipped,
        notes=dataset.notes,
    )


def channel_statistics(images: NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel over all pixels of all images.

    Args:
        images: uint8 `(n, height, width, 3)`.

    Returns:
        Means and deviations of red, green and blue, 0–255. They are exact: computed from the
        number of times each of the 256 values occurs, so that no float copy of the images is
        needed either.
    """
    times = np.zeros((3, 256), dtype=np.int64)
    size = max(1, _PIXELS_AT_ONCE // (images.shape[1] * images.shape[2]))
    for batch in batches(len(images), size):
        for channel in range(3):
            values = images[batch, :, :, channel].ravel()
            times[channel] += np.bincount(values, minlength=256)
    weights = times / times.sum(axis=1, keepdims=True)
    means = weights @ np.arange(256)
    variances = (weights * (np.arange(256) - means[:, np.newaxis]) ** 2).sum(axis=1)
    return tuple(means.tolist()), tuple(np.sqrt(variances).tolist())


def find_duplicates(dataset: Dataset) -> tuple[tuple[Copy, ...], ...]:
    """Every set of images that have exactly the same pixels, wherever in the dataset they are."""
    return group_copies(
        # 128 bits: no two different images will ever share a digest by chance.
        (blake2b(image.tobytes(), digest_size=16).digest(), Copy(name, position, int(label)))
        for name, split in dataset.splits.items()
        for position, (image, label) in enumerate(zip(split.images, split.labels, strict=True))
    )


def group_copies(images: Iterable[tuple[bytes, Copy]]) -> tuple[tuple[Copy, ...], ...]:
    """The sets of images that share a digest."""
    copies: dict[bytes, list[Copy]] = defaultdict(list)
    for digest, copy in images:
        copies[digest].append(copy)
    return tuple(tuple(group) for group in copies.values() if len(group) > 1)


def contradicting(groups: Sequence[tuple[Copy, ...]]) -> list[tuple[Copy, ...]]:
    """Those of several classes: a label of each is wrong."""
    return [group for group in groups if len({copy.label for copy in group}) > 1]


def across_splits(groups: Sequence[tuple[Copy, ...]]) -> tuple[list[tuple[Copy, ...]], int]:
    """Those of train and of another split, and how many images of other splits are among them,
    which are learned."""
    both = [group for group in groups if {copy.split for copy in group} > {"train"}]
    return both, sum(copy.split != "train" for group in both for copy in group)


def _count(split: Split, class_names: tuple[str, ...]) -> dict[str, int]:
    counts = np.bincount(split.labels, minlength=len(class_names)).tolist()
    return dict(zip(class_names, counts, strict=True))


def _summarise(groups: tuple[tuple[Copy, ...], ...], dataset: Dataset) -> dict[str, Duplicates]:
    def summary(found: Sequence[tuple[Copy, ...]], images: int) -> Duplicates:
        return Duplicates(len(found), images, len(contradicting(found)))

    result = {}
    for name in dataset.splits:
        inside = [tuple(copy for copy in group if copy.split == name) for group in groups]
        inside = [group for group in inside if len(group) > 1]
        result[name] = summary(inside, sum(len(group) - 1 for group in inside))
    if len(dataset.splits) > 1:
        result["across"] = summary(*across_splits(groups))
    return result
