"""The picture of a race: validation accuracy over seconds of training."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter

from imagette.reports.plotting import COLOURS, styled, to_png


@dataclass(frozen=True)
class Curve:
    """One training.

    Attributes:
        name: the recipe; trainings of the same name have the same colour.
        seconds: since the first step, after each epoch.
        accuracies: on the validation pictures, fractions.
    """

    name: str
    seconds: Sequence[float]
    accuracies: Sequence[float]


@styled()
def draw(curves: Sequence[Curve]) -> bytes:
    """Draw trainings over a logarithmic time axis; the end of each is marked.

    Returns:
        A PNG file.
    """
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    colours: dict[str, str] = {}
    for curve in curves:
        label = None if curve.name in colours else curve.name
        colour = colours.setdefault(curve.name, COLOURS[len(colours) % len(COLOURS)])
        axes.plot(curve.seconds, curve.accuracies, color=colour, linewidth=1.2, alpha=0.6)
        axes.plot(
            curve.seconds[-1], curve.accuracies[-1], "o", color=colour, markersize=6, label=label
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g} s"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xlabel("Seconds of training")
    axes.set_title("Validation accuracy (a dot: where a training ended)")
    axes.legend(loc="lower right")
    return to_png(figure)
