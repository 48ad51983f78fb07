"""The tab on the images that the model learned from."""

from typing import Any

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from imagette.webapp import charts, html_parts
from imagette.webapp.client import Api, NoAnswer
from imagette.webapp.sentences import dataset_title
from imagette.webapp.session import class_names, current_session
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import choose_class, number_table

_SPLITS = ("train", "validation", "test")
_MAX_ROWS = 30  # of examples, and bars of the chart; beyond that, a class is chosen


def show(api: Api, texts: Texts, predict_page: StreamlitPage) -> None:
    model = current_session().model
    if model is None:
        return
    st.html(html_parts.section(texts.dataset_title))
    dataset = ask_dataset(api)
    if dataset is None:
        _show_facts(model, texts)
        return
    classes = dataset["classes"]
    names = [one[name_key(texts)] for one in classes]
    counts = {split: [one[split] for one in classes] for split in _SPLITS}
    counts = {split: row for split, row in counts.items() if any(row)}
    st.html(html_parts.paragraphs(_facts(dataset, counts, texts)))
    if dataset["examples_of"]:
        _show_examples(dataset, names, texts, predict_page)
    elif dataset["name"] == "cifar10":
        st.markdown(texts.no_dataset_help)
    if counts:
        _show_counts(names, counts, texts)


def ask_dataset(api: Api) -> dict[str, Any] | None:
    """What the model learned from; None where the API does not know it or does not answer."""
    try:
        return _ask_once(api.url, api)
    except NoAnswer:
        return None


# It does not change while the API runs, and is large; the time is for an API that was restarted.
@st.cache_data(ttl=60, show_spinner=False)
def _ask_once(_url: str, _api: Api) -> dict[str, Any] | None:
    return _api.dataset()


def name_key(texts: Texts) -> str:
    """Under which key the API has the names of classes in a language."""
    return "name_fr" if texts.language == "fr" else "name"


def examples_note(dataset: dict[str, Any], texts: Texts) -> str:
    """Whether the model has learned from the examples."""
    notes = {
        "train": texts.examples_train,
        "validation": texts.examples_validation,
        "test": texts.examples_test,
    }
    return notes[dataset["examples_of"]]


def is_tiny(dataset: dict[str, Any]) -> bool:
    """Whether its images are so small that each of their pixels is to be seen."""
    return dataset["name"] in ("cifar10", "digits")


def _facts(dataset: dict[str, Any], counts: dict[str, list[int]], texts: Texts) -> list[str]:
    title, totals = dataset["name"], {split: sum(row) for split, row in counts.items()}
    if not totals:
        known = texts.learned_from.format(dataset=dataset_title(title, texts)) if title else ""
        return [known or texts.unnamed_dataset]
    facts = (texts.dataset_facts if title else texts.unnamed_facts).format(
        dataset=dataset_title(title or "", texts),
        total=texts.number(sum(totals.values())),
        count=texts.number(len(dataset["classes"])),
    )
    if list(totals) == ["train"]:
        return [f"{facts} {texts.all_learned}"]
    helps = {
        "train": texts.train_help, "validation": texts.validation_help, "test": texts.test_help,
    }  # fmt: skip
    said = (helps[split].format(count=texts.number(total)) for split, total in totals.items())
    return [facts, *said]


def _show_examples(
    dataset: dict[str, Any], names: list[str], texts: Texts, predict_page: StreamlitPage
) -> None:
    st.html(html_parts.section(texts.examples))
    st.caption(examples_note(dataset, texts))
    shown = range(len(names))
    if len(names) > _MAX_ROWS:
        chosen = choose_class(texts.choose_class, names, "examples-class")
        shown = range(chosen, chosen + 1)
    rows = [(names[place], dataset["classes"][place]["examples"]) for place in shown]
    tiny = is_tiny(dataset)
    st.html("".join(html_parts.examples(name, urls, tiny, texts) for name, urls in rows))
    st.page_link(predict_page, label=texts.ask_about, icon=":material/arrow_back:")


def _show_counts(names: list[str], counts: dict[str, list[int]], texts: Texts) -> None:
    st.html(html_parts.section(texts.counts))
    titles = {
        "train": texts.split_train, "validation": texts.split_validation, "test": texts.split_test,
    }  # fmt: skip
    if len(names) <= _MAX_ROWS:
        st.altair_chart(charts.counts(names, counts, titles, texts), alt=texts.counts_alt)
    rows = [[name, *each] for name, *each in zip(names, *counts.values(), strict=True)]
    rows.append([texts.total, *map(sum, counts.values())])
    header = [texts.class_name, *(titles[split] for split in counts)]
    if len(counts) > 1:
        rows = [[*row, sum(row[1:])] for row in rows]
        header.append(texts.total)
    written = [[words, *map(texts.number, each)] for words, *each in rows]
    number_table(header, written, texts.counts, texts)


def _show_facts(model: dict[str, Any], texts: Texts) -> None:
    """What the model itself says of its images."""
    st.info(texts.no_dataset, icon=":material/folder_off:")
    names = class_names(model, texts.language)
    title = model["dataset"]
    info = [
        texts.learned_from.format(dataset=dataset_title(title, texts))
        if title
        else texts.unnamed_dataset,
        texts.knows.format(count=len(names), names=texts.listed(names)),
        texts.limit_size.format(**model["input"]),
    ]
    st.html(html_parts.paragraphs(info))
    if evaluation := model.get("evaluation"):
        rows = [
            [name, texts.number(one["support"])]
            for name, one in zip(names, evaluation["per_class"].values(), strict=True)
        ]
        st.html(html_parts.table([texts.class_name, texts.measured_on], rows, texts.counts))
