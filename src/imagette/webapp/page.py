"""The page, from top to bottom. Streamlit runs this file anew at every click."""

import os
from pathlib import Path
from typing import Any

import streamlit as st

from imagette.assets import Sample, list_samples
from imagette.webapp import pieces
from imagette.webapp.client import Api, ApiDown, Refused
from imagette.webapp.texts import DATASET_TITLES, TEXTS, answer, percent
from imagette.wording import Language, number

_HERE = Path(__file__).parent
_API_URL = os.environ.get("IMAGETTE_API_URL", "http://127.0.0.1:5000")
_API_KEY = os.environ.get("IMAGETTE_API_KEY", "")


def main() -> None:
    st.set_page_config(page_title="Imagette", page_icon=str(_HERE / "icon.png"), layout="centered")
    st.html(_HERE / "style.css")
    language = _language()
    _header(language)
    api = Api(_API_URL, _API_KEY)
    try:
        model = api.model()
        names = model["class_names_fr" if language == "fr" else "class_names"]
        knows = TEXTS[language].knows.format(count=len(names), names=", ".join(names))
        st.html(pieces.text("p", "knows", knows))
        picture, alt = _choose_picture(language)
        if picture is not None:
            _show_answer(api, picture, alt, names, model["input"], language)
        _about(model, language)
    except ApiDown:
        _api_down(language)


def _language() -> Language:
    """The language that was switched to, or else the browser's."""
    if "language" not in st.session_state:
        st.session_state.language = "fr" if (st.context.locale or "").startswith("fr") else "en"
    return st.session_state.language


def _switch_language() -> None:
    st.session_state.language = "en" if st.session_state.language == "fr" else "fr"


def _header(language: Language) -> None:
    texts = TEXTS[language]
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.title("Imagette", anchor=False)
        st.button(
            texts.other_language,
            icon=":material/translate:",
            type="tertiary",
            on_click=_switch_language,
        )
    st.markdown(texts.introduction)


def _choose_picture(language: Language) -> tuple[bytes | None, str]:
    """What was uploaded or picked last, as the bytes of a file, and words that describe it."""
    texts = TEXTS[language]
    st.html(pieces.uploader_style(texts))
    upload = st.file_uploader(
        texts.choose, key="upload", label_visibility="collapsed", on_change=_forget_sample
    )
    if samples := list_samples():
        st.caption(texts.try_sample)
        st.html(pieces.sample_styles(samples))
        with st.container(horizontal=True, key="samples"):
            for sample in samples:
                st.button(
                    sample.name[language],
                    key=f"sample-{sample.path.stem}",
                    on_click=_pick_sample,
                    args=(sample,),
                )
    picked: Sample | None = st.session_state.get("sample")
    if picked is not None:
        return picked.path.read_bytes(), picked.description[language]
    return (upload.getvalue(), upload.name) if upload is not None else (None, "")


def _pick_sample(sample: Sample) -> None:
    st.session_state.sample = sample


def _forget_sample() -> None:
    st.session_state.sample = None


def _show_answer(
    api: Api,
    picture: bytes,
    alt: str,
    names: list[str],
    input_size: dict[str, int],
    language: Language,
) -> None:
    texts = TEXTS[language]
    try:
        prediction = api.predict(picture)
    except Refused as refusal:
        problem = texts.problems.get(refusal.kind, texts.other_problem)
        st.warning(problem, icon=":material/broken_image:")
        return
    probabilities = prediction["probabilities"].values()  # in the order of the names
    ranking = sorted(zip(names, probabilities, strict=True), key=lambda pair: -pair[1])
    with st.container(border=True, key="answer"):
        st.html(pieces.text("h2", "answer", answer(ranking, language)))
        shown = pieces.preview(picture)
        st.html(pieces.pictures(shown, prediction["seen"], alt, input_size, texts))
        st.caption(texts.how_probable)
        st.html(pieces.bars(ranking, language))


def _about(model: dict[str, Any], language: Language) -> None:
    texts = TEXTS[language]
    facts = []
    if dataset := model["dataset"]:
        facts.append(texts.dataset.format(dataset=DATASET_TITLES.get(dataset, dataset)))
    if model["accuracy"] is not None:
        on_test = model["accuracy_split"] == "test"
        told = texts.test_accuracy if on_test else texts.validation_accuracy
        facts.append(told.format(accuracy=percent(model["accuracy"], language)))
    if model["parameters"]:
        parameters = number(model["parameters"], language)
        facts.append(texts.network.format(model=model["model"], parameters=parameters))
    facts += [texts.limits.format(count=len(model["class_names"])), texts.privacy]
    with st.expander(texts.about, icon=":material/info:"):
        st.html("".join(pieces.text("p", "fact", fact) for fact in facts))


def _api_down(language: Language) -> None:
    texts = TEXTS[language]
    st.error(texts.api_down, icon=":material/cloud_off:")
    st.markdown(texts.api_down_help.format(url=_API_URL))
    st.button(texts.retry, type="primary")  # any click runs the page anew


main()
