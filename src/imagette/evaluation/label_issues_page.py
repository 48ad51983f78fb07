"""The files that show label issues and near duplicates: one page and two tables."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagette.data.near_duplicates import THRESHOLD, Pair
from imagette.data.originals import Originals
from imagette.evaluation.label_issues import Audit, Subset
from imagette.files import write_csv, write_text
from imagette.reports.html import PHOTOGRAPH_SIDE, file_url, pixels_url, render
from imagette.reports.texts import Both, both

MOST_LABEL_ISSUES = 100
"""Of each split; audit.csv has all."""

MOST_PAIRS = 400
"""Near duplicates shown; duplicates.csv has all."""

_MOST_PIXELS = 256
"""Of the longer side of a picture shown."""

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
    folder = Path(out or f"explore-{found.dataset.name}")
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
    write_text(folder / "audit.html", _page(found, folder))
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


def _page(found: Audit, folder: Path) -> str:
    show = _Shown(Originals(found.dataset), folder)
    pairs, disagreeing = [], 0
    if found.compared:
        ours, others = found.compared
        pairs = [
            (show(ours, pair.position), show(others, pair.other), pair.similarity)
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
                [(issue, show(subset, issue.position)) for issue in issues[:MOST_LABEL_ISSUES]],
            )
            for subset, issues in found.label_issues
        ],
        pairs=pairs,
        disagreeing=disagreeing,
        threshold=THRESHOLD,
        steps=_next_steps(found),
    )


@dataclass(frozen=True)
class _Shown:
    """Tells what the page says of one image."""

    originals: Originals
    folder: Path

    def __call__(self, subset: Subset, index: int) -> dict[str, Any]:
        place, seen = _place(subset, index), subset.examples.images[index]
        original = self.originals.find(place["path"] or None, seen, _MOST_PIXELS)
        return {
            "url": pixels_url(original.pixels),
            "small": max(original.pixels.shape) < PHOTOGRAPH_SIDE,
            "link": file_url(original.file, self.folder) if original.file else None,
            "label": int(subset.examples.labels[index]),
            **place,
        }


def _next_steps(found: Audit) -> list[tuple[Both, str]]:
    """What to do after reading, with the command to type for it; none of labels nobody can mend."""
    source = found.dataset.source
    if not Path(source).exists():
        return []
    return [(both("label_issues.next"), shlex.join(["imagette", "train", source]))]
