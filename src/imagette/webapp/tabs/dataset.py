"""The page on the pictures that the model learned from."""

from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from imagette.webapp import html_parts
from imagette.webapp.client import Api, ApiDown, Refused
from imagette.webapp.session import current_session
from imagette.webapp.texts import DATASET_TITLES, TEXTS
from imagette.wording import Language, listed, number


def show(api: Api, language: Language, look_page: StreamlitPage) -> None:
    model = current_session().model
    if model is None:
        return
    st.html(html_parts.text("h2", "section", TEXTS[language].data_title))
    dataset = ask_dataset(api)
    if dataset is None:
        _show_facts(model, language)
    else:
        _show_dataset(dataset, language, look_page)


def ask_dataset(api: Api) -> dict[str, Any] | None:
    """What the model learned from; None where the API does not have it or does not answer."""
    try:
        return _ask_once(api.url, api)
    except (ApiDown, Refused):
        return None


# It does not change while the API runs, and is large; the time is for an API that was restarted.
@st.cache_data(ttl=60, show_spinner=False)
def _ask_once(_url: str, _api: Api) -> dict[str, Any] | None:
    return _api.dataset()


def _show_dataset(dataset: dict[str, Any], language: Language, look_page: StreamlitPage) -> None:
    texts = TEXTS[language]
    classes = dataset["classes"]
    name = "name_fr" if language == "fr" else "name"
    train = sum(one["train"] for one in classes)
    test = sum(one["test"] for one in classes)
    info = texts.data_facts.format(
        dataset=DATASET_TITLES.get(dataset["name"], dataset["name"]),
        total=number(train + test, language),
        count=len(classes),
        width=dataset["width"],
        height=dataset["height"],
        train=number(train, language),
        test=number(test, language),
    )
    st.html(html_parts.paragraphs([info]))

    st.html(html_parts.text("h2", "section", texts.examples))
    st.caption(texts.examples_help)
    st.html("".join(html_parts.examples(one[name], one["examples"], texts) for one in classes))
    st.page_link(look_page, label=texts.ask_about, icon=":material/arrow_back:")

    st.html(html_parts.text("h2", "section", texts.counts))
    rows = [[one[name], one["train"], one["test"], one["train"] + one["test"]] for one in classes]
    rows.append([texts.total, train, test, train + test])
    header = [texts.class_name, texts.to_learn, texts.to_test, texts.total]
    written = [[words, *(number(count, language) for count in counts)] for words, *counts in rows]
    st.html(html_parts.table(header, written, texts.counts))


def _show_facts(model: dict[str, Any], language: Language) -> None:
    """What the model itself says of its pictures."""
    texts = TEXTS[language]
    st.info(texts.no_data, icon=":material/folder_off:")
    names = model["class_names_fr" if language == "fr" else "class_names"]
    title = model["dataset"]
    info = [
        texts.dataset.format(dataset=DATASET_TITLES.get(title, title))
        if title
        else texts.unnamed_dataset,
        texts.knows.format(count=len(names), names=listed(names, language)),
        texts.network_sees_help.format(**model["input"]),
    ]
    st.html(html_parts.paragraphs(info))
    if title == "cifar10":
        st.markdown(texts.no_data_help)
    if evaluation := model.get("evaluation"):
        rows = [
            [name, number(one["support"], language)]
            for name, one in zip(names, evaluation["per_class"].values(), strict=True)
        ]
        st.html(html_parts.table([texts.class_name, texts.to_test], rows, texts.counts))
