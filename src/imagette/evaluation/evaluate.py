"""Measuring one model: a run or a bundle becomes metrics, plots and a report."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagette.data import Dataset, Split, split_validation
from imagette.errors import ImagetteError
from imagette.evaluation.evaluated_model import EvaluatedModel, open_model, relabel_for, resize_for
from imagette.evaluation.leave_one_out import Answers, learned_all, leave_out_again
from imagette.evaluation.metrics import measure
from imagette.evaluation.robustness import measure_robustness
from imagette.evaluation.write_evaluation import write_evaluation
from imagette.inference.classifier import Classifier
from imagette.runs import RunInfo, read_run


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        metrics: plain JSON values, as in `metrics.json`: what `imagette.evaluation.metrics.measure`
            gives, and `model` (name of the run or path of the bundle), `dataset` (its name) and
            `split` (`test`, `validation`, `leave-one-out` or `all`: which pictures were measured
            on). Where it was asked for, `flip_averaged` holds `accuracy` and `loss` of the answers
            averaged over each picture and its mirror image, `corruptions` the accuracies under each
            corruption at severities 1 to 5, by its name, and `corruption_accuracy` their mean.
            Where the model can tell, `unknown_share` is the share of pictures it takes for none of
            its classes (an out-of-distribution score under its threshold).
        folder: where metrics.json, confusion.png, reliability.png, report.html and, for a run,
            curves.png lie.
    """

    metrics: dict[str, Any]
    folder: Path

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.folder / "report.html"


def evaluate(
    run_or_bundle: str | Path,
    dataset: str | Path | Dataset | None = None,
    *,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
    flip: bool = False,
    corruptions: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure a model as it will be served, and write metrics, plots and a report.

    A run is measured on the test split of the dataset it was trained on or, where that has none, on
    the pictures that its training held out for validation; where it held out none, each picture is
    answered by a head that has not learned it (leave-one-out). A bundle, or a run given a dataset
    other than its own, is measured on the test split or, where there is none, on all pictures.

    Args:
        run_or_bundle: the folder of a run, or a `.onnx` bundle.
        dataset: what to measure on, as `load_dataset` takes it or already loaded; the dataset the
            model was trained on if None.
        data_dir: where to look for CIFAR-10 first.
        out: folder to write to. By default the run's folder (a folder `evaluation-DATASET` in it
            where the dataset is not its own), and `evaluation-NAME` in the working directory for
            the bundle NAME.onnx.
        flip: also measure the mean of the answers to each picture and its mirror image (test-time
            augmentation), written beside the plain figures, never in their place.
        corruptions: also measure accuracy under the 15 common corruptions
            (`imagette.evaluation.corruptions`); takes minutes. Each is kept in corruptions.json,
            so that a stopped evaluation goes on where it was.
        say: called with a line of progress for each corruption.

    Raises:
        ImagetteError: the run, the bundle or the dataset is missing, damaged or does not fit.
    """
    model = open_model(run_or_bundle)
    info, classifier = model.info, model.classifier
    own = model.learned_from(dataset)
    if own and info and learned_all(classifier):
        if flip or corruptions:
            raise ImagetteError(
                f"The run {model.name} has learned every picture of {info.dataset}, so they cannot"
                " tell how it does on mirrored or corrupted ones.",
                "Name pictures that it has not learned: imagette evaluate RUN DATASET.",
            )
        name, answers = leave_out_again(classifier, info, data_dir)
    else:
        loaded = model.load_dataset(dataset, data_dir, test_only=True)
        own, name = info is not None and loaded.source == info.dataset, loaded.name
        chosen, split = _choose_split(loaded, info if own else None)
        in_own_size = relabel_for(classifier, chosen, loaded.class_names)
        examples = resize_for(classifier, in_own_size)
        answers = Answers(examples, split, *classifier.predict_arrays(examples.images))
    more: dict[str, Any] = {}
    if flip:
        more["flip_averaged"] = _average_with_mirrored(classifier, answers)
    folder = Path(out) if out else _default_folder(model, own, name)
    if corruptions:
        found = measure_robustness(classifier, in_own_size, folder / "corruptions.json", say)
        more["corruptions"] = found
        more["corruption_accuracy"] = float(np.mean(list(found.values())))
    metrics = write_evaluation(folder, classifier, name, answers, model.run, model.name, more)
    return Evaluation(metrics, folder)


def _average_with_mirrored(classifier: Classifier, answers: Answers) -> dict[str, Any]:
    mirrored = classifier.predict_proba(np.ascontiguousarray(answers.examples.images[:, :, ::-1]))
    means = (answers.probabilities + mirrored) / np.float32(2)
    averaged = measure(means, answers.examples.labels, classifier.class_names)
    return {key: averaged[key] for key in ("accuracy", "loss")}


def _choose_split(dataset: Dataset, own_run: RunInfo | None) -> tuple[Split, str]:
    """The images to measure on, and the name of the split they are."""
    name, split = list(dataset.splits.items())[-1]
    if name != "train":
        return split, name
    if own_run is None:
        return dataset.train, "all"
    # Other pictures would be split in another way: some that were trained on would be measured on.
    if not own_run.learns_from(dataset.train):
        raise ImagetteError(
            f"The pictures in {dataset.source} have changed since the run was trained, so the ones"
            " held out for validation can no longer be told.",
            "Evaluate on a dataset with a test split, or train again under another name.",
        )
    held_out = split_validation(dataset.train, own_run.validation_fraction, own_run.seed)[1]
    return held_out, "validation"


def _default_folder(model: EvaluatedModel, own: bool, dataset: str) -> Path:
    if model.run is None:
        return Path(f"evaluation-{model.path.stem}")
    # What a run reached on its own data must not be replaced by what it reaches elsewhere.
    return model.path if own else model.path / f"evaluation-{dataset}"


def evaluation_for_bundle(metrics: dict[str, Any], run: Path) -> dict[str, Any]:
    """What a bundle's metadata tells of its evaluation and its training.

    Args:
        metrics: what was measured, see `Evaluation`.
        run: the folder of the run.

    Returns:
        The metrics, and as `history` a row for each epoch (see `imagette.runs.Epoch`); numbers are
        rounded to six significant digits, because a server hands this out.

    Raises:
        ImagetteError: the folder is no run, or a file in it is damaged.
    """
    history = [epoch.model_dump() for epoch in read_run(run).history]
    return _rounded({**metrics, "history": history})


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
