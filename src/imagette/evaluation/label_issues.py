"""Which labels of a dataset a model doubts, and which test pictures it has met in training."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.data import Dataset, Split
from imagette.data.near_duplicates import Pair, find_near_duplicates
from imagette.data.splits import split_positions
from imagette.evaluation.evaluate import (
    Model,
    fit,
    is_own,
    load_pictures,
    open_model,
)
from imagette.evaluation.left_out import leave_out_again
from imagette.files import write_csv, write_text

SplitName = Literal["test", "held-out", "train"]
"""`train`: pictures whose labels the model learned; `held-out`: those of the train split that its
training kept for validation; `test`: the test split."""


DOUBT_COLUMNS = ("split", "index", "path", "label", "suggested_label", "score")
PAIR_COLUMNS = (
    "split", "index", "path", "label", "other_split", "other_index", "other_path", "other_label",
    "similarity",
)  # fmt: skip


class Pictures(NamedTuple):
    """Some of the dataset's pictures.

    Attributes:
        split: which.
        examples: the pictures, as they are in the dataset.
        positions: int64 `(n,)`, where each lies in the dataset's train or test split.
    """

    split: SplitName
    examples: Split
    positions: NDArray[np.int64]


class Doubt(NamedTuple):
    """A picture whose label is probably wrong.

    Attributes:
        position: its place in the split.
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
    """What an audit found.

    Attributes:
        model: name of the run or path of the bundle.
        dataset: the dataset's name.
        class_names: English names, in the order of the labels found.
        class_names_fr: French names, in the same order.
        doubts: for each split there is, those that the model did not learn from first, its
            pictures and the labels that are probably wrong, the most doubtful first.
        compared: the pictures that accuracy is measured on and those of the train split, searched
            for near duplicates of one another; None where there are no two splits.
        duplicates: each of the former that has a near duplicate among the latter.
        page: the HTML page that shows it all; audit.csv and duplicates.csv lie beside it.
    """

    model: str
    dataset: str
    class_names: tuple[str, ...]
    class_names_fr: tuple[str, ...]
    doubts: tuple[tuple[Pictures, tuple[Doubt, ...]], ...]
    compared: tuple[Pictures, Pictures] | None
    duplicates: tuple[Pair, ...]
    page: Path


def audit(
    run_or_bundle: str | Path,
    dataset: str | Path | Dataset | None = None,
    *,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
) -> Audit:
    """Look for wrong labels and for near duplicates across train and test, with a model's help.

    Labels are doubted by Confident Learning (Northcutt, Jiang & Chuang, *Confident Learning:
    Estimating Uncertainty in Dataset Labels*, JAIR 2021), in each split by itself, since a model
    doubts few of the labels that it has learned.

    Args:
        run_or_bundle: the folder of a run, or a `.onnx` bundle.
        dataset: what to audit, as `load_dataset` takes it or already loaded; the dataset the model
            was trained on if None.
        data_dir: where to look for CIFAR-10 first.
        out: folder for audit.html, audit.csv and duplicates.csv; `explore-DATASET` if None.

    Raises:
        ImagetteError: the run, the bundle or the dataset is missing, damaged or does not fit.
    """
    model = open_model(run_or_bundle)
    classifier = model.classifier
    if is_own(model, dataset) and model.info is not None and model.info.epochs == 0:
        # Each picture is doubted by a head that has not learned its label.
        name, answers = leave_out_again(classifier, model.info, data_dir)
        splits = [Pictures("held-out", answers.examples, np.arange(len(answers.examples)))]
        doubts = [_doubt(answers.examples, answers.probabilities)]
        tested = load_pictures(dataset, data_dir, model, test_only=True)
        if tested.test is not None:
            test = fit(tested.test, tested.class_names, classifier)
            splits.insert(0, Pictures("test", test, np.arange(len(test))))
            doubts.insert(0, _doubt(test, classifier.predict_proba(test.images)))
    else:
        dataset = load_pictures(dataset, data_dir, model)
        name = dataset.name
        splits = [
            Pictures(split, fit(examples, dataset.class_names, classifier), positions)
            for split, examples, positions in _split(model, dataset)
        ]
        doubts = [
            _doubt(some.examples, classifier.predict_proba(some.examples.images)) for some in splits
        ]
    compared = _to_compare(splits)
    found = Audit(
        model=model.name,
        dataset=name,
        class_names=classifier.class_names,
        class_names_fr=classifier.class_names_fr,
        doubts=tuple(zip(splits, doubts, strict=True)),
        compared=compared,
        duplicates=tuple(
            find_near_duplicates(compared[0].examples.images, compared[1].examples.images)
            if compared
            else ()
        ),
        page=(Path(out) if out else Path(f"explore-{name}")) / "audit.html",
    )
    _write(found)
    return found


