"""The charts and the page that show what is in a dataset."""

import shlex
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from imagette.data.data_source import DataSource
from imagette.data.dataset import Dataset
from imagette.data.explore import Copy, Exploration
from imagette.data.originals import Original, Originals
from imagette.data.sources import BUILT_IN
from imagette.files import write_bytes, write_text
from imagette.reports.html import PHOTOGRAPH_SIDE, file_url, pixels_url, png_url, render
from imagette.reports.plotting import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    contact_sheet,
    short,
    styled,
    to_png,
)
from imagette.reports.texts import Both, both, text
from imagette.wording import LANGUAGES, Language, number

MOST_CLASSES_DRAWN = 40
"""With more classes, half this number of the largest and of the smallest are drawn."""

EXAMPLES_PER_CLASS = 10

MOST_GROUPS_DRAWN = 12
"""Groups of duplicates that are shown; all are counted."""

_MOST_COPIES_DRAWN = 4

_MOST_COPIES = 6

_MOST_PIXELS = 192
"""Of the longer side of a picture shown."""

_COLOURS = {"train": BLUE, "validation": GREEN, "test": ORANGE}


def write_page(
    dataset: Dataset, exploration: Exploration, out: str | Path, found: DataSource | None = None
) -> Path:
    """Write classes.png, examples.png, duplicates.png (if there are any) and the page.

    Args:
        dataset: the dataset explored.
        exploration: what was found.
        out: the folder for all files.
        found: where the dataset was found, for its pictures as they came; without it they are
            shown in the size that was explored.

    Returns:
        The page, index.html, which stands alone.

    Raises:
        ImagetteError: the files cannot be written.
    """
    out = Path(out)
    names = dict(zip(LANGUAGES, (dataset.class_names, dataset.class_names_fr), strict=True))
    drawn = _classes_to_draw(list(exploration.counts["train"].values()))
    charts = {
        language: _chart(exploration.counts, names[language], drawn, language)
        for language in LANGUAGES
    }
    write_bytes(out / "classes.png", charts["en"])
    originals = Originals(found or dataset)
    examples = _examples(dataset, drawn, originals)
    rows = [
        (short(dataset.class_names[label]), [one.pixels for one in shown])
        for label, shown in examples
    ]
    title = f"{dataset.name}: examples"
    if len(drawn) < len(dataset.class_names):
        title += f" of {len(drawn)} of its {number(len(dataset.class_names), 'en')} classes"
    write_bytes(out / "examples.png", contact_sheet(rows, title))
    shown = exploration.duplicate_groups[:MOST_GROUPS_DRAWN]
    if shown:
        rows = [_duplicate_row(group, dataset, originals) for group in shown]
        title = f"{dataset.name}: pictures there more than once"
        write_bytes(out / "duplicates.png", contact_sheet(rows, title))
    else:
        # One of an earlier exploration would tell of another state of the dataset.
        (out / "duplicates.png").unlink(missing_ok=True)
    page = render(
        "data/explore.html.j2",
        dataset=dataset,
        exploration=exploration,
        names=[Both(en, fr) for en, fr in zip(*names.values(), strict=True)],
        drawn=drawn,
        charts={language: png_url(chart) for language, chart in charts.items()},
        reduced=found is not None and found.decoded is None,
        examples=[(label, [_shown(one, out) for one in shown]) for label, shown in examples],
        groups=[
            [
                (copy, _shown(_original(copy, dataset, originals), out))
                for copy in group[:_MOST_COPIES]
            ]
            for group in shown
        ],
        steps=_next_steps(dataset),
    )
    write_text(out / "index.html", page)
    return out / "index.html"


def _classes_to_draw(counts: list[int]) -> list[int]:
    """All classes in their order or, of too many, the largest and the smallest ones by size."""
    if len(counts) <= MOST_CLASSES_DRAWN:
        return list(range(len(counts)))
    by_size = sorted(range(len(counts)), key=lambda label: -counts[label])
    half = MOST_CLASSES_DRAWN // 2
    return by_size[:half] + by_size[-half:]


