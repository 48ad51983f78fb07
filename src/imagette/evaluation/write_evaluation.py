"""From answers to metrics, plots and a report."""

from pathlib import Path
from typing import Any

import numpy as np

from imagette.data import DataSource
from imagette.evaluation.leave_one_out import Answers
from imagette.evaluation.metrics import measure
from imagette.files import write_bytes, write_json, write_text
from imagette.inference.classifier import Classifier
from imagette.runs import RunFolder, read_run
from imagette.wording import LANGUAGES, Language

MEASURE = "measuring it on pictures that it has not learned from"
REPORT = "drawing the plots and writing the report"


def write_evaluation(
    folder: Path,
    classifier: Classifier,
    found: DataSource,
    answers: Answers,
    run: RunFolder | None = None,
    model: str | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Measure answers, and write metrics, plots and a report.

    Args:
        folder: where they go.
        classifier: the model that answered.
        found: the dataset.
        answers: what it answered.
        run: the run whose model it is; that of `folder`, or none, if None.
        model: what to call the model; the name of the run if None.
        more: what else was measured.

    Returns:
        The metrics, see `Evaluation`.
    """
    from imagette.evaluation import plots, report

    if model is None:
        run = read_run(folder)
        model = run.name
    examples, probabilities = answers.examples, answers.probabilities
    metrics = {
        "model": model,
        "dataset": found.name,
        "split": answers.split,
        **measure(probabilities, examples.labels, classifier.class_names),
    }
    if answers.familiarity is not None:
        unknown = answers.familiarity < (classifier.metadata.familiarity_threshold or 0)
        metrics["unknown_share"] = float(np.mean(unknown))
    metrics |= more or {}
    figures: dict[str, dict[Language, bytes]] = {}
    names = classifier.class_names, classifier.class_names_fr
    for language, class_names in zip(LANGUAGES, names, strict=True):
        drawn = {"reliability": plots.reliability(metrics["reliability"], language)}
        if metrics["confusion"]:
            drawn["confusion"] = plots.confusion(metrics["confusion"], class_names, language)
        if run is not None and len(run.history) > 1:  # one epoch makes no curve
            drawn["curves"] = plots.curves(run.history, run.best, language)
        for name, png in drawn.items():
            figures.setdefault(name, {})[language] = png
    write_json(folder / "metrics.json", metrics)
    for name, by_language in figures.items():
        write_bytes(folder / f"{name}.png", by_language["en"])
    reported = report.Reported(folder, classifier, run, found, examples, probabilities, metrics)
    write_text(folder / "report.html", report.page(reported, figures))
    return metrics
