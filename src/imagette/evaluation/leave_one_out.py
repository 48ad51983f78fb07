"""What a head in closed form answers: to test pictures or, where there are none, by leave-one-out
cross-validation: to each picture that it learned, by a head that has not learned that one."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data import DataSource, Split
from imagette.data.content import PictureSet
from imagette.features.backbone import open_backbone
from imagette.features.collect import Collected, FeatureSplit, collect_split
from imagette.heads.head import Head, LeftOut, fit_head
from imagette.inference.classifier import Classifier
from imagette.runs import RunInfo

LEFT_OUT = "leave-one-out"


@dataclass(frozen=True)
class Answers:
    """Answers to be measured.

    Attributes:
        examples: the pictures asked about.
        split: which they are: `test`, `validation`, `leave-one-out` or `all`.
        probabilities: float32 `(n, classes)`.
        familiarity: float32 `(n,)`, or None where the model cannot tell.
    """

    examples: Split
    split: str
    probabilities: NDArray[np.float32]
    familiarity: NDArray[np.float32] | None


def measure_collected(collected: Collected, head: Head, of_learned: Answers) -> Answers:
    """The answers that say how good a head is: to the test split or, without, to the validation
    split that came with the dataset, to pictures that are not in train too; without either, to what
    it learned (see `answers_left_out`)."""
    name, split = list(collected.splits.items())[-1]
    new = None if name == "train" else without_learned(split, collected.train)
    return of_learned if new is None else Answers(new.examples, name, *head.predict(new.rows))


def says_nothing(metrics: dict[str, Any]) -> bool:
    """Whether every picture measured was the only one of its class, and left out."""
    single = all(row["support"] <= 1 for row in metrics["per_class"].values())
    return metrics["split"] == LEFT_OUT and single


def answers_left_out(learned: FeatureSplit, left_out: LeftOut) -> Answers:
    """The answers to pictures of classes that have several: without the only one of its class, a
    head cannot know it. All, where no class has several."""
    examples = learned.examples
    several = np.bincount(examples.labels)[examples.labels] > 1
    if not several.any() or several.all():
        return Answers(examples, LEFT_OUT, left_out.probabilities, left_out.familiarity)
    places = np.flatnonzero(several)
    return Answers(
        _at(examples, places),
        LEFT_OUT,
        left_out.probabilities[places],
        left_out.familiarity[places],
    )


def learned_all(classifier: Classifier) -> bool:
    """Whether a run has held out no picture of its dataset, which has no test split either."""
    return classifier.metadata.accuracy_split == LEFT_OUT


def leave_out_again(classifier: Classifier, info: RunInfo, found: DataSource) -> Answers | None:
    """The answers to each of a dataset's pictures without that picture.

    They are computed anew, from the features of the pictures, which are known. None where the
    pictures are not those that the run has learned.
    """
    metadata = classifier.metadata
    options = (metadata.recipe or {}).get("model_options", {})
    backbone = open_backbone(options.get("variant", 0))
    # Test images have no part in it.
    collected, _ = collect_split(found.raw_train, backbone, classifier.view)
    if info.train_fingerprint != collected.fingerprint():
        return None
    _, left_out = fit_head(collected.rows, collected.examples.labels, len(found.class_names))
    return answers_left_out(collected, left_out)


def without_learned(split: FeatureSplit, learned: FeatureSplit) -> FeatureSplit | None:
    """The pictures of a split that are not among those learned; None without any."""
    new = np.flatnonzero(~PictureSet(learned.digests).contains(split.digests))
    if len(new) == len(split.digests) or not len(new):
        return split if len(new) else None
    return FeatureSplit(
        split.rows[new], _at(split.examples, new), [split.digests[place] for place in new]
    )


def _at(examples: Split, places: NDArray[np.int64]) -> Split:
    """Some of pictures that are decoded when they are asked for."""
    images: Any = examples.images.at(places)  # type: ignore[attr-defined]
    paths = None if examples.paths is None else tuple(examples.paths[place] for place in places)
    return Split(images, examples.labels[places], paths)