def _split(model: Model, dataset: Dataset) -> list[Pictures]:
    """The splits, those the model did not learn from first."""
    splits: list[Pictures] = []
    if dataset.test is not None:
        splits.append(Pictures("test", dataset.test, np.arange(len(dataset.test))))
    train, info = dataset.train, model.info
    if info is None or info.dataset != dataset.source or not info.learns_from(train):
        return [*splits, Pictures("train", train, np.arange(len(train)))]
    learned, held_out = split_positions(train, info.validation_fraction, info.seed)
    splits.append(Pictures("held-out", train.take(held_out), held_out))
    return [*splits, Pictures("train", train.take(learned), learned)]


def _doubt(examples: Split, probabilities: NDArray[np.float32]) -> tuple[Doubt, ...]:
    """The labels of pictures that are probably wrong by a model's answers, the most doubtful first.

    For each class, as many as Confident Learning estimates to be wrong, less those that the model
    agrees with.
    """
    from cleanlab.filter import find_label_issues

    with warnings.catch_warnings():
        # A class of which there is hardly a picture: no reason to alarm anybody.
        warnings.filterwarnings("ignore", message="May not flag all label issues")
        # In one process: forks cost more than they save here.
        found = find_label_issues(
            examples.labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return tuple(
        Doubt(
            position=int(index),
            label=int(examples.labels[index]),
            suggested=int(probabilities[index].argmax()),
            confidence=float(probabilities[index].max()),
            score=float(probabilities[index, examples.labels[index]]),
        )
        for index in found
    )


def _to_compare(splits: list[Pictures]) -> tuple[Pictures, Pictures] | None:
    """What accuracy is measured on, and all of the train split that is not among it."""
    if len(splits) < 2:
        return None
    first, *others = splits
    if len(others) == 1:
        return first, others[0]._replace(split="train")
    images, labels, positions = (
        np.concatenate(arrays)
        for arrays in zip(
            *((some.examples.images, some.examples.labels, some.positions) for some in others),
            strict=True,
        )
    )
    paths = sum((some.examples.paths or () for some in others), ()) or None
    return first, Pictures("train", Split(images, labels, paths), positions)


def _write(found: Audit) -> None:
    from imagette.evaluation import label_issues_page

    doubts = [
        {
            **_place(pictures, doubt.position),
            "label": found.class_names[doubt.label],
            "suggested_label": found.class_names[doubt.suggested],
            "score": f"{doubt.score:.6f}",
        }
        for pictures, some in found.doubts
        for doubt in some
    ]
    duplicates = [
        _pair_row(found, *found.compared, pair) for pair in found.duplicates if found.compared
    ]
    folder = found.page.parent
    write_csv(folder / "audit.csv", doubts, DOUBT_COLUMNS)
    write_csv(folder / "duplicates.csv", duplicates, PAIR_COLUMNS)
    write_text(found.page, label_issues_page.page(found))


def _place(pictures: Pictures, index: int) -> dict[str, Any]:
    """Where in the dataset a picture is: the index counts in its train or test split."""
    paths = pictures.examples.paths
    return {
        "split": pictures.split,
        "index": int(pictures.positions[index]),
        "path": paths[index] if paths else "",
    }


def _pair_row(found: Audit, ours: Pictures, others: Pictures, pair: Pair) -> dict[str, Any]:
    sides = ((ours, pair.position, ""), (others, pair.other, "other_"))
    row: dict[str, Any] = {}
    for pictures, index, prefix in sides:
        label = found.class_names[pictures.examples.labels[index]]
        row |= {prefix + key: value for key, value in _place(pictures, index).items()}
        row[f"{prefix}label"] = label
    return row | {"similarity": f"{pair.similarity:.4f}"}
