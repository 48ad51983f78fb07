"""A few pictures of each class, small, for a model to carry: its page shows them, and people try it
with them.

They are chosen at random, before anything is known of how the model answers to them, from what it
has not learned; where it has learned all there is, from that.
"""

from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from imagette.data.data_source import DataSource
from imagette.data.dataset import Split
from imagette.data.decode import Source, decode_whole
from imagette.errors import ImageError
from imagette.images.thumbnail import make_thumbnail

MOST_BYTES = 2_000_000
"""All of them together take no more than this; 1,000 classes have one of some 2 kB each."""

_SIZES = ((40, 6, 160), (200, 3, 128), (100_000, 1, 72))
"""Up to so many classes: pictures of each, and their longer side in pixels."""


@dataclass(frozen=True)
class Samples:
    """Small pictures of each class.

    Attributes:
        split: where they are from: `test`, `validation` or, where the model has learned every
            picture, `train`.
        images: for each class JPEG files, in base64.
    """

    split: str
    images: tuple[tuple[str, ...], ...]


def choose_samples(found: DataSource, splits: dict[str, Split]) -> Samples:
    """Small pictures of each class, without anything that a camera wrote into them.

    Args:
        found: the dataset, its pictures as they were found.
        splits: by name the pictures that are learned from, and those held out.
    """
    name = next(one for one in ("test", "validation", "train") if one in splits)
    classes = len(found.class_names)
    count, side = next((count, side) for most, count, side in _SIZES if classes <= most)
    files = {
        path: image
        for raw in found.raw_splits.values()
        for path, image in zip(raw.paths or (), raw.images, strict=False)
    }
    chosen = [_choose(splits[name], label, count, files) for label in range(classes)]
    images: list[list[str]] = [[] for _ in range(classes)]
    room = MOST_BYTES
    with ThreadPoolExecutor() as pool:
        # The first picture of each class, then the second of each: where there is no room for
        # more, all classes have about as many.
        for places in zip_longest(*chosen):
            for label, content in enumerate(pool.map(lambda one: _thumbnail(one, side), places)):
                if content and len(content) <= room:
                    room -= len(content)
                    images[label].append(b64encode(content).decode())
    return Samples(name, tuple(map(tuple, images)))


def count_classes(splits: dict[str, Split], classes: int) -> dict[str, tuple[int, ...]]:
    """How many pictures there are of each class, by split."""
    return {
        name: tuple(np.bincount(split.labels, minlength=classes).tolist())
        for name, split in splits.items()
    }


def _choose(split: Split, label: int, count: int, files: dict[str, Source]) -> Iterator[Source]:
    """Some pictures of a class, as they were found: a split has them in the network's size."""
    places = np.flatnonzero(split.labels == label)
    for place in np.random.default_rng(label).permutation(places)[:count]:
        path = split.paths[place] if split.paths else ""
        yield files[path] if path in files else split.images[place]


def _thumbnail(source: Source | None, side: int) -> bytes:
    """A picture, small; nothing where there is none, or it has gone meanwhile."""
    if source is None:
        return b""
    try:
        return make_thumbnail(decode_whole(source, side), side)
    except (ImageError, OSError):
        return b""
