"""The page that tells a person how good a model is."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imagette.data.dataset import Split
from imagette.evaluation.corruptions import SEVERITIES, corrupt
from imagette.evaluation.metrics import POOR
from imagette.evaluation.plots import MOST_NAMED_CLASSES
from imagette.inference.bundle import BundleMetadata
from imagette.inference.classifier import Classifier
from imagette.inference.explain import overlay
from imagette.reports.html import PHOTOGRAPH_SIDE, pixels_url, png_url, render
from imagette.reports.plotting import shrink
from imagette.reports.texts import Both, both, flatten
from imagette.runs import RunFolder
from imagette.wording import Language

MOST_MISTAKES = 24
MOST_LARGE_MISTAKES = 8
"""Of photographs, each of which takes the network a tenth of a second to explain."""
MOST_CONFUSIONS = 10


def page(
    metrics: dict[str, Any],
    classifier: Classifier,
    figures: dict[str, dict[Language, bytes]],
    examples: Split,
    probabilities: NDArray[np.float32],
    run: RunFolder | None,
) -> str:
    """Write the report as HTML that stands alone.

    Args:
        metrics: what was measured; see `imagette.evaluation.Evaluation`.
        classifier: the model.
        figures: the plots `confusion`, `reliability` and, for a run, `curves`, as PNG by language.
        examples: the images measured on, as the network saw them.
        probabilities: float32 `(n, classes)`, what the model answered.
        run: the run whose model it is, if it is one.
    """
    classes, metadata = list(metrics["per_class"].values()), classifier.metadata
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
        mistakes=most_confident_mistakes(examples, probabilities, classifier.heat_maps),
        corruptions=_corruption_results(metrics.get("corruptions", {}), examples, probabilities),
        metadata=metadata,
        poor=metrics["accuracy"] < POOR,
        run=run,
        tables=_tables(metadata, run),
    )


def most_confident_mistakes(
    examples: Split,
    probabilities: NDArray[np.float32],
    heat_maps: Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]],
) -> list[dict[str, Any]]:
    """The images whose wrong answer the model was surest of, the surest first.

    Args:
        examples: the images measured on, as the network saw them.
        probabilities: float32 `(n, classes)`, what the model answered.
        heat_maps: tells what speaks for a class in images, see `Classifier.heat_maps`.

    Returns:
        For each its `position` among the images and its `path` (None where it comes from no file),
        positions of its `true` class and the `predicted` one with its `confidence`, and data URLs:
        `image`, what the network saw, and `heat`, the same under a map of what spoke for the wrong
        class.
    """
    predicted = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != examples.labels)
    most = MOST_LARGE_MISTAKES if examples.images.shape[1] >= PHOTOGRAPH_SIDE else MOST_MISTAKES
    surest = wrong[np.argsort(-confidence[wrong], kind="stable")][:most]
    if not len(surest):
        return []
    images = examples.images[surest]
    heats = heat_maps(images, predicted[surest])
    return [
        {
            "image": pixels_url(shrink(image)),
            "heat": pixels_url(np.asarray(overlay(Image.fromarray(shrink(image)), heat))),
            "position": int(position),
            "path": examples.paths[position] if examples.paths is not None else None,
            "true": int(examples.labels[position]),
            "predicted": int(predicted[position]),
            "confidence": float(confidence[position]),
        }
        for position, image, heat in zip(surest, images, heats, strict=True)
    ]


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
