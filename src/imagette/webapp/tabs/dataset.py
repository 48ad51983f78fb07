"""The tab on the images that the model learned from."""

from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from imagette.webapp import html_parts
from imagette.webapp.client import Api, NoAnswer
from imagette.webapp.sentences import dataset_title
from imagette.webapp.session import class_names, current_session
from imagette.webapp.texts import Texts


def show(api: Api, texts: Texts, predict_page: StreamlitPage) -> None:
    model = current_session().model
    if model is None:
        return
    st.html(html_parts.section(texts.dataset_title))
    dataset = ask_dataset(api)
    if dataset is None:
        _show_facts(model, texts)
    else:
        _show_dataset(dataset, texts, predict_page)


def ask_dataset(api: Api) -> dict[str, Any] | None:
    """What the model learned from; None where the API does not have it or does not answer."""
    try:
        return _ask_once(api.url, api)
    except NoAnswer:
        return None


# It does not change while the API runs, and is large; the time is for an API that was restarted.
@st.cache_data(ttl=60, show_spinner=False)
def _ask_once(_url: str, _api: Api) -> dict[str, Any] | None:
    return _api.dataset()


def _show_dataset(dataset: dict[str, Any], texts: Texts, predict_page: StreamlitPage) -> None:
    classes = dataset["classes"]
    name = "name_fr" if texts.language == "fr" else "name"
    train = sum(one["train"] for one in classes)
    test = sum(one["test"] for one in classes)
    info = texts.dataset_facts.format(
        dataset=dataset_title(dataset["name"]),
        total=texts.number(train + test),
        count=len(classes),
        width=dataset["width"],
        height=dataset["height"],
        train=texts.number(train),
        test=texts.number(test),
    )
    st.html(html_parts.paragraphs([info]))

    st.html(html_parts.section(texts.examples))
    st.caption(texts.examples_help)
    st.html("".join(html_parts.examples(one[name], one["examples"], texts) for one in classes))
    st.page_link(predict_page, label=texts.ask_about, icon=":material/arrow_back:")

    st.html(html_parts.section(texts.counts))
    rows = [[one[name], one["train"], one["test"], one["train"] + one["test"]] for one in classes]
    rows.append([texts.total, train, test, train + test])
    header = [texts.class_name, texts.to_learn, texts.to_test, texts.total]
    written = [[words, *(texts.number(count) for count in counts)] for words, *counts in rows]
    st.html(html_parts.table(header, written, texts.counts))


def _show_facts(model: dict[str, Any], texts: Texts) -> None:
    """What the model itself says of its images."""
    st.info(texts.no_dataset, icon=":material/folder_off:")
    names = class_names(model, texts.language)
    title = model["dataset"]
    info = [
        texts.learned_from.format(dataset=dataset_title(title)) if title else texts.unnamed_dataset,
        texts.knows.format(count=len(names), names=texts.listed(names)),
        texts.network_sees_help.format(**model["input"]),
    ]
    st.html(html_parts.paragraphs(info))
    if title == "cifar10":
        st.markdown(texts.no_dataset_help)
    if evaluation := model.get("evaluation"):
        rows = [
            [name, texts.number(one["support"])]
            for name, one in zip(names, evaluation["per_class"].values(), strict=True)
        ]
        st.html(html_parts.table([texts.class_name, texts.to_test], rows, texts.counts))
