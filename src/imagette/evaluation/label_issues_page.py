"""The files that show label issues and near duplicates: one page and two tables."""

from pathlib import Path
from typing import Any

from imagette.data.near_duplicates import THRESHOLD, Pair
from imagette.evaluation.label_issues import Audit, Subset
from imagette.files import write_csv, write_text
from imagette.reports.html import pixels_url, render
from imagette.reports.plotting import shrink
from imagette.reports.texts import Both

MOST_LABEL_ISSUES = 100
"""Of each split; audit.csv has all."""

MOST_PAIRS = 400
"""Near duplicates shown; duplicates.csv has all."""

_ISSUE_COLUMNS = ("split", "index", "path", "label", "suggested_label", "score")
_PAIR_COLUMNS = (
    "split", "index", "path", "label", "other_split", "other_index", "other_path", "other_label",
    "similarity",
)  # fmt: skip


def write_label_issues(found: Audit, out: str | Path | None = None) -> Path:
    """Write audit.html, which stands alone, and beside it audit.csv and duplicates.csv.

    Args:
        found: label issues and near duplicates.
        out: the folder to write to; `explore-DATASET` if None.

    Returns:
        The page.
    """
    folder = Path(out or f"explore-{found.dataset}")
    issues = [
        {
            **_place(subset, issue.position),
            "label": found.class_names[issue.label],
            "suggested_label": found.class_names[issue.suggested],
            "score": f"{issue.score:.6f}",
        }
        for subset, label_issues in found.label_issues
        for issue in label_issues
    ]
    duplicates = [
        _pair_row(found, *found.compared, pair) for pair in found.duplicates if found.compared
    ]
    write_csv(folder / "audit.csv", issues, _ISSUE_COLUMNS)
    write_csv(folder / "duplicates.csv", duplicates, _PAIR_COLUMNS)
    write_text(folder / "audit.html", _page(found))
    return folder / "audit.html"


def _place(subset: Subset, index: int) -> dict[str, Any]:
    """Where in the dataset an image is: the index counts in its train or test split."""
    paths = subset.examples.paths
    return {
        "split": subset.split,
        "index": int(subset.positions[index]),
        "path": paths[index] if paths else "",
    }


def _pair_row(found: Audit, ours: Subset, others: Subset, pair: Pair) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for subset, index, prefix in ((ours, pair.position, ""), (others, pair.other, "other_")):
        row |= {prefix + key: value for key, value in _place(subset, index).items()}
        row[f"{prefix}label"] = found.class_names[subset.examples.labels[index]]
    return row | {"similarity": f"{pair.similarity:.4f}"}


def _page(found: Audit) -> str:
    pairs, disagreeing = [], 0
    if found.compared:
        ours, others = found.compared
        pairs = [
            (_image(ours, pair.position), _image(others, pair.other), pair.similarity)
            for pair in found.duplicates[:MOST_PAIRS]
        ]
        disagreeing = sum(
            int(ours.examples.labels[pair.position] != others.examples.labels[pair.other])
            for pair in found.duplicates
        )
    return render(
        "evaluation/label_issues.html.j2",
        found=found,
        names=list(map(Both, found.class_names, found.class_names_fr)),
        splits=[
            (
                subset.split,
                len(subset.examples),
                len(issues),
                [(issue, _image(subset, issue.position)) for issue in issues[:MOST_LABEL_ISSUES]],
            )
            for subset, issues in found.label_issues
        ],
        pairs=pairs,
        disagreeing=disagreeing,
        threshold=THRESHOLD,
    )


def _image(subset: Subset, index: int) -> dict[str, Any]:
    """What the page says of one image."""
    return {
        "url": pixels_url(shrink(subset.examples.images[index])),
        "label": int(subset.examples.labels[index]),
        **_place(subset, index),
    }
