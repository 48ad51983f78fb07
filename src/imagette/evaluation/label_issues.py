"""Label issues, which a model doubts, and near duplicates of test pictures in training."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.data import Dataset, DataSource, Split
from imagette.data.near_duplicates import Pair, find_near_duplicates
from imagette.evaluation.evaluated_model import EvaluatedModel, open_model, relabel_for, resize_for
from imagette.evaluation.leave_one_out import leave_out_again
from imagette.inference.classifier import Classifier

SplitName = Literal["test", "validation", "held-out", "train"]
"""`train`: pictures whose labels the model learned; `held-out`: those of the train split that its
training kept for validation; `validation` and `test`: the splits that came with the dataset."""


class Subset(NamedTuple):
    """Some of the dataset's images.

    Attributes:
        split: which.
        examples: the images and labels; of an `Audit`, in the model's size and class order.
        positions: int64 `(n,)`, where each lies in the split that it comes from.
    """

    split: SplitName
    examples: Split
    positions: NDArray[np.int64]


class LabelIssue(NamedTuple):
    """An image whose label is probably wrong.

    Attributes:
        position: its place in the subset.
        label: position of the class it is labelled with.
        suggested: position of the class the model gives.
        confidence: probability of that class.
        score: probability of the class it is labelled with: the lower, the greater the doubt.
    """

    position: int
    label: int
    suggested: int
    confidence: float
    score: float


@dataclass(frozen=True)
class Audit:
    """What was found in a dataset.

    Attributes:
        model: name of the run or path of the bundle.
        dataset: where the pictures were found.
        class_names: English names, in the order of the labels found.
        class_names_fr: French names, in the same order.
        label_issues: for each split there is, those that the model did not learn from first, its
            images and the labels that are probably wrong, the most doubtful first.
        compared: the images that accuracy is measured on and those of the train split, searched
            for near duplicates of one another; None where there are no two splits.
        duplicates: each of the former that has a near duplicate among the latter.
    """

    model: str
    dataset: DataSource
    class_names: tuple[str, ...]
    class_names_fr: tuple[str, ...]
    label_issues: tuple[tuple[Subset, tuple[LabelIssue, ...]], ...]
    compared: tuple[Subset, Subset] | None
    duplicates: tuple[Pair, ...]


def find_label_issues(
    run_or_bundle: str | Path,
    dataset: str | Path | DataSource | None = None,
    *,
    data_dir: str | Path | None = None,
) -> Audit:
    """Look for wrong labels and for near duplicates across train and test, with a model's help.

    Labels are doubted by Confident Learning (Northcutt, Jiang & Chuang, *Confident Learning:
    Estimating Uncertainty in Dataset Labels*, JAIR 2021), in each split by itself, since a model
    doubts few of the labels that it has learned.

    Args:
        run_or_bundle: the folder of a run, or a `.onnx` bundle.
        dataset: what to look through, as `load_dataset` takes it or already loaded; the dataset the
            model was trained on if None.
        data_dir: where to look for CIFAR-10 first.

    Raises:
        ImagetteError: the run, the bundle or the dataset is missing, damaged or does not fit.
    """
    model = open_model(run_or_bundle)
    classifier = model.classifier
    subsets, answers = [], []
    found = model.find(dataset, data_dir)
    left_out = None
    if model.info is not None and model.info.epochs == 0 and model.learned_from(found):
        # Each label is doubted by a head that has not learned it.
        left_out = leave_out_again(classifier, model.info, found)
    tested = model.load(found, test_only=left_out is not None)
    if left_out:
        subsets.append(_whole("held-out", left_out.examples))
        answers.append(left_out.probabilities)
        others = _given(tested)
    else:
        others = _subsets(model, found, tested)
    fitted = [_fit(classifier, subset, tested.class_names) for subset in others]
    subsets = fitted + subsets
    answers = [classifier.predict_proba(one.examples.images) for one in fitted] + answers
    compared = _to_compare(subsets)
    return Audit(
        model=model.name,
        dataset=found,
        class_names=classifier.class_names,
        class_names_fr=classifier.class_names_fr,
        label_issues=tuple(
            (subset, _label_issues(subset.examples.labels, probabilities))
            for subset, probabilities in zip(subsets, answers, strict=True)
        ),
        compared=compared,
        duplicates=tuple(
            find_near_duplicates(compared[0].examples.images, compared[1].examples.images)
            if compared
            else ()
        ),
    )


def _subsets(model: EvaluatedModel, found: DataSource, dataset: Dataset) -> list[Subset]:
    """All images of a dataset, those the model did not learn from first."""
    subsets = _given(dataset)
    train = dataset.train
    own = model.learned_from(found) and dataset.validation is None
    parts = model.held_out(train) if own else None
    if parts is None:
        return [*subsets, _whole("train", train)]
    learned, held_out = parts
    subsets.append(Subset("held-out", train.take(held_out), held_out))
    return [*subsets, Subset("train", train.take(learned), learned)]


def _given(dataset: Dataset) -> list[Subset]:
    """The splits that came with the dataset and are not learned from, the test split first."""
    subsets = [] if dataset.test is None else [_whole("test", dataset.test)]
    if dataset.validation is not None:
        subsets.append(_whole("validation", dataset.validation))
    return subsets


def _whole(name: SplitName, examples: Split) -> Subset:
    return Subset(name, examples, np.arange(len(examples)))


def _fit(classifier: Classifier, subset: Subset, class_names: tuple[str, ...]) -> Subset:
    labelled = relabel_for(classifier, subset.examples, class_names)
    return subset._replace(examples=resize_for(classifier, labelled))


def _label_issues(
    labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> tuple[LabelIssue, ...]:
    """The labels that are probably wrong by a model's answers, the most doubtful first.

    For each class, as many as Confident Learning estimates to be wrong, less those that the model
    agrees with.
    """
    import cleanlab.filter

    with warnings.catch_warnings():
        # A class of which there is hardly a picture: no reason to alarm anybody.
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        # In one process: forks cost more than they save here.
        found = cleanlab.filter.find_label_issues(
            labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return tuple(
        LabelIssue(
            position=int(index),
            label=int(labels[index]),
            suggested=int(probabilities[index].argmax()),
            confidence=float(probabilities[index].max()),
            score=float(probabilities[index, labels[index]]),
        )
        for index in found
    )


def _to_compare(subsets: list[Subset]) -> tuple[Subset, Subset] | None:
    """What accuracy is measured on, and all of the train split that is not among it."""
    first, *others = subsets
    others = [one for one in others if one.split != "validation"]
    if not others:
        return None
    if len(others) == 1:
        return first, others[0]._replace(split="train")
    columns = ((one.examples.images, one.examples.labels, one.positions) for one in others)
    images, labels, positions = map(np.concatenate, zip(*columns, strict=True))
    paths = sum((one.examples.paths or () for one in others), ()) or None
    return first, Subset("train", Split(images, labels, paths), positions)
