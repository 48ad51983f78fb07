"""The plot of a search: validation accuracy over its trials, and over the values of each field."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)

from imagette.cluster.search_space import Searched, SearchSpace
from imagette.reports.plotting import BLUE, INK, ORANGE, short, styled, to_png

_GREY = "#9aa1ad"
_COLUMNS = 3


@styled()
def draw(
    rows: Sequence[Mapping[str, Any]], space: SearchSpace, importances: Mapping[str, float]
) -> bytes:
    """Draw validation accuracies over the trials as they ended, and over the values of each field.

    Args:
        rows: as `imagette.cluster.study.rows` has them, those without an accuracy left out.
        space: the fields.
        importances: the share of the variance that each field explains, if known.

    Returns:
        A PNG file.
    """
    fields = sorted(space.fields, key=lambda field: -importances.get(field.name, 0))
    panels = 1 + len(fields)
    columns = 2 if panels in (2, 4) else _COLUMNS
    lines = -(-panels // columns)
    figure = Figure(figsize=(3.6 * columns, 3.2 * lines + 0.3), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True)
    axes = list(grid.flat)
    _draw_trials(axes[0], rows)
    for field, one in zip(fields, axes[1:], strict=False):
        _draw_field(one, rows, field, importances.get(field.name))
    for unused in axes[panels:]:
        unused.set_axis_off()
    for line in grid:
        line[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return to_png(figure)


def _draw_trials(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    numbers = [row["trial"] for row in rows]
    _scatter(axes, rows, numbers)
    finished = [row["val_accuracy"] if row["ended"] == "finished" else 0.0 for row in rows]
    best = np.maximum.accumulate(finished)
    shown = best > 0
    axes.step(np.array(numbers)[shown], best[shown], where="post", color=INK, linewidth=1,
              label="best so far")  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_title("Validation accuracy")
    axes.set_xlabel("Trial")


def _draw_field(
    axes: Axes, rows: Sequence[Mapping[str, Any]], field: Searched, importance: float | None
) -> None:
    values = [row[field.name] for row in rows]
    if field.way == "choose":
        places = [field.values.index(value) for value in values]
        axes.set_xticks(range(len(field.values)), [short(str(one), 14) for one in field.values])
        axes.set_xlim(-0.5, len(field.values) - 0.5)
        _scatter(axes, rows, places)
    else:
        _scatter(axes, rows, values)
        low, high = field.values
        if field.way == "log":
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high >= 100 * low else (1, 2, 5)))
            axes.xaxis.set_minor_formatter(NullFormatter())
            margin = (high / low) ** 0.05
            axes.set_xlim(low / margin, high * margin)
        else:
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=field.whole))
            margin = (high - low) * 0.05
            axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(field.name)
    axes.set_xlabel("" if importance is None else f"explains {importance:.0%} of the differences")


def _scatter(axes: Axes, rows: Sequence[Mapping[str, Any]], places: Sequence[float]) -> None:
    best = max(
        (row["val_accuracy"] for row in rows if row["ended"] == "finished"), default=float("nan")
    )
    kinds: dict[str, tuple[list[float], list[float]]] = {
        "stopped early": ([], []), "finished": ([], []), "best": ([], []),
    }  # fmt: skip
    for place, row in zip(places, rows, strict=True):
        done = row["ended"] == "finished"
        kind = "best" if done and row["val_accuracy"] == best else row["ended"]
        if kind in kinds:
            kinds[kind][0].append(place)
            kinds[kind][1].append(row["val_accuracy"])
    looks: dict[str, dict[str, Any]] = {
        "stopped early": {"color": _GREY, "marker": "o", "s": 18},
        "finished": {"color": BLUE, "marker": "o", "s": 28},
        "best": {"color": ORANGE, "marker": "*", "s": 130},
    }
    for kind, (across, up) in kinds.items():
        # The legend would name an empty one.
        if across:
            axes.scatter(across, up, label=kind, zorder=3, **looks[kind])
