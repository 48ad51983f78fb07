"""From pictures to features, a few at a time, so that however many there are take little memory."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress

from imagette.data.content import content_digest, read_source
from imagette.data.decode import Source, decode_image
from imagette.errors import ImageError
from imagette.features.backbone import Backbone, cores
from imagette.features.store import FeatureStore
from imagette.images.open_image import PREPROCESS_VERSION
from imagette.images.views import ViewName
from imagette.models.efficientnet_lite import FEATURES
from imagette.terminal import local

_AT_ONCE = 4

Found = list[tuple[bytes, NDArray[np.float16] | str]]
"""Of each picture the digest of its content, 16 bytes, and its features, float16 `(1280,)`, or the
reason why it has none."""


class Store(Protocol):
    """Where features are kept: a `FeatureStore`, or one on another machine."""

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        """Those that are known, by their keys."""

    def keep(self, pairs: Iterable[tuple[bytes, NDArray[np.float16]]]) -> None:
        """Keep features under their keys."""


@dataclass(frozen=True)
class Features:
    """Features of pictures.

    Attributes:
        rows: float16 `(n, 1280)`, of those that can be read, in order.
        digests: of the content of each, 16 bytes: the same for the same picture.
        unreadable: by position, why a picture cannot be read.
    """

    rows: NDArray[np.float16]
    digests: list[bytes]
    unreadable: dict[int, str]


def compute_features(sources: Sequence[Source], backbone: Backbone, view: ViewName) -> Features:
    """Compute features, or take those that are known; `view` tells what of each picture."""
    store = FeatureStore(backbone.key)
    starts = range(0, len(sources), _AT_ONCE)
    workers = ThreadPoolExecutor(cores())
    try:
        jobs = workers.map(
            lambda start: compute_few(sources[start : start + _AT_ONCE], backbone, view, store),
            starts,
        )
        return gather(len(sources), zip(starts, jobs, strict=True))
    finally:  # as when Ctrl-C is pressed: what is known by then is kept
        workers.shutdown(cancel_futures=True)
        store.close()


def gather(count: int, jobs: Iterable[tuple[int, Found]]) -> Features:
    """Put together what was found of so many pictures, with a bar of how far it is.

    Args:
        count: how many pictures there are.
        jobs: of some pictures that follow each other: the place of the first, and what was found;
            in any order.
    """
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    rows = np.empty((count, FEATURES), np.float16)
    digests = [b""] * count
    unreadable: dict[int, str] = {}
    with bar:
        task = bar.add_task(local("Looking at pictures"), total=count)
        for start, found in jobs:
            for place, (digest, row) in enumerate(found, start):
                if isinstance(row, str):
                    unreadable[place] = row
                else:
                    rows[place], digests[place] = row, digest
            bar.advance(task, len(found))
    kept = [place for place in range(count) if place not in unreadable]
    if unreadable:
        for to, place in enumerate(kept):  # in place: of many pictures they take gigabytes
            rows[to] = rows[place]
    in_order = dict(sorted(unreadable.items()))
    return Features(rows[: len(kept)], [digests[place] for place in kept], in_order)


def compute_few(
    sources: Sequence[Source], backbone: Backbone, view: ViewName, store: Store
) -> Found:
    """Compute features of a few pictures, or take those that the store knows."""
    found: Found = []
    keys: dict[int, bytes] = {}
    contents: dict[int, bytes | NDArray[np.uint8]] = {}
    for place, source in enumerate(sources):
        try:
            content = contents[place] = read_source(source)
            digest = content_digest(content)
            keys[place] = blake2b(
                f"{PREPROCESS_VERSION} {backbone.size} {view}".encode() + digest, digest_size=16
            ).digest()
            found.append((digest, ""))
        except OSError as error:
            found.append((b"", f"cannot be read ({error.strerror or error})."))
        except ImageError as error:
            found.append((b"", _reason(error)))
    known = store.find(list(keys.values()))
    images: dict[int, NDArray[np.uint8]] = {}
    for place, key in keys.items():
        if (row := known.get(key)) is not None:
            found[place] = found[place][0], row
            continue
        try:
            images[place] = decode_image(contents[place], backbone.size, view)
        except ImageError as error:
            found[place] = b"", _reason(error)
    if images:
        new = backbone.compute(np.stack(list(images.values()))).astype(np.float16)
        store.keep([(keys[place], row) for place, row in zip(images, new, strict=True)])
        for place, row in zip(images, new, strict=True):
            found[place] = found[place][0], row
    return found


def _reason(error: ImageError) -> str:
    return re.sub("^The (picture|file) ", "", error.problem)
