"""Which pictures a model is measured on: none that it has learned, wherever they lie."""

from dataclasses import dataclass, replace

import numpy as np

from imagette.data import Dataset, DataSource, Split
from imagette.data.content import split_digests
from imagette.errors import ImagetteError
from imagette.evaluation.evaluated_model import EvaluatedModel, relabel_for, resize_for
from imagette.evaluation.leave_one_out import Answers, learned_all, leave_out_again


@dataclass(frozen=True)
class Measured:
    """Pictures to measure on, and the answers to them.

    Attributes:
        answers: the answers.
        in_own_size: the pictures as they were loaded, in the model's class order; None where each
            was answered by a head that has not learned it.
        own: whether they are of the dataset that the model's run learned from.
        left_out: how many were left out because the model has learned them.
    """

    answers: Answers
    in_own_size: Split | None
    own: bool
    left_out: int = 0


def answer(model: EvaluatedModel, found: DataSource) -> Measured:
    """Choose the pictures of a dataset to measure a model on, and let it answer.

    They are those of the test split or, without one, of the validation split. Where there is
    neither, a run is measured on the pictures that it held out of the dataset it learned from, or
    by leave-one-out; any other model on all pictures. Those that it has learned are left out.

    Raises:
        ImagetteError: there are none, or they do not fit the model.
    """
    own = model.learned_from(found)
    if own and found.raw_test is None and found.raw_validation is None:
        measured = _ask_as_in_training(model, found)
        if measured:
            return measured
        if not len(model.learned):
            raise ImagetteError(
                f"The pictures in {found.source} have changed since the run was trained, and it did"
                " not note which ones it has learned.",
                "Evaluate on a dataset with a test split, or train again under another name.",
            )
        own = False
    loaded = model.load(found)
    split, chosen = list(loaded.splits.items())[-1]
    chosen, left_out = _without_learned(model, found, split, chosen)
    measured = _ask(model, loaded, chosen, "all" if split == "train" else split)
    return replace(measured, own=own, left_out=left_out)


def _ask_as_in_training(model: EvaluatedModel, found: DataSource) -> Measured | None:
    """The answers to what a run held out, or to each picture by a head that has not learned it;
    None where the pictures are not those, in that order, that it was trained on, or all learned."""
    info = model.info
    assert info is not None
    if learned_all(model.classifier):
        answers = leave_out_again(model.classifier, info, found)
        return Measured(answers, None, own=True) if answers else None
    loaded = model.load(found)
    parts = model.held_out(loaded.train)
    return _ask(model, loaded, loaded.train.take(parts[1]), "validation") if parts else None


def _ask(model: EvaluatedModel, loaded: Dataset, chosen: Split, split: str) -> Measured:
    in_own_size = relabel_for(model.classifier, chosen, loaded.class_names)
    examples = resize_for(model.classifier, in_own_size)
    answers = Answers(examples, split, *model.classifier.predict_arrays(examples.images))
    return Measured(answers, in_own_size, own=True)


def _without_learned(
    model: EvaluatedModel, found: DataSource, split: str, chosen: Split
) -> tuple[Split, int]:
    """The pictures that the model has not learned, and how many others there were.

    Raises:
        ImagetteError: it has learned all of them.
    """
    if not len(model.learned):
        return chosen, 0
    digests = split_digests(found.raw_splits[split], chosen)
    new = np.flatnonzero(~model.learned.contains(digests))
    if not len(new):
        raise ImagetteError(
            f"The model has learned every picture of {found.source} that it could be measured on.",
            "Evaluate it on pictures that it has not learned.",
        )
    return (chosen if len(new) == len(chosen) else chosen.take(new)), len(chosen) - len(new)
