"""The plots of an evaluation. Each function returns a PNG file and leaves no state behind."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from imagette.reports.plotting import BLUE, COLOURS, FAINT, INK, ORANGE, short, styled, to_png
from imagette.reports.texts import text
from imagette.runs import Epoch
from imagette.wording import Language, number, percent

MOST_NAMED_CLASSES = 100
"""With more classes a confusion matrix is drawn without their names."""

_MOST_CLASSES_WITH_NUMBERS = 20


@styled()
def confusion(
    matrix: Sequence[Sequence[int]], class_names: Sequence[str], language: Language = "en"
) -> bytes:
    """Draw a confusion matrix: rows are true classes, columns what they were taken for.

    Colour is the share of the row, so that classes of different sizes compare; counts are written
    in where they fit.

    Args:
        matrix: counts, `(classes, classes)`.
        class_names: names in the order of the rows.
        language: of the words drawn in.
    """
    counts = np.asarray(matrix)
    classes = len(counts)
    sizes = counts.sum(axis=1, keepdims=True)
    # A class without pictures has no shares: its row stays blank.
    shares = np.divide(counts, sizes, out=np.full(counts.shape, np.nan), where=sizes > 0)

    side = _side_in_inches(classes)
    figure = Figure(figsize=(1.25 * side + 1, side + 1), layout="compressed")
    axes = figure.add_subplot()
    # The square root makes errors of a few per cent visible beside a strong diagonal.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1))
    axes.set_facecolor(FAINT)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(text("plots.predicted_class", language))
    axes.set_ylabel(text("common.true_class", language))
    if classes <= MOST_NAMED_CLASSES:
        _name_both_axes(axes, class_names)
    if classes <= _MOST_CLASSES_WITH_NUMBERS:
        _write_counts(axes, counts, shares, language)
    colours = figure.colorbar(
        image, ax=axes, shrink=0.7, aspect=25, ticks=[0, 0.05, 0.25, 0.5, 0.75, 1]
    )
    colours.outline.set_visible(False)
    colours.ax.yaxis.set_major_formatter(_percents(language))
    colours.set_label(text("common.share_of_true_class", language))
    return to_png(figure)


def _side_in_inches(classes: int) -> float:
    """Room for counts in the cells while they are written, then for names beside the cells."""
    if classes <= _MOST_CLASSES_WITH_NUMBERS:
        return max(4.2, 2.5 + 0.4 * classes)
    return 3 + 0.15 * classes if classes <= MOST_NAMED_CLASSES else 10


def _name_both_axes(axes: Axes, class_names: Sequence[str]) -> None:
    classes = len(class_names)
    names = [short(name, 22 if classes <= 40 else 16) for name in class_names]
    size = 10 if classes <= 12 else 9 if classes <= 20 else 7 if classes <= 50 else 6
    axes.set_xticks(range(classes), names, fontsize=size)
    if classes > 20:
        axes.tick_params("x", labelrotation=90)
    elif classes > 4 or max(map(len, names)) > 10:
        for label in axes.get_xticklabels():
            label.set(rotation=45, rotation_mode="anchor", ha="right", va="top")
    axes.set_yticks(range(classes), names, fontsize=size)
    axes.tick_params(length=0)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray, language: Language) -> None:
    longest = len(number(counts.max(), language))
    size = 10 if len(counts) <= 12 and longest <= 4 else 7.5 if longest <= 5 else 6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(
                column, row, number(count, language), ha="center", va="center", fontsize=size,
                color="white" if shares[row, column] > 0.35 else INK,
            )  # fmt: skip


@styled()
def reliability(bins: Sequence[dict[str, Any]], language: Language = "en") -> bytes:
    """Draw a reliability diagram: accuracy by confidence, and how many pictures stand behind it.

    DeGroot & Fienberg, *The Comparison and Evaluation of Forecasters*, 1983; drawn as by Guo et
    al., 2017, figure 1, with each bar at its bin and a mark at its mean confidence.

    Args:
        bins: as `imagette.evaluation.calibration.reliability` gives them.
        language: of the words drawn in.
    """
    figure = Figure(figsize=(7, 6.4), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.3])
    width = 1 / len(bins)
    filled = [(number, row) for number, row in enumerate(bins) if row["count"]]
    middles = [(number + 0.5) * width for number, _ in filled]
    confidences, accuracies, counts = (
        [row[key] for _, row in filled] for key in ("confidence", "accuracy", "count")
    )
    upper.bar(
        middles, accuracies, 0.92 * width, color=BLUE, alpha=0.35,
        label=text("plots.right_answers", language),
    )  # fmt: skip
    upper.plot([0, 1], [0, 1], ":", color=INK, label=text("plots.ideal", language))
    upper.vlines(confidences, confidences, accuracies, color=ORANGE, linewidth=2)
    upper.plot(
        confidences, accuracies, "o", color=ORANGE, markersize=5,
        label=text("plots.gap", language),
    )  # fmt: skip
    upper.set(xlim=(0, 1), ylim=(0, 1.02), ylabel=text("common.accuracy", language))
    upper.yaxis.set_major_formatter(_percents(language))
    figure.legend(loc="outside upper left", ncols=3)  # nowhere over the bars
    bars = lower.bar(middles, counts, 0.92 * width, color=BLUE)
    texts = [number(count, language) for count in counts]
    lower.bar_label(bars, texts, padding=2, fontsize=8)
    # Most answers are sure ones: on a plain scale the other bins would not be seen.
    lower.set_yscale("log")
    lower.set(ylim=(0.7, 4 * max(counts)), ylabel=text("common.pictures", language))
    lower.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, language)))
    lower.set_xlabel(text("plots.confidence", language))
    lower.xaxis.set_major_formatter(_percents(language))
    lower.minorticks_off()
    return to_png(figure)


@styled()
def curves(history: Sequence[Epoch], best: Epoch | None, language: Language = "en") -> bytes:
    """Draw loss and accuracy by epoch, of training and of validation.

    Args:
        history: one entry per epoch, at least one.
        best: the epoch whose weights were kept, marked if given.
        language: of the words drawn in.
    """
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _two_curves(left, history, "loss", best, language)
    left.set_title(text("plots.loss", language))
    left.set_ylabel("nats")
    left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _decimal(value, language)))
    _two_curves(right, history, "accuracy", best, language)
    right.set_title(text("common.accuracy", language))
    right.yaxis.set_major_formatter(_percents(language))
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return to_png(figure)


def _two_curves(
    axes: Axes, history: Sequence[Epoch], measure: str, best: Epoch | None, language: Language
) -> None:
    epochs = [entry.epoch for entry in history]
    marker = "o" if len(epochs) <= 30 else None
    for label, name, colour, dash in (
        (text("plots.training", language), measure, ORANGE, "--"),
        (text("plots.validation", language), f"val_{measure}", BLUE, "-"),
    ):
        values = [getattr(entry, name) for entry in history]
        axes.plot(epochs, values, dash, color=colour, marker=marker, markersize=3.5, label=label)
    if best is not None:
        label = text("plots.best_epoch", language, epoch=best.epoch)
        axes.axvline(best.epoch, color=INK, linewidth=1, linestyle=":", zorder=1)
        kept = getattr(best, f"val_{measure}")
        axes.plot(best.epoch, kept, "D", color=INK, markersize=7, zorder=3, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel(text("plots.epoch", language))


class Line(NamedTuple):
    """One run in a comparison: its epochs, if any, and what its evaluation measured, if it did."""

    name: str
    history: Sequence[Epoch]
    metrics: dict[str, Any] | None


@styled()
def comparison(lines: Sequence[Line]) -> bytes:
    """Draw runs side by side: validation accuracy over time, and the accuracies measured.

    The right half names the runs, and so is the legend of the left one.
    """
    height = max(4.0, 1.6 + 0.32 * len(lines))
    figure = Figure(figsize=(12, height), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1.25, 1])
    for position, line in enumerate(lines):
        colour = COLOURS[position % len(COLOURS)]
        dash = ("-", "--", ":", "-.")[position // len(COLOURS) % 4]
        seconds = np.cumsum([entry.seconds for entry in line.history])
        accuracies = [entry.val_accuracy for entry in line.history]
        marker = "o" if len(accuracies) <= 30 else None
        left.plot(seconds, accuracies, dash, color=colour, marker=marker, markersize=3.5)
        _measured(right, position, line, colour)
    left.set(title="Validation accuracy over training time", xlabel="Seconds of training")
    left.set_xlim(left=0)
    if not any(line.history for line in lines):
        left.set(xlim=(0, 1), ylim=(0, 1), xticks=[])
    left.yaxis.set_major_formatter(_percents("en"))
    right.set_title("Accuracy measured, with its 95% interval")
    right.set_yticks(range(len(lines)), [short(line.name, 32) for line in lines])
    for position, label in enumerate(right.get_yticklabels()):
        label.set(color=COLOURS[position % len(COLOURS)], fontweight="bold")
    right.set_ylim(len(lines) - 0.4, -0.6)
    right.margins(x=0.25)
    if all(line.metrics is None for line in lines):
        right.set_xlim(0, 1)
    # The margin that the labels need may reach where no accuracy can be.
    limits = right.get_xlim()
    right.set_xticks([tick for tick in right.get_xticks() if -1e-9 < tick < 1 + 1e-9])
    right.set_xlim(limits)
    right.xaxis.set_major_formatter(_percents("en"))
    right.grid(visible=False, axis="y")
    right.tick_params("y", length=0)
    return to_png(figure)


def _measured(axes: Axes, position: int, line: Line, colour: str) -> None:
    """One row: the accuracy with its interval, or a word where nothing was measured."""
    if line.metrics is None:
        axes.text(0.02, position, "not measured", transform=axes.get_yaxis_transform(), va="center")
        return
    accuracy, split = line.metrics["accuracy"], line.metrics["split"]
    axes.plot(line.metrics["accuracy_interval"], [position] * 2, color=colour, linewidth=3)
    # Hollow where it is not the test split that was measured.
    face = colour if split == "test" else "white"
    axes.plot(accuracy, position, "o", color=colour, markersize=9, markerfacecolor=face)
    axes.annotate(
        f"{percent(accuracy, 'en')} ({split})", (accuracy, position), xytext=(0, 8),
        textcoords="offset points", ha="center", fontsize=8.5,
    )  # fmt: skip


def _percents(language: Language) -> FuncFormatter:
    """Tick labels of fractions, in percent."""
    sign = percent(0, language, 0).removeprefix("0")
    return FuncFormatter(lambda value, _: _decimal(100 * value, language) + sign)


def _decimal(value: float, language: Language) -> str:
    """With as many digits as it needs."""
    text = f"{value:.4g}"
    return text.replace(".", ",") if language == "fr" else text
