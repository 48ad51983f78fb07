"""The page to look through the pictures that an audit found."""

from typing import Any

from imagette.data.near_duplicates import THRESHOLD
from imagette.evaluation.label_issues import Audit, Pictures
from imagette.reports.html import both, pixels_url, render
from imagette.reports.plotting import shrunk

MOST_DOUBTS = 100
"""Of each split; audit.csv has all."""

MOST_PAIRS = 400
"""Near duplicates shown; duplicates.csv has all."""


def page(found: Audit) -> str:
    """Write what an audit found as HTML that stands alone."""
    pairs, disagreeing = [], 0
    if found.compared:
        ours, others = found.compared
        pairs = [
            (_picture(ours, pair.position), _picture(others, pair.other), pair.similarity)
            for pair in found.duplicates[:MOST_PAIRS]
        ]
        disagreeing = sum(
            ours.examples.labels[pair.position] != others.examples.labels[pair.other]
            for pair in found.duplicates
        )
    return render(
        "evaluation/label_issues.html.j2",
        found=found,
        names=[
            both(en, fr) for en, fr in zip(found.class_names, found.class_names_fr, strict=True)
        ],
        splits=[
            (
                pictures.split,
                len(pictures.examples),
                len(doubts),
                [(doubt, _picture(pictures, doubt.position)) for doubt in doubts[:MOST_DOUBTS]],
            )
            for pictures, doubts in found.doubts
        ],
        pairs=pairs,
        disagreeing=disagreeing,
        threshold=THRESHOLD,
    )


def _picture(pictures: Pictures, index: int) -> dict[str, Any]:
    """What the page says of one picture."""
    paths = pictures.examples.paths
    return {
        "url": pixels_url(shrunk(pictures.examples.images[index])),
        "label": int(pictures.examples.labels[index]),
        "place": int(pictures.positions[index]),
        "path": paths[index] if paths else None,
    }
