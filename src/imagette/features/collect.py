"""A dataset as features: what a head learns from, and what it is measured on."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data import Dataset, ImageIndex, Split
from imagette.data.decode import Source
from imagette.data.on_demand import OnDemand
from imagette.data.sources.image_index import check_no_class_is_empty, check_test
from imagette.features.backbone import Backbone
from imagette.features.compute import compute_features
from imagette.heads.head import directions
from imagette.heads.ood_score import spread_over_classes
from imagette.heads.ridge import fit_ridge, make_targets
from imagette.images.preprocess import ViewName

TO_CHOOSE_BY = 200
"""The view is chosen by so many pictures, five or more of a class."""
_OF_A_CLASS = 5


@dataclass(frozen=True)
class FeatureSplit:
    """One split of a dataset, as features.

    Attributes:
        rows: float16 `(n, features)`.
        examples: its labels, paths, and pictures (decoded when they are asked for).
        digests: of each picture's content.
    """

    rows: NDArray[np.float16]
    examples: Split
    digests: list[bytes]

    def fingerprint(self) -> str:
        """A hex digest (128 bits) of the pictures and labels, in their order."""
        content = b"".join(self.digests) + self.examples.labels.tobytes()
        return blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Collected:
    """A dataset as features.

    Attributes:
        train: the train split.
        test: the test split, or None where there is none.
        skipped: paths that were left out, each with the reason.
    """

    train: FeatureSplit
    test: FeatureSplit | None
    skipped: tuple[tuple[str, str], ...]


def collect(found: ImageIndex | Dataset, backbone: Backbone, view: ViewName) -> Collected:
    """Compute the features of a dataset's pictures, or take those that are known.

    Raises:
        ImagetteError: a class has no readable picture to learn from, or the test split none.
    """
    train, skipped = _collect_part(*_listed(found, "train"), backbone, view)
    check_no_class_is_empty(found.class_names, set(train.examples.labels.tolist()), found.source)
    if found.test is None:
        return Collected(train, None, found.skipped + skipped)
    test, more = _collect_part(*_listed(found, "test"), backbone, view)
    check_test(test.examples, found.source)
    return Collected(train, test, found.skipped + skipped + more)


def choose_view(found: ImageIndex | Dataset, backbone: Backbone) -> ViewName:
    """What of each picture to look at: its middle, or all of it.

    It is what leave-one-out answers to some of the pictures have the lower squared error with.
    What matters lies in the middle of most photographs, and all over others, such as a tile with a
    broken edge. Where all pictures are square both are equal, and `whole` is taken.
    """
    sources, labels, _ = _listed(found, "train")
    some = _spread(labels, TO_CHOOSE_BY)
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


def _listed(
    found: ImageIndex | Dataset, name: str
) -> tuple[list[Source], NDArray[np.int64], list[str] | None]:
    """Sources, labels and paths of a split."""
    examples: Any = getattr(found, name)
    if isinstance(examples, Split):
        return (
            list(examples.images),
            examples.labels,
            None if examples.paths is None else list(examples.paths),
        )
    labels = np.array([one.label for one in examples], np.int64)
    return [one.picture for one in examples], labels, [one.path for one in examples]


def _collect_part(
    sources: list[Source],
    labels: NDArray[np.int64],
    paths: list[str] | None,
    backbone: Backbone,
    view: ViewName,
) -> tuple[FeatureSplit, tuple[tuple[str, str], ...]]:
    features = compute_features(sources, backbone, view)
    kept = [place for place in range(len(sources)) if place not in features.unreadable]
    images: Any = OnDemand([sources[place] for place in kept], backbone.size, view)
    named = None if paths is None else tuple(paths[place] for place in kept)
    examples = Split(images, labels[kept], named)
    skipped = tuple(
        (paths[place] if paths else f"picture {place}", reason)
        for place, reason in features.unreadable.items()
    )
    return FeatureSplit(features.rows, examples, features.digests), skipped


def _spread(labels: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Positions of pictures, several of each class: of some classes where there are many."""
    classes = np.random.default_rng(0).permutation(np.unique(labels))[: most // _OF_A_CLASS]
    places = np.flatnonzero(np.isin(labels, classes))
    return places[spread_over_classes(labels[places], most)]
