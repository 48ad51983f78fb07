"""The picture of bundles side by side: test accuracy over speed, and over size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.ticker import (
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
    PercentFormatter,
)
from matplotlib.transforms import Bbox

from imagette.reports.plotting import BLUE, DPI, INK, ORANGE, short, styled, to_png

Point = tuple[float, float]

_AROUND = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_GAPS = (9, 15, 22, 32, 44, 58)


@dataclass(frozen=True)
class Dot:
    """One bundle.

    Attributes:
        name: what it is called.
        accuracy: on test pictures, a fraction.
        speed: pictures a second.
        low: the lowest speed measured.
        high: the highest speed measured.
        megabytes: size of the file.
        shipped: whether it comes with the package.
    """

    name: str
    accuracy: float
    speed: float
    low: float
    high: float
    megabytes: float
    shipped: bool = False


def frontier(points: Sequence[Point]) -> list[int]:
    """Which points no other one beats, where more is better in both values.

    One beats another that is as good in both values and better in one; equal ones stay together.

    Returns:
        Their positions, by the first value rising.
    """

    def beaten(point: Point) -> bool:
        return any(o[0] >= point[0] and o[1] >= point[1] and o != point for o in points)

    left = [number for number, point in enumerate(points) if not beaten(point)]
    return sorted(left, key=lambda number: points[number])


@styled()
def draw(dots: Sequence[Dot], speed_of: str) -> bytes:
    """Draw bundles over logarithmic axes, with the line of those that no other one beats: a PNG.

    Without bundles, the image says so. `speed_of` tells on the axis how speeds were measured.
    """
    figure = Figure(figsize=(10, 4.8), dpi=DPI, layout="constrained")
    if not dots:
        figure.text(0.5, 0.5, "No test accuracy is known of any of the models.", ha="center")
        return to_png(figure)
    speed, size = figure.subplots(1, 2, sharey=True)
    speeds = [(dot.speed, dot.accuracy) for dot in dots]
    sizes = [(dot.megabytes, dot.accuracy) for dot in dots]
    speed.hlines(
        [dot.accuracy for dot in dots], [dot.low for dot in dots], [dot.high for dot in dots],
        color=BLUE, linewidth=1.2, alpha=0.7,
    )  # fmt: skip
    best_by_speed = frontier(speeds)
    best_by_size = frontier([(-megabytes, accuracy) for megabytes, accuracy in sizes])
    _draw_panel(speed, dots, speeds, best_by_speed)
    _draw_panel(size, dots, sizes, best_by_size)
    speed.set_title("Test accuracy over speed")
    speed.set_xlabel(f"Pictures a second ({speed_of})")
    size.set_title("Test accuracy over size")
    size.set_xlabel("Megabytes")
    speed.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    _explain(figure)
    # Labels are placed among what is drawn, so the rest has to have its final place first.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    _label(speed, dots, speeds, best_by_speed, [(dot.low, dot.high) for dot in dots])
    _label(size, dots, sizes, best_by_size, [(dot.megabytes, dot.megabytes) for dot in dots])
    return to_png(figure)


def _draw_panel(
    axes: Axes, dots: Sequence[Dot], points: Sequence[Point], best: Sequence[int]
) -> None:
    axes.plot(*zip(*(points[n] for n in best), strict=True), color=BLUE, linewidth=1.5, alpha=0.4)
    for number, (dot, point) in enumerate(zip(dots, points, strict=True)):
        colour = ORANGE if dot.shipped else BLUE
        axes.plot(
            *point, "*" if dot.shipped else "o", markersize=13 if dot.shipped else 7, color=colour,
            markerfacecolor=colour if number in best else "white", zorder=3,
        )  # fmt: skip
    axes.set_xscale("log")
    axes.margins(0.2, 0.12)
    low, high = axes.get_xlim()
    narrow = high / low < 5  # too narrow for 1, 2, 5 to be several ticks
    axes.xaxis.set_major_locator(MaxNLocator(6) if narrow else LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    )
    axes.xaxis.set_minor_formatter(NullFormatter())


def _explain(figure: Figure) -> None:
    figure.legend(
        handles=[
            Line2D([], [], color=ORANGE, marker="*", markersize=12, linestyle=""),
            Line2D([], [], color=BLUE, marker="o", alpha=0.6),
            Line2D([], [], color=BLUE, marker="o", markerfacecolor="white", linestyle=""),
        ],
        labels=[
            "comes with Imagette",
            "the frontier: no other one is better in both",
            "hollow: another one is",
        ],
        loc="outside lower center", ncols=3,
    )  # fmt: skip


def _label(
    axes: Axes,
    dots: Sequence[Dot],
    points: Sequence[Point],
    best: Sequence[int],
    bars: Sequence[Point],
) -> None:
    """Write each name near its dot, where it covers nothing and its dot is the nearest one.

    If there is no such place, it is the one with the fewest faults. All else is drawn already, the
    dots at `points`, the frontier through those of the numbers `best`, and a bar through each dot.
    """
    at = axes.transData.transform
    line = Path(at([points[number] for number in best]))
    taken = [
        Bbox([at((low, y)), at((high, y))]).padded(9)
        for (low, high), (_, y) in zip(bars, points, strict=True)
    ]
    # From the top, so that of two that lie close the upper one is free to have its name above.
    for dot, point in sorted(zip(dots, points, strict=True), key=lambda pair: -pair[0].accuracy):
        name = short(dot.name, 30)
        style: dict[str, Any] = {"fontsize": 8.5, "weight": "bold" if dot.shipped else "normal"}
        text = axes.text(0, 0, name, **style)
        width, height = text.get_window_extent().size
        text.remove()
        places = _places(tuple(at(point)), width, height)
        others = [tuple(at(other)) for other in points if other != point]
        box = min(
            places,
            key=lambda place: (
                2 * _covered(place, axes.bbox, taken, line)
                + _nearer(place, tuple(at(point)), others)
            ),
        )
        taken.append(box)
        axes.annotate(
            name, point, (box.get_points().mean(axis=0) - at(point)) * 72 / DPI,
            textcoords="offset points", ha="center", va="center", zorder=2, **style,
            arrowprops={"arrowstyle": "-", "color": INK, "alpha": 0.4, "linewidth": 0.6,
                        "shrinkA": 1, "shrinkB": 4},
        )  # fmt: skip


def _places(point: Point, width: float, height: float) -> Iterator[Bbox]:
    """Boxes of that size around a point, in pixels, the better ones first."""
    for gap in _GAPS:
        for right, up in _AROUND:
            reach = gap * DPI / 72
            left = point[0] + right * reach + (right - 1) / 2 * width
            bottom = point[1] + up * reach + (up - 1) / 2 * height
            yield Bbox.from_bounds(left, bottom, width, height)


def _covered(box: Bbox, panel: Bbox, taken: Sequence[Bbox], line: Path) -> int:
    """How much a label there would cover, or stick out of the panel."""
    outside = not (panel.contains(*box.min) and panel.contains(*box.max))
    return (
        4 * outside
        + sum(box.overlaps(other) for other in taken)
        + line.intersects_bbox(box, filled=False)
    )


def _nearer(box: Bbox, own: Point, others: Sequence[Point]) -> int:
    """How easily a label is taken for another dot's: 1 for each dot about as near, 2 if nearer."""
    distance = _distance(box, own)
    away = [_distance(box, other) for other in others]
    return sum((other < distance) + (other < 1.5 * distance) for other in away)


def _distance(box: Bbox, point: Point) -> float:
    beside = max(box.x0 - point[0], 0, point[0] - box.x1)
    above = max(box.y0 - point[1], 0, point[1] - box.y1)
    return hypot(beside, above)
