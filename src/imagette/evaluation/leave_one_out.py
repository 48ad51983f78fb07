"""What a head in closed form answers: to test pictures or, where there are none, by leave-one-out
cross-validation: to each picture that it learned, by a head that has not learned that one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data import Split, open_source
from imagette.errors import ImagetteError
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
    split that came with the dataset; without either, to what it learned (see `answers_left_out`).
    """
    name, split = list(collected.splits.items())[-1]
    if name == "train":
        return of_learned
    return Answers(split.examples, name, *head.predict(split.rows))


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
    images: Any = examples.images.at(places)  # type: ignore[attr-defined]
    paths = None if examples.paths is None else tuple(examples.paths[place] for place in places)
    return Answers(
        Split(images, examples.labels[places], paths),
        LEFT_OUT,
        left_out.probabilities[places],
        left_out.familiarity[places],
    )


def learned_all(classifier: Classifier) -> bool:
    """Whether a run has held out no picture of its dataset, which has no test split either."""
    return classifier.metadata.accuracy_split == LEFT_OUT


def leave_out_again(
    classifier: Classifier, info: RunInfo, data_dir: str | Path | None
) -> tuple[str, Answers]:
    """The name of a run's dataset, and the answers to each of its pictures without that picture.

    They are computed anew, from the features of the pictures, which are known.

    Raises:
        ImagetteError: the dataset is gone, or its pictures have changed since.
    """
    metadata = classifier.metadata
    found = open_source(info.dataset, data_dir or info.data_dir)
    options = (metadata.recipe or {}).get("model_options", {})
    backbone = open_backbone(options.get("variant", 0))
    # Test images have no part in it.
    collected, _ = collect_split(found.raw_train, backbone, classifier.view)
    if info.train_fingerprint != collected.fingerprint():
        raise ImagetteError(
            f"The pictures in {info.dataset} have changed since the run was trained, so that what"
            " it would answer without each of them can no longer be told.",
            "Train again, which takes seconds, or evaluate on other pictures: imagette evaluate RUN"
            " DATASET.",
        )
    _, left_out = fit_head(collected.rows, collected.examples.labels, len(found.class_names))
    return found.name, answers_left_out(collected, left_out)
