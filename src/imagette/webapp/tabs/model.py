"""The page on the model: how good it is, what it mixes up, and what it cannot do."""

from typing import Any

import streamlit as st

from imagette.webapp import charts, html_parts
from imagette.webapp.session import current_session
from imagette.webapp.texts import DATASET_TITLES, TEXTS
from imagette.wording import Language, listed, number, percent

_MOST_CLASSES = 30  # a larger confusion matrix cannot be read
_MOST_MISTAKES = 5


def show(language: Language) -> None:
    model = current_session().model
    if model is None:
        return
    texts = TEXTS[language]
    names = model["class_names_fr" if language == "fr" else "class_names"]
    evaluation = model.get("evaluation")
    _section(texts.model_title)
    if model["accuracy"] is not None:
        st.html(html_parts.text("p", "figure", percent(model["accuracy"], language)))
    st.html(html_parts.paragraphs(_facts(model, evaluation, language)))
    if evaluation:
        _show_confusion(evaluation["confusion"], names, language)
        if evaluation.get("reliability"):
            _show_reliability(evaluation, language)
        _show_classes(evaluation["per_class"], names, language)
        if evaluation.get("history"):
            _show_curves(evaluation["history"], language)
    else:
        st.info(texts.no_evaluation, icon=":material/info:")
    _section(texts.limits)
    st.html(html_parts.bullets(_limits(model, names, language)))


def _section(title: str) -> None:
    st.html(html_parts.text("h2", "section", title))


def _facts(
    model: dict[str, Any], evaluation: dict[str, Any] | None, language: Language
) -> list[str]:
    texts = TEXTS[language]
    info = []
    if model["accuracy"] is not None:
        by_split = {"test": texts.test_accuracy, "leave-one-out": texts.left_out_accuracy}
        told = by_split.get(model["accuracy_split"], texts.validation_accuracy)
        info.append(told.format(accuracy=percent(model["accuracy"], language)))
    if evaluation:
        low, high = (percent(end, language) for end in evaluation["accuracy_interval"])
        count = number(evaluation["n"], language)
        info.append(texts.interval.format(count=count, low=low, high=high))
    chance = percent(1 / len(model["class_names"]), language, digits=0)
    info.append(texts.chance.format(chance=chance))
    if title := model["dataset"]:
        info.append(texts.dataset.format(dataset=DATASET_TITLES.get(title, title)))
    if model["parameters"]:
        parameters = number(model["parameters"], language)
        info.append(texts.network.format(model=model["model"], parameters=parameters))
    return info


def _show_confusion(counts: list[list[int]], names: list[str], language: Language) -> None:
    texts = TEXTS[language]
    _section(texts.confusion)
    if len(names) <= _MOST_CLASSES:
        st.html(html_parts.paragraphs([texts.confusion_help]))
        st.html(html_parts.confusion(counts, names, language, texts))
    st.html(f"<h3>{texts.mistakes}</h3>")
    mistakes = [
        (count, names[truth], names[said], sum(row))
        for truth, row in enumerate(counts)
        for said, count in enumerate(row)
        if said != truth and count
    ]
    told = [
        texts.mistake.format(
            truth=truth, said=said, count=number(count, language), total=number(total, language)
        )
        for count, truth, said, total in sorted(mistakes, reverse=True)[:_MOST_MISTAKES]
    ]
    st.html(html_parts.bullets(told or [texts.no_mistakes]))


def _show_reliability(evaluation: dict[str, Any], language: Language) -> None:
    texts = TEXTS[language]
    _section(texts.reliability)
    st.html(html_parts.paragraphs([texts.reliability_help]))
    bins = [one for one in evaluation["reliability"] if one["count"]]
    st.altair_chart(charts.reliability(bins, language, texts), alt=texts.reliability_alt)
    info = [texts.calibration.format(error=percent(evaluation["calibration_error"], language))]
    if "brier" in evaluation:
        info.append(texts.brier.format(brier=number(evaluation["brier"], language, digits=3)))
    st.html(html_parts.paragraphs(info))
    rows = [
        [
            percent(one["confidence"], language),
            percent(one["accuracy"], language),
            number(one["count"], language),
        ]
        for one in bins
    ]
    header = [texts.how_sure, texts.how_right, texts.pictures]
    _show_table(header, rows, texts.reliability, language)


def _show_classes(
    per_class: dict[str, dict[str, float]], names: list[str], language: Language
) -> None:
    texts = TEXTS[language]
    _section(texts.per_class)
    st.html(html_parts.paragraphs([texts.per_class_help]))
    rows = [
        [name]
        + [percent(one[key], language) for key in ("recall", "precision", "f1")]
        + [number(one["support"], language)]
        for name, one in zip(names, per_class.values(), strict=True)
    ]
    header = [texts.class_name, texts.recall, texts.precision, texts.f1, texts.pictures]
    st.html(html_parts.table(header, rows, texts.per_class))


def _show_curves(history: list[dict[str, float]], language: Language) -> None:
    texts = TEXTS[language]
    _section(texts.curves)
    st.html(
        html_parts.paragraphs([texts.curves_help.format(epochs=number(len(history), language))])
    )
    quantities = {"accuracy": texts.accuracy, "loss": texts.loss}
    for quantity, title in quantities.items():
        alt = texts.curves_alt.format(quantity=title)
        st.altair_chart(charts.curves(history, quantity, language, texts), alt=alt)
    header = [texts.epoch] + [
        f"{title}, {series}"
        for title in quantities.values()
        for series in (texts.learning, texts.set_aside)
    ]
    rows = [
        [number(row["epoch"], language)]
        + [
            charts.tell(row[prefix + quantity], quantity, language)
            for quantity in quantities
            for prefix in ("", "val_")
        ]
        for row in history
    ]
    _show_table(header, rows, texts.curves, language)


def _show_table(header: list[str], rows: list[list[str]], label: str, language: Language) -> None:
    """A table that is folded away, for those who do not see the chart, or want the numbers."""
    with st.expander(TEXTS[language].as_table, icon=":material/table:"):
        st.html(html_parts.table(header, rows, label))


def _limits(model: dict[str, Any], names: list[str], language: Language) -> list[str]:
    texts = TEXTS[language]
    tells_unknown = model.get("familiarity_threshold") is not None
    unknown = texts.limit_unknown if tells_unknown else texts.limit_no_unknown
    return [
        texts.limit_classes.format(count=len(names), names=listed(names, language)),
        unknown.format(count=len(names)),
        texts.limit_size.format(**model["input"]),
        texts.limit_wrong,
    ]
