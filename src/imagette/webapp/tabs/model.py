"""The tab on the model: how good it is, what it mixes up, and what it cannot do."""

from typing import Any

import streamlit as st

from imagette.webapp import charts, html_parts
from imagette.webapp.client import Api, NoAnswer
from imagette.webapp.previews import confusion_url
from imagette.webapp.sentences import dataset_title, parameter_count
from imagette.webapp.session import class_names, current_session
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import number_table

_MAX_CLASSES = 30  # the numbers in a larger confusion matrix cannot be read
_MAX_MISTAKES = 5


def show(api: Api, texts: Texts) -> None:
    model = current_session().model
    if model is None:
        return
    names = class_names(model, texts.language)
    evaluation = model.get("evaluation")
    _section(texts.model_title)
    if model["accuracy"] is not None:
        st.html(html_parts.text("p", "figure", texts.percent(model["accuracy"])))
    st.html(html_parts.paragraphs(_facts(model, evaluation, texts)))
    if evaluation:
        if evaluation["confusion"]:
            _show_confusion(evaluation["confusion"], names, texts)
        if evaluation.get("reliability"):
            _show_reliability(evaluation, texts)
        _show_classes(evaluation["per_class"], names, texts)
        if evaluation.get("history"):
            _show_curves(evaluation["history"], texts)
    else:
        st.info(texts.no_evaluation, icon=":material/info:")
    _section(texts.limits)
    st.html(html_parts.bullets(_limits(model, names, texts)))
    _offer_card(api, texts)


def _section(title: str) -> None:
    st.html(html_parts.section(title))


def _facts(model: dict[str, Any], evaluation: dict[str, Any] | None, texts: Texts) -> list[str]:
    info = []
    if model["accuracy"] is not None:
        by_split = {"test": texts.test_accuracy, "leave-one-out": texts.left_out_accuracy}
        sentence = by_split.get(model["accuracy_split"], texts.validation_accuracy)
        info.append(sentence.format(accuracy=texts.percent(model["accuracy"])))
    if evaluation:
        low, high = (texts.percent(end) for end in evaluation["accuracy_interval"])
        count = texts.number(evaluation["n"])
        info.append(texts.interval.format(count=count, low=low, high=high))
    chance = texts.percent(1 / len(model["class_names"]), digits=0)
    info.append(texts.chance.format(chance=chance))
    if title := model["dataset"]:
        info.append(texts.learned_from.format(dataset=dataset_title(title, texts)))
    if model["parameters"]:
        parameters = parameter_count(model["parameters"], texts)
        info.append(texts.network.format(model=model["model"], parameters=parameters))
    if model["pretrained_on"]:
        info.append(texts.pretrained)
    return info


def _offer_card(api: Api, texts: Texts) -> None:
    try:
        card = _ask_card(api.url, texts.language, api)
    except NoAnswer:
        return
    st.download_button(
        texts.card,
        card,
        file_name="README.fr.md" if texts.language == "fr" else "README.md",
        mime="text/markdown",
        icon=":material/download:",
        key="card",
        help=texts.card_help,
        on_click="ignore",
    )


# As what the model learned from: see tabs/dataset.py.
@st.cache_data(ttl=60, show_spinner=False)
def _ask_card(_url: str, language: str, _api: Api) -> bytes:
    return _api.file(f"/model/card?language={language}")


def _show_confusion(counts: list[list[int]], names: list[str], texts: Texts) -> None:
    _section(texts.confusion)
    st.html(html_parts.paragraphs([texts.confusion_help]))
    if len(names) <= _MAX_CLASSES:
        st.html(html_parts.confusion(counts, names, texts))
    else:
        st.html(html_parts.confusion_picture(confusion_url(counts), texts))
    st.html(f"<h3>{texts.mistakes}</h3>")
    mistakes = [
        (count, names[truth], names[predicted], sum(row))
        for truth, row in enumerate(counts)
        for predicted, count in enumerate(row)
        if predicted != truth and count
    ]
    sentences = [
        texts.mistake.format(
            truth=truth, predicted=predicted, count=texts.number(count), total=texts.number(total)
        )
        for count, truth, predicted, total in sorted(mistakes, reverse=True)[:_MAX_MISTAKES]
    ]
    st.html(html_parts.bullets(sentences or [texts.no_mistakes]))


def _show_reliability(evaluation: dict[str, Any], texts: Texts) -> None:
    _section(texts.reliability)
    st.html(html_parts.paragraphs([texts.reliability_help]))
    bins = [one for one in evaluation["reliability"] if one["count"]]
    st.altair_chart(charts.reliability(bins, texts), alt=texts.reliability_alt)
    info = [texts.calibration.format(error=texts.percent(evaluation["calibration_error"]))]
    if "brier" in evaluation:
        info.append(texts.brier.format(brier=texts.number(evaluation["brier"], digits=3)))
    st.html(html_parts.paragraphs(info))
    rows = [
        [
            texts.percent(one["confidence"]),
            texts.percent(one["accuracy"]),
            texts.number(one["count"]),
        ]
        for one in bins
    ]
    header = [texts.how_sure, texts.how_right, texts.images]
    number_table(header, rows, texts.reliability, texts)


def _show_classes(per_class: dict[str, dict[str, float]], names: list[str], texts: Texts) -> None:
    _section(texts.per_class)
    st.html(html_parts.paragraphs([texts.per_class_help]))
    rows = [
        [name]
        + [texts.percent(one[key]) for key in ("recall", "precision", "f1")]
        + [texts.number(one["support"])]
        for name, one in zip(names, per_class.values(), strict=True)
    ]
    header = [texts.class_name, texts.recall, texts.precision, texts.f1, texts.images]
    st.html(html_parts.table(header, rows, texts.per_class))


def _show_curves(history: list[dict[str, float]], texts: Texts) -> None:
    _section(texts.curves)
    st.html(html_parts.paragraphs([texts.curves_help.format(epochs=texts.number(len(history)))]))
    quantities = {"accuracy": texts.accuracy, "loss": texts.loss}
    for quantity, title in quantities.items():
        alt = texts.curves_alt.format(quantity=title)
        st.altair_chart(charts.curves(history, quantity, texts), alt=alt)
    header = [texts.epoch] + [
        f"{title}, {series}"
        for title in quantities.values()
        for series in (texts.learning, texts.set_aside)
    ]
    rows = [
        [texts.number(row["epoch"])]
        + [
            charts.written(row[prefix + quantity], quantity, texts)
            for quantity in quantities
            for prefix in ("", "val_")
        ]
        for row in history
    ]
    number_table(header, rows, texts.curves, texts)


def _limits(model: dict[str, Any], names: list[str], texts: Texts) -> list[str]:
    tells_unknown = model.get("familiarity_threshold") is not None
    unknown = texts.limit_unknown if tells_unknown else texts.limit_no_unknown
    return [
        texts.limit_classes.format(count=len(names), names=texts.listed(names)),
        unknown.format(count=len(names)),
        texts.limit_size.format(**model["input"]),
        texts.limit_wrong,
    ]
