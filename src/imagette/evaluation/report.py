"""The page that tells a person how good a model is."""

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.data import DataSource, Split
from imagette.data.originals import Originals
from imagette.evaluation.corruptions import SEVERITIES, corrupt
from imagette.evaluation.metrics import POOR
from imagette.evaluation.mistakes import most_confident_mistakes
from imagette.evaluation.plots import MOST_NAMED_CLASSES
from imagette.inference.bundle import BundleMetadata
from imagette.inference.classifier import Classifier
from imagette.reports.html import pixels_url, png_url, render
from imagette.reports.plotting import shrink
from imagette.reports.texts import Both, both, flatten
from imagette.runs import RunFolder
from imagette.wording import Language

MOST_CONFUSIONS = 10


@dataclass(frozen=True)
class Reported:
    """What a report is about.

    Attributes:
        folder: where the report goes.
        model: the model.
        run: the run whose model it is, if it is one.
        found: the dataset measured on.
        examples: its images that were asked about, as the network saw them.
        probabilities: float32 `(n, classes)`, what the model answered.
        metrics: what was measured; see `imagette.evaluation.Evaluation`.
    """

    folder: Path
    model: Classifier
    run: RunFolder | None
    found: DataSource
    examples: Split
    probabilities: NDArray[np.float32]
    metrics: dict[str, Any]


def page(reported: Reported, figures: dict[str, dict[Language, bytes]]) -> str:
    """Write the report as HTML that stands alone.

    Args:
        reported: what it is about.
        figures: the plots `confusion`, `reliability` and, for a run of several epochs, `curves`, as
            PNG by language.
    """
    metrics, metadata, run = reported.metrics, reported.model.metadata, reported.run
    examples, probabilities = reported.examples, reported.probabilities
    classes = list(metrics["per_class"].values())
    return render(
        "evaluation/report.html.j2",
        title=Path(metrics["model"]).name,
        metrics=metrics,
        names=list(map(Both, metadata.class_names, metadata.class_names_fr)),
        classes=classes,
        untested=[label for label, row in enumerate(classes) if not row["support"]],
        chance=max(row["support"] for row in classes) / metrics["n"],
        typical_probability=math.exp(-metrics["loss"]),
        figures={
            name: {language: png_url(png) for language, png in drawn.items()}
            for name, drawn in figures.items()
        },
        named_in_plot=len(classes) <= MOST_NAMED_CLASSES,
        confusions=_most_frequent_confusions(metrics["confusion"]),
        mistakes=most_confident_mistakes(
            examples,
            probabilities,
            reported.model.heat_maps,
            reported.model.view,
            Originals(reported.found),
            reported.folder,
        ),
        corruptions=_corruption_results(metrics.get("corruptions", {}), examples, probabilities),
        metadata=metadata,
        poor=metrics["accuracy"] < POOR,
        run=run,
        steps=_next_steps(reported),
        tables=_tables(metadata, run),
    )


def _corruption_results(
    corruptions: dict[str, list[float]], examples: Split, probabilities: NDArray[np.float32]
) -> list[dict[str, Any]]:
    """What each corruption does to the accuracy at each severity, and, as data URLs, to the first
    image that the model names rightly when it is whole."""
    position = int((probabilities.argmax(axis=1) == examples.labels).argmax())
    image = examples.images[position : position + 1]
    return [
        {
            "name": both(f"corruptions.{name}"),
            "images": [
                pixels_url(shrink(corrupt(image, name, severity)[0])) for severity in SEVERITIES
            ],
            "accuracies": accuracies,
            "mean": sum(accuracies) / len(accuracies),
        }
        for name, accuracies in corruptions.items()
    ]


def _most_frequent_confusions(confusion: list[list[int]]) -> list[dict[str, Any]]:
    """The pairs of classes most often mixed up, the most frequent first, by their positions."""
    pairs = [
        {"true": true, "predicted": predicted, "count": count, "share": count / sum(row)}
        for true, row in enumerate(confusion)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return sorted(pairs, key=lambda pair: -pair["count"])[:MOST_CONFUSIONS]


def _next_steps(reported: Reported) -> list[tuple[Both, str]]:
    """What to do after reading, each with the command to type for it."""
    metrics, run, source = reported.metrics, reported.run, reported.found.source
    bundle = str(run.bundle if run else reported.model.path)
    own = run is not None and run.info is not None and run.info.dataset == source
    steps = [("try", ["serve", "--ui", "--model", bundle])]
    steps += [("predict", ["predict", "PICTURE", "--model", bundle])]
    if run and own:
        steps.append(("labels", ["explore", "--audit", str(run.path)]))
        if metrics["split"] != "leave-one-out" and "corruptions" not in metrics:
            steps.append(("corruptions", ["evaluate", str(run.path), "--corruptions"]))
        if metrics["accuracy"] < POOR and not run.history:
            steps.append(("finetune", ["train", source, "--recipe", "finetune"]))
    return [
        (both(f"report.next.{name}"), shlex.join(["imagette", *command])) for name, command in steps
    ]


_TOLD_ELSEWHERE = {
    "class_names", "class_names_fr", "recipe", "evaluation", "learned_pictures", "counts",
    "samples",
}  # fmt: skip


def _tables(metadata: BundleMetadata, run: RunFolder | None) -> list[tuple[Both, dict[str, Any]]]:
    """What it takes to make the same model again: tables, each under its title."""
    recipe = run.recipe if run else metadata.recipe or {}
    environment = run.environment if run else {}
    bundle = metadata.model_dump(exclude=_TOLD_ELSEWHERE)
    tables = [
        (both("report.recipe"), flatten(recipe)),
        (both("report.versions"), environment.get("versions", {})),
        (both("report.machine"), environment.get("machine", {})),
        (both("report.model_file"), bundle),
    ]
    return [
        (title, {key: value for key, value in table.items() if value not in (None, "", {})})
        for title, table in tables
        if isinstance(table, dict) and table
    ]
