"""The axes of the page's charts: each label says something else, in the reader's language."""

import json
import re

import pytest

pytest.importorskip("streamlit", reason="the page needs imagette[webapp]")

from imagette.webapp import charts
from imagette.webapp.texts import TEXTS


def history(quantity, *values):
    return [
        {"epoch": epoch, quantity: value, f"val_{quantity}": value}
        for epoch, value in enumerate(values, start=1)
    ]


def axes(chart):
    """The labels of both axes, and how far these reach."""
    encoding = chart.to_dict()["encoding"]
    for name in "xy":
        axis, scale = encoding[name]["axis"], encoding[name]["scale"]
        [found] = re.findall(r"^(\[\[.*?\]\])\[", axis["labelExpr"])
        pairs = dict(json.loads(found))
        assert list(pairs) == axis["values"]
        yield list(pairs.values()), scale["domain"]


@pytest.mark.parametrize(
    ("quantity", "values"),
    [
        ("accuracy", (0.1, 0.95)), ("accuracy", (0.9871, 0.9879)), ("accuracy", (0.5,)),
        ("accuracy", (1.0, 1.0, 1.0)), ("accuracy", tuple(n / 90 for n in range(90))),
        ("loss", (2.3, 0.01)), ("loss", (0.0004, 0.0002)), ("loss", (1.0, 1.0)),
        ("loss", (1234.5, 900.0)), ("loss", (0.0, 0.0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("texts", TEXTS.values(), ids=TEXTS)
def test_no_label_is_there_twice(quantity, values, texts):
    (epochs, x_domain), (labels, y_domain) = axes(
        charts.curves(history(quantity, *values), quantity, texts)
    )
    for found in (epochs, labels):
        assert 2 <= len(found) <= 8
        assert len(set(found)) == len(found)
    assert all(label.isdecimal() for label in epochs)
    assert x_domain[0] <= 1
    assert x_domain[1] >= len(values)
    assert y_domain[0] <= min(values)
    assert y_domain[1] >= max(values)
    if texts.language == "fr":
        assert not any("." in label for label in labels)


def test_shares_are_percentages():
    [_, (labels, _)] = axes(charts.curves(history("accuracy", 0.2, 0.9), "accuracy", TEXTS["fr"]))
    assert labels == [f"{n}\u202f%" for n in (20, 40, 60, 80, 100)]
    [_, (labels, _)] = axes(
        charts.curves(history("accuracy", 0.987, 0.99), "accuracy", TEXTS["en"])
    )
    assert labels == ["98.7%", "98.8%", "98.9%", "99.0%"]
