"""The charts of the page, which follow its light or dark theme."""

import json
import math

import altair as alt

from imagette.webapp.literal import plain
from imagette.webapp.texts import Texts

# They differ on light and dark, and to the colour-blind.
_LEARNING, _SET_ASIDE = "#4a78ab", "#d9822b"
_GREY = "#8a8d95"
_SPLITS = {"train": _LEARNING, "validation": _GREY, "test": _SET_ASIDE}
_HEIGHT = 340


def reliability(bins: list[dict[str, float]], texts: Texts) -> alt.LayerChart:
    """How often the model is right against how sure it says it is.

    Args:
        bins: `confidence` and `accuracy`, 0 to 1, and `count` of each; none of them empty.
        texts: in which language to name the axes.
    """
    rows = [
        one
        | {
            texts.how_sure: texts.percent(one["confidence"]),
            texts.how_right: texts.percent(one["accuracy"]),
            texts.images: texts.number(one["count"]),
        }
        for one in bins
    ]
    ends = [{"confidence": end, "accuracy": end} for end in (0, 1)]
    scale, axis = alt.Scale(domain=[0, 1]), _axis([0, 0.2, 0.4, 0.6, 0.8, 1], True, texts)
    x = alt.X("confidence:Q", title=texts.how_sure, scale=scale, axis=axis)
    y = alt.Y("accuracy:Q", title=texts.how_right, scale=scale, axis=axis)
    diagonal = alt.Chart(alt.Data(values=ends)).mark_line(strokeDash=[6, 4], color=_GREY)
    dots = (
        alt.Chart(alt.Data(values=rows))
        .mark_circle(color=_LEARNING, opacity=0.9)
        .encode(
            size=alt.Size("count:Q", scale=alt.Scale(range=[50, 500]), legend=None),
            tooltip=[f"{name}:N" for name in (texts.how_sure, texts.how_right, texts.images)],
        )
    )
    return (diagonal + dots).encode(x=x, y=y).properties(height=_HEIGHT)


def curves(history: list[dict[str, float]], quantity: str, texts: Texts) -> alt.Chart:
    """How the accuracy or the loss went, epoch by epoch.

    Args:
        history: for each epoch, the quantity on the images learned from, and with `val_` before
            its name on those set aside.
        quantity: `accuracy` or `loss`.
        texts: in which language to name what is shown.
    """
    title = {"accuracy": texts.accuracy, "loss": texts.loss}[quantity]
    series = {texts.learning: quantity, texts.set_aside: f"val_{quantity}"}
    rows = [
        {
            "epoch": row["epoch"],
            "value": row[column],
            "series": name,
            texts.epoch: texts.number(row["epoch"]),
            title: written(row[column], quantity, texts),
        }
        for row in history
        for name, column in series.items()
    ]
    is_share = quantity == "accuracy"
    values = [row[column] for row in history for column in series.values()]
    y_ticks = _ticks(min(values) if is_share else 0, max(values))
    epochs = [row["epoch"] for row in history]
    x_ticks = _ticks(min(epochs), max(epochs), least=1)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_line(point=len(history) < 30, strokeWidth=2.5)
        .encode(
            x=alt.X(
                "epoch:Q",
                title=texts.epoch,
                axis=_axis(x_ticks, False, texts),
                scale=alt.Scale(domain=[x_ticks[0], x_ticks[-1]]),
            ),
            y=alt.Y(
                "value:Q",
                title=title,
                axis=_axis(y_ticks, is_share, texts),
                scale=alt.Scale(domain=[y_ticks[0], y_ticks[-1]]),
            ),
            color=alt.Color(
                "series:N",
                title=None,
                scale=alt.Scale(domain=list(series), range=[_LEARNING, _SET_ASIDE]),
                legend=alt.Legend(orient="bottom", direction="vertical", labelLimit=400),
            ),
            tooltip=[f"{texts.epoch}:N", "series:N", f"{title}:N"],
        )
        .properties(height=_HEIGHT)
    )


def written(value: float, quantity: str, texts: Texts) -> str:
    """An accuracy as a percentage, a loss as a number."""
    if quantity == "accuracy":
        return texts.percent(value)
    return texts.number(value, digits=3)


def counts(
    names: list[str], by_split: dict[str, list[int]], titles: dict[str, str], texts: Texts
) -> alt.Chart:
    """How many images there are of each class, in a bar of which each split is a part.

    Args:
        names: of the classes.
        by_split: the numbers of images, in the order of the classes, by split.
        titles: what to call each split.
        texts: in which language to name what is shown.
    """
    rows = [
        {
            "place": place,
            texts.class_name: plain(name),
            "split": titles[split],
            "order": order,
            "count": row[place],
            texts.images: texts.number(row[place]),
        }
        for order, (split, row) in enumerate(by_split.items())
        for place, name in enumerate(names)
    ]
    ticks = _ticks(0, max(map(sum, zip(*by_split.values(), strict=True))), least=1)
    written = ", ".join(json.dumps(plain(name)) for name in names)
    legend = alt.Legend(orient="top") if len(by_split) > 1 else None
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(
            x=alt.X(
                "count:Q",
                title=texts.images,
                axis=_axis(ticks, False, texts),
                scale=alt.Scale(domain=[0, ticks[-1]]),
            ),
            # By its place, as two classes may be called nearly alike.
            y=alt.Y(
                "place:O",
                title=None,
                axis=alt.Axis(labelExpr=f"[{written}][datum.value]", labelLimit=140, ticks=False),
            ),
            color=alt.Color(
                "split:N",
                title=None,
                scale=alt.Scale(
                    domain=[titles[split] for split in by_split],
                    range=[_SPLITS[split] for split in by_split],
                ),
                legend=legend,
            ),
            order="order:Q",
            tooltip=[f"{texts.class_name}:N", "split:N", f"{texts.images}:N"],
        )
        .properties(height=alt.Step(24))
    )


def _ticks(low: float, high: float, least: float = 0.0001) -> list[float]:
    """Round numbers in equal steps, from one that is not above `low` to one not below `high`.

    Args:
        low: the smallest value.
        high: the largest value.
        least: the smallest step.
    """
    wanted = max((high - low) / 5, least)
    power = 10 ** math.floor(math.log10(wanted))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= wanted * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(one * step, 9) for one in range(first, max(last, first + 1) + 1)]


def _axis(ticks: list[float], is_share: bool, texts: Texts) -> alt.Axis:
    """An axis whose labels have the digits that tell its ticks apart, and no more.

    Args:
        ticks: where the labels are.
        is_share: whether they are written as percentages.
        texts: in which language to write them.
    """
    write = texts.percent if is_share else texts.number
    labels: list[str] = []
    for digits in range(6):
        labels = [write(tick, digits=digits) for tick in ticks]
        size = 100 if is_share else 1
        if all(round(size * tick, digits) == round(size * tick, 9) for tick in ticks):
            break
    # Vega knows no French numbers, and a tick by no more than its value.
    pairs = ", ".join(
        f"[{tick}, {json.dumps(words)}]" for tick, words in zip(ticks, labels, strict=True)
    )
    nearest = f"[{pairs}][indexof([{', '.join(map(str, ticks))}], datum.value)][1]"
    return alt.Axis(values=ticks, labelExpr=nearest)
