"""The plots: drawn for any number of classes and epochs, and true to the numbers."""

import io

import matplotlib
import numpy as np
import pytest
from PIL import Image

from imagette.evaluation import plots
from imagette.runs import Epoch


def open_png(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def corners(matrix: list[list[int]]) -> np.ndarray:
    """Colours of the four cells of a confusion matrix, away from the counts in their middle."""
    pixels = open_png(plots.confusion(matrix, ["a", "b"]))
    height, width = pixels.shape[:2]
    cells = pixels[int(0.1 * height) : int(0.85 * height), int(0.1 * width) : int(0.8 * width)]
    rows, columns = cells.shape[:2]
    return cells[np.ix_([rows // 8, -rows // 8], [columns // 8, -columns // 8])]


def epoch(number: int) -> Epoch:
    return Epoch(
        epoch=number, loss=2 / number, accuracy=0.5, val_loss=1.0, val_accuracy=0.4, seconds=1.5
    )


@pytest.mark.parametrize("classes", [2, 10, 21, 100, 300])
def test_confusion_of_any_number_of_classes(classes):
    matrix = np.eye(classes, dtype=int) * 5 + 1
    names = [f"$class_{number}$ 名" for number in range(classes)]
    pixels = open_png(plots.confusion(matrix.tolist(), names, "fr"))
    assert 600 < max(pixels.shape) < 3800


def test_confusion_colours_rows_by_their_own_size():
    """Two classes with the same shares look the same, though one is a hundred times larger."""
    (right, error), (other_error, other_right) = corners([[9, 1], [100, 900]])
    assert (right == other_right).all()
    assert (error == other_error).all()
    assert right.sum() < error.sum()  # the more, the darker


def test_class_without_pictures_is_drawn_blank():
    """All its row is in one colour, which is none that a share is drawn in."""
    (all_of_it, nothing), (blank, other_blank) = corners([[4, 0], [0, 0]])
    assert (blank == other_blank).all()
    assert (blank != all_of_it).any()
    assert (blank != nothing).any()


@pytest.mark.parametrize("epochs", [1, 2, 200])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_curves_of_any_length(epochs, language):
    history = [epoch(number) for number in range(1, epochs + 1)]
    assert open_png(plots.curves(history, history[-1], language)).shape == (640, 1600, 3)


def test_curves_mark_the_best_epoch():
    history = [epoch(number) for number in range(1, 8)]
    marked, plain = (open_png(plots.curves(history, best)) for best in (history[2], None))
    ink = [31, 36, 48]
    assert (marked == ink).all(axis=2).sum() > (plain == ink).all(axis=2).sum() + 100


EMPTY = {"confidence": None, "accuracy": None, "count": 0}


@pytest.mark.parametrize("language", ["en", "fr"])
def test_reliability_of_full_and_of_empty_bins(language):
    full = [{"confidence": (n + 0.5) / 15, "accuracy": n / 15, "count": 10**n} for n in range(9)]
    sure = {"confidence": 1.0, "accuracy": 1.0, "count": 1}
    for bins in (full + [EMPTY] * 6, [EMPTY] * 14 + [sure]):
        assert min(open_png(plots.reliability(bins, language)).shape[:2]) > 900


def test_reliability_shows_the_gap():
    def drawn(accuracy: float) -> np.ndarray:
        row = {"confidence": 0.9, "accuracy": accuracy, "count": 50}
        return open_png(plots.reliability([EMPTY] * 13 + [row, EMPTY]))

    orange = [213, 94, 0]
    calibrated, too_sure = ((drawn(share) == orange).all(axis=2).sum() for share in (0.9, 0.4))
    assert too_sure > calibrated + 500


def test_comparison_of_many_runs():
    metrics = {"accuracy": 0.7, "accuracy_interval": [0.6, 0.8], "split": "test"}
    lines = [plots.Line(f"run {number}", [epoch(1), epoch(2)], metrics) for number in range(30)]
    few, many = (open_png(plots.comparison(some)) for some in (lines[:2], lines))
    assert many.shape[0] > few.shape[0]


def test_plots_leave_no_state():
    before = dict(matplotlib.rcParams)
    plots.curves([epoch(1)], None)
    assert dict(matplotlib.rcParams) == before
