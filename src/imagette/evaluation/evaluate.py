"""Measuring one model: a run or a bundle becomes metrics, plots and a report."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imagette.data import DataSource
from imagette.errors import ImagetteError
from imagette.evaluation.evaluated_model import EvaluatedModel, open_model
from imagette.evaluation.leave_one_out import Answers
from imagette.evaluation.measured_pictures import Measured, answer
from imagette.evaluation.metrics import measure
from imagette.evaluation.robustness import measure_robustness
from imagette.evaluation.write_evaluation import MEASURE, REPORT, write_evaluation
from imagette.inference.classifier import Classifier
from imagette.runs import RunFolder, read_metrics, read_run


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
            its classes (an out-of-distribution score under its threshold), and `learned_left_out`
            is how many pictures were left out because the model has learned them.
        folder: where metrics.json, confusion.png, reliability.png, report.html and, for a run of
            several epochs, curves.png lie.
    """

    metrics: dict[str, Any]
    folder: Path

    @property
    def report(self) -> Path:
        """The page to read."""
        return self.folder / "report.html"


def evaluate(
    run_or_bundle: str | Path,
    dataset: str | Path | DataSource | None = None,
    *,
    data_dir: str | Path | None = None,
    out: str | Path | None = None,
    flip: bool = False,
    corruptions: bool = False,
    say: Callable[[str], None] = lambda line: None,
    on_step: Callable[[str], None] = lambda name: None,
) -> Evaluation:
    """Measure a model as it will be served, and write metrics, plots and a report.

    A run is measured on the test split of the dataset it was trained on, wherever that lies now,
    or, where that has none, on the validation split, or on the pictures that its training held out
    for validation; where it held out none, each picture is answered by a head that has not learned
    it (leave-one-out). A bundle, or a run given a dataset other than its own, is measured on the
    test split or the validation split or, where there is neither, on all pictures. Pictures that
    were learned are known by the content of their files, and left out.

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
        on_step: called with the name of each step as it begins.

    Raises:
        ImagetteError: the run, the bundle or the dataset is missing, damaged or does not fit.
    """
    model = open_model(run_or_bundle)
    found = model.find(dataset, data_dir)
    on_step(MEASURE)
    measured = answer(model, found)
    answers, in_own_size = measured.answers, measured.in_own_size
    if in_own_size is None and (flip or corruptions):
        raise ImagetteError(
            f"The run {model.name} has learned every picture of {found.source}, so they cannot tell"
            " how it does on mirrored or corrupted ones.",
            "Name pictures that it has not learned: imagette evaluate RUN DATASET.",
        )
    more: dict[str, Any] = {}
    if measured.left_out:
        more["learned_left_out"] = measured.left_out
    if flip:
        more["flip_averaged"] = _average_with_mirrored(model.classifier, answers)
    folder = Path(out) if out else _default_folder(model, measured, found)
    if corruptions and in_own_size is not None:
        file = folder / "corruptions.json"
        more["corruptions"] = measure_robustness(model.classifier, in_own_size, file, say)
        more["corruption_accuracy"] = float(np.mean(list(more["corruptions"].values())))
    on_step(REPORT)
    metrics = write_evaluation(
        folder, model.classifier, found, answers, model.run, model.name, more
    )
    return Evaluation(metrics, folder)


def _average_with_mirrored(classifier: Classifier, answers: Answers) -> dict[str, Any]:
    mirrored = classifier.predict_proba(np.ascontiguousarray(answers.examples.images[:, :, ::-1]))
    means = (answers.probabilities + mirrored) / np.float32(2)
    averaged = measure(means, answers.examples.labels, classifier.class_names)
    return {key: averaged[key] for key in ("accuracy", "loss")}


def _default_folder(model: EvaluatedModel, measured: Measured, found: DataSource) -> Path:
    if model.run is None or model.info is None:
        return Path(f"evaluation-{model.path.stem}")
    # What a run reached on its own data must not be replaced by what it reaches elsewhere, or on
    # the train split of its data alone.
    own = found.source == model.info.dataset or _measured_split(model.run) in (
        None,
        measured.answers.split,
    )
    return model.path if measured.own and own else model.path / f"evaluation-{found.name}"


def _measured_split(run: RunFolder) -> str | None:
    """Which split a run was measured on last; None where that is not known."""
    with suppress(ImagetteError):
        return (read_metrics(run) or {}).get("split")
    return None


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