@styled()
def _chart(
    counts: dict[str, dict[str, int]],
    class_names: tuple[str, ...],
    drawn: list[int],
    language: Language,
) -> bytes:
    """Bars of the number of images by class, as PNG."""
    size = (9, 1.3 + 0.17 * len(drawn) * (1 + len(counts)))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    _draw_bars(axes, counts, drawn, language)
    axes.set_yticks(range(len(drawn)), [short(class_names[label]) for label in drawn])
    if len(drawn) < len(class_names):
        half, classes = MOST_CLASSES_DRAWN // 2, len(class_names)
        title = text("explore.largest_and_smallest", language, half=half, classes=classes)
        axes.set_title(title, pad=28)
        axes.axhline(half - 0.5, color=INK, linewidth=1, linestyle=":")
    return to_png(figure)


def _draw_bars(
    axes: Axes, counts: dict[str, dict[str, int]], drawn: list[int], language: Language
) -> None:
    thickness = 0.8 / len(counts)
    for row, (split, by_class) in enumerate(counts.items()):
        values = list(by_class.values())
        bars = axes.barh(
            [place - 0.4 + thickness * (row + 0.5) for place in range(len(drawn))],
            [values[label] for label in drawn],
            height=0.92 * thickness,
            color=_COLOURS[split],
            label=text(f"explore.split.{split}", language),
        )
        texts = [number(values[label], language) for label in drawn]
        axes.bar_label(bars, texts, padding=3, fontsize=8)
    axes.set_ylim(len(drawn) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.margins(x=0.08)
    axes.grid(visible=False, axis="y")
    axes.tick_params("y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language)))
    axes.set_xlabel(text("common.pictures", language))
    if len(counts) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3)


def _examples(
    dataset: Dataset, drawn: list[int], originals: Originals
) -> list[tuple[int, list[Original]]]:
    """Some images of each class, the same at every call."""
    random = np.random.default_rng(0)
    examples = []
    for label in drawn:
        positions = np.flatnonzero(dataset.train.labels == label)
        number = min(EXAMPLES_PER_CLASS, len(positions))
        chosen = random.choice(positions, number, replace=False)
        copies = [Copy("train", int(position), label) for position in sorted(chosen)]
        examples.append((label, [_original(copy, dataset, originals) for copy in copies]))
    return examples


def _original(copy: Copy, dataset: Dataset, originals: Originals) -> Original:
    split = dataset.splits[copy.split]
    path = None if split.paths is None else split.paths[copy.position]
    return originals.find(path, split.images[copy.position], _MOST_PIXELS)


def _shown(original: Original, out: Path) -> dict[str, Any]:
    """What the page shows of a picture."""
    return {
        "url": pixels_url(original.pixels),
        "small": max(original.pixels.shape) < PHOTOGRAPH_SIDE,
        "link": file_url(original.file, out) if original.file else None,
    }


def _next_steps(dataset: Dataset) -> list[tuple[Both, str]]:
    """What to do after reading, each with the command to type for it."""
    if dataset.source not in BUILT_IN and not Path(dataset.source).exists():
        return []  # arrays of a program
    return [(both("explore.next"), shlex.join(["imagette", "train", dataset.source]))]


def _duplicate_row(
    group: tuple[Copy, ...], dataset: Dataset, originals: Originals
) -> tuple[str, list[NDArray[np.uint8]]]:
    shown = group[:_MOST_COPIES_DRAWN]
    lines = [
        f"{copy.split} {copy.position}: {short(dataset.class_names[copy.label])}" for copy in shown
    ]
    if len(group) > len(shown):
        lines[-1] += f", and {len(group) - len(shown)} more"
    return "\n".join(lines), [_original(copy, dataset, originals).pixels for copy in shown]
