"""The tab that says what images show: choose some, see the answers, and those given before."""

import base64
from functools import partial
from typing import Any

import streamlit as st

from imagette.assets import Sample, list_samples
from imagette.webapp import html_parts, styling
from imagette.webapp.answers import show_answers
from imagette.webapp.client import Api
from imagette.webapp.literal import in_markdown
from imagette.webapp.previews import sample_thumbnail
from imagette.webapp.sentences import limits_sentence, short_answer
from imagette.webapp.session import Session, class_names, current_session, to_csv
from imagette.webapp.session_image import Words
from imagette.webapp.tabs.dataset import ask_dataset
from imagette.webapp.texts import TEXTS, Texts
from imagette.webapp.uploads import Upload
from imagette.webapp.widgets import camera_button, file_box, image_buttons


def show(api: Api, texts: Texts) -> None:
    session = current_session()
    st.markdown(texts.introduction)
    if session.model:
        names = class_names(session.model, texts.language)
        knows = texts.knows.format(count=len(names), names=texts.listed(names))
        st.html(html_parts.text("p", "knows", knows))
    _choose(session, texts)
    if session.model:
        _offer_gallery(session, api, texts)
        session.keep_files = bool(session.model.get("feedback"))
        show_answers(session, session.model, api, texts)
    _show_history(session, texts)
    st.caption(texts.privacy)
    if session.keep_files:
        st.caption(texts.privacy_kept)


def _choose(session: Session, texts: Texts) -> None:
    st.html(styling.widget_words(texts))
    # A widget whose key is new is empty again: what was chosen is the session's from then on.
    generation = st.session_state.setdefault("widget_generation", 0)
    note = limits_sentence(session.model["limits"], texts) if session.model else ""
    file_box("upload", texts.choose, f"files-{generation}", _take_files, note)
    _offer_camera(texts)
    if samples := list_samples():
        st.caption(texts.try_sample)
        image_buttons(
            "samples",
            {
                f"sample-{sample.path.stem}": (
                    sample.name[texts.language],
                    sample_thumbnail(sample),
                    partial(_take_sample, session, sample),
                )
                for sample in samples
            },
        )


def _take_files() -> None:
    generation = st.session_state.widget_generation
    files = st.session_state[f"files-{generation}"]
    st.session_state.widget_generation = generation + 1
    current_session().show_files(files)


def _take_sample(session: Session, sample: Sample) -> None:
    session.add([(sample.name, sample.description, Upload(sample.path.read_bytes()))])


def _offer_camera(texts: Texts) -> None:
    """A button that opens and closes the camera, and the camera if it is open."""
    is_open = st.session_state.get("camera", False)
    if not camera_button("camera-button", texts.camera, is_open, _switch_camera, texts):
        return
    with st.container(key="camera-view"):
        st.camera_input(
            texts.camera,
            key=f"photo-{st.session_state.widget_generation}",
            label_visibility="collapsed",
            on_change=_take_photo,
        )


def _switch_camera() -> None:
    st.session_state.camera = not st.session_state.get("camera", False)


def _take_photo() -> None:
    generation = st.session_state.widget_generation
    photo = st.session_state[f"photo-{generation}"]
    if photo is None:
        return
    st.session_state.widget_generation = generation + 1
    st.session_state.photos = st.session_state.get("photos", 0) + 1
    name: Words = {
        language: texts.photo.format(number=st.session_state.photos)
        for language, texts in TEXTS.items()
    }
    current_session().add([(name, name, Upload.take(photo))])


def _offer_gallery(session: Session, api: Api, texts: Texts) -> None:
    dataset = ask_dataset(api)
    if dataset is None:
        return
    key = "name_fr" if texts.language == "fr" else "name"
    with st.expander(texts.gallery, icon=":material/photo_library:"):
        index = st.pills(
            texts.gallery_class,
            range(len(dataset["classes"])),
            format_func=lambda place: in_markdown(dataset["classes"][place][key]),
            default=0,
            required=True,
            key="gallery-class",
        )
        chosen = dataset["classes"][index]
        image_buttons(
            "gallery",
            {
                f"example-{index}-{place}": (
                    texts.example.format(name=chosen[key], number=place),
                    url,
                    partial(_take_example, session, chosen, place, url),
                )
                for place, url in enumerate(chosen["examples"], start=1)
            },
        )
        st.caption(texts.gallery_note)


def _take_example(session: Session, chosen: dict[str, Any], place: int, url: str) -> None:
    names = {"en": chosen["name"], "fr": chosen["name_fr"]}
    name: Words = {
        language: texts.example.format(name=names[language], number=place)
        for language, texts in TEXTS.items()
    }
    session.add([(name, name, Upload(base64.b64decode(url.partition(",")[2])))])


def _show_history(session: Session, texts: Texts) -> None:
    answered = session.answered()
    if not answered:
        return
    st.html(html_parts.section(texts.history))
    st.caption(texts.history_help)
    image_buttons(
        "history",
        {
            f"again-{image.number}": (
                short_answer(answer.ranked(texts.language), answer.known, texts),
                answer.thumbnail,
                partial(session.look_at, [image]),
            )
            for image, answer in answered
        },
    )
    with st.container(horizontal=True):
        st.download_button(
            texts.download,
            to_csv(answered[::-1]),
            file_name="imagette.csv",
            mime="text/csv",
            icon=":material/download:",
            key="download",
            on_click="ignore",
        )
        st.button(
            texts.forget,
            icon=":material/delete:",
            type="tertiary",
            key="forget",
            on_click=session.forget,
        )
