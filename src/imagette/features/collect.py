"""A dataset as features: what a head learns from, and what it is measured on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data.data_source import DataSource, RawSplit, Skipped
from imagette.data.dataset import Split
from imagette.data.decode import Source
from imagette.data.on_demand import OnDemand
from imagette.features.backbone import Backbone
from imagette.features.compute import Features, compute_features
from imagette.heads.head import directions
from imagette.heads.ood_score import spread_over_classes
from imagette.heads.ridge import fit_ridge, make_targets
from imagette.images.views import ViewName

Compute = Callable[[Sequence[Source], Backbone, ViewName], Features]

TO_CHOOSE_BY = 200
"""The view is chosen by so many images, five or more of a class."""
_OF_A_CLASS = 5


@dataclass(frozen=True)
class FeatureSplit:
    """One split of a dataset, as features.

    Attributes:
        rows: float16 `(n, features)`.
        examples: its labels, paths, and images (decoded when they are asked for).
        digests: of each image's content.
    """

    rows: NDArray[np.float16]
    examples: Split
    digests: list[bytes]

    def fingerprint(self) -> str:
        """A hex digest (128 bits) of the images and labels, in their order."""
        content = b"".join(self.digests) + self.examples.labels.tobytes()
        return blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Collected:
    """A dataset as features.

    Attributes:
        train: the train split.
        validation: the validation split that came with the dataset, or None where there is none.
        test: the test split likewise.
        skipped: images that cannot be read, each with the reason.
        view: what of each image was looked at.
    """

    train: FeatureSplit
    validation: FeatureSplit | None
    test: FeatureSplit | None
    skipped: Skipped
    view: ViewName

    @property
    def splits(self) -> dict[str, FeatureSplit]:
        """The splits there are, by name."""
        named = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: split for name, split in named.items() if split is not None}


def collect(
    found: DataSource, backbone: Backbone, view: ViewName, compute: Compute = compute_features
) -> Collected:
    """Compute the features of a source's images, or take those that are known."""
    splits: dict[str, FeatureSplit] = {}
    skipped: Skipped = ()
    for name, raw in found.raw_splits.items():
        splits[name], more = collect_split(raw, backbone, view, compute)
        skipped += more
    return Collected(splits["train"], splits.get("validation"), splits.get("test"), skipped, view)


def choose_view(found: DataSource, backbone: Backbone) -> ViewName:
    """What of each image to look at: its middle, or all of it.

    It is what leave-one-out answers to some of the images have the lower squared error with.
    What matters lies in the middle of most photographs, and all over others, such as a tile with a
    broken edge. Where all images are square both are equal, and `whole` is taken.
    """
    sources, labels, _ = found.raw_train
    some = np.sort(_spread(labels, TO_CHOOSE_BY))  # some sources are read from front to back
    errors: dict[ViewName, float] = {}
    views: tuple[ViewName, ViewName] = ("whole", "centre")  # the first one, where both are equal
    for view in views:
        features = compute_features([sources[place] for place in some], backbone, view)
        readable = np.delete(some, list(features.unreadable))
        errors[view] = _error(features.rows, labels[readable])
    return min(views, key=errors.__getitem__)


def _error(rows: NDArray[np.float16], labels: NDArray[np.int64]) -> float:
    """Mean squared error of leave-one-out answers, all classes counting alike."""
    if not len(rows):
        return 0.0
    labels = np.unique(labels, return_inverse=True)[1]
    classes = int(labels.max()) + 1
    fit = fit_ridge(directions(rows), labels, classes)
    errors = (fit.loo_scores - make_targets(labels, classes)) ** 2
    # Without the only picture of a class, an answer says nothing.
    counted = np.where(np.bincount(labels)[labels] > 1, fit.weights, 0.0)
    return float((counted[:, None] * errors).mean())


def collect_split(
    raw: RawSplit, backbone: Backbone, view: ViewName, compute: Compute = compute_features
) -> tuple[FeatureSplit, Skipped]:
    """The features of one split, and the images that cannot be read, each with the reason."""
    features = compute(raw.images, backbone, view)
    kept = [place for place in range(len(raw.images)) if place not in features.unreadable]
    images: Any = OnDemand([raw.images[place] for place in kept], backbone.size, view)
    paths = None if raw.paths is None else tuple(raw.paths[place] for place in kept)
    examples = Split(images, raw.labels[kept], paths)
    skipped = tuple(
        (raw.paths[place] if raw.paths else f"picture {place}", reason)
        for place, reason in features.unreadable.items()
    )
    return FeatureSplit(features.rows, examples, features.digests), skipped


def _spread(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Positions of images, several of each class: of some classes where there are many."""
    classes = np.random.default_rng(0).permutation(np.unique(labels))[: most // _OF_A_CLASS]
    places = np.flatnonzero(np.isin(labels, classes))
    return places[spread_over_classes(labels[places], most)]
