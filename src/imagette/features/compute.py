"""From pictures to features, a few at a time, so that however many there are take little memory."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b

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
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    store = FeatureStore(backbone.key)
    rows = np.empty((len(sources), FEATURES), np.float16)
    digests: list[bytes] = []
    unreadable: dict[int, str] = {}
    starts = range(0, len(sources), _AT_ONCE)
    workers = ThreadPoolExecutor(cores())
    try:
        with bar:
            task = bar.add_task(local("Looking at pictures"), total=len(sources))
            jobs = workers.map(
                lambda start: _compute(sources[start : start + _AT_ONCE], backbone, view, store),
                starts,
            )
            for start, found in zip(starts, jobs, strict=True):
                for number, (digest, row) in enumerate(found, start):
                    if isinstance(row, str):
                        unreadable[number] = row
                    else:
                        rows[len(digests)] = row
                        digests.append(digest)
                bar.advance(task, len(found))
    finally:  # as when Ctrl-C is pressed: what is known by then is kept
        workers.shutdown(cancel_futures=True)
        store.close()
    return Features(rows[: len(digests)], digests, unreadable)


def _compute(
    sources: Sequence[Source], backbone: Backbone, view: ViewName, store: FeatureStore
) -> list[tuple[bytes, NDArray[np.float16] | str]]:
    """The digest of each picture, and its features or the reason why it has none."""
    found: list[tuple[bytes, NDArray[np.float16] | str]] = []
    missing: list[tuple[int, bytes, NDArray[np.uint8]]] = []
    for place, source in enumerate(sources):
        try:
            content = read_source(source)
            digest = content_digest(content)
            key = blake2b(
                f"{PREPROCESS_VERSION} {backbone.size} {view}".encode() + digest, digest_size=16
            ).digest()
            row = store.find(key)
            if row is None:
                missing.append((place, key, decode_image(content, backbone.size, view)))
            found.append((digest, "" if row is None else row))
        except ImageError as error:
            reason = re.sub("^The (picture|file) ", "", error.problem)
            found.append((b"", reason))
        except OSError as error:
            found.append((b"", f"cannot be read ({error.strerror or error})."))
    if missing:
        places, keys, images = zip(*missing, strict=True)
        new = backbone.compute(np.stack(images)).astype(np.float16)
        store.keep(zip(keys, new, strict=True))
        for place, row in zip(places, new, strict=True):
            found[place] = found[place][0], row
    return found
