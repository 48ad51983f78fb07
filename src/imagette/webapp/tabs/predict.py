"""The tab that says what images show: choose some, see the answers, and those given before."""

import base64
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import Any

import streamlit as st

from imagette.assets import Sample, samples_for
from imagette.webapp import html_parts, styling
from imagette.webapp.answers import show_answers
from imagette.webapp.client import Api
from imagette.webapp.previews import sample_thumbnail
from imagette.webapp.sentences import limits_sentence, short_answer
from imagette.webapp.session import Session, class_names, current_session, to_csv
from imagette.webapp.session_image import Words
from imagette.webapp.tabs.dataset import ask_dataset, examples_note, is_tiny, name_key
from imagette.webapp.texts import TEXTS, Texts
from imagette.webapp.uploads import Upload
from imagette.webapp.widgets import Button, camera_button, choose_class, file_box, image_buttons

_MAX_SAMPLES = 8  # they fill a row, or two of a phone


def show(api: Api, texts: Texts) -> None:
    session = current_session()
    st.markdown(texts.introduction)
    if session.model:
        names = class_names(session.model, texts.language)
        knows = texts.knows.format(count=len(names), names=texts.listed(names))
        st.html(html_parts.text("p", "knows", knows))
    _choose(session, api, texts)
    if session.model:
        _offer_gallery(session, api, texts)
        session.keep_files = bool(session.model.get("feedback"))
        show_answers(session, session.model, api, texts)
    _show_history(session, texts)
    st.caption(texts.privacy)
    if session.keep_files:
        st.caption(texts.privacy_kept)


def _choose(session: Session, api: Api, texts: Texts) -> None:
    st.html(styling.widget_words(texts))
    # A widget whose key is new is empty again: what was chosen is the session's from then on.
    generation = st.session_state.setdefault("widget_generation", 0)
    note = limits_sentence(session.model["limits"], texts) if session.model else ""
    file_box("upload", texts.choose, f"files-{generation}", _take_files, note)
    _offer_camera(texts)
    if session.model:
        _offer_samples(session, session.model, api, texts)


def _take_files() -> None:
    generation = st.session_state.widget_generation
    files = st.session_state[f"files-{generation}"]
    st.session_state.widget_generation = generation + 1
    current_session().show_files(files)


def _offer_samples(session: Session, model: dict[str, Any], api: Api, texts: Texts) -> None:
    """Images to try: those that the model's bundle carries, or those that ship with the package, if
    the model knows what they show."""
    dataset, note, tiny = ask_dataset(api), "", False
    if dataset and dataset["examples_of"] and dataset["name"] != "cifar10":
        buttons = dict(islice(_own_samples(session, dataset, texts), _MAX_SAMPLES))
        tiny = is_tiny(dataset)
        note = texts.examples_train if dataset["examples_of"] == "train" else ""
    else:
        knows_unknown = model.get("familiarity_threshold") is not None
        buttons = {
            f"sample-{sample.path.stem}": (
                sample.name[texts.language],
                sample_thumbnail(sample),
                partial(_take_sample, session, sample),
            )
            for sample in samples_for(model["class_names"], knows_unknown)
        }
    if buttons:
        st.caption(texts.try_sample)
        image_buttons("samples", buttons, tiny)
    if note:
        st.caption(note)


def _own_samples(
    session: Session, dataset: dict[str, Any], texts: Texts
) -> Iterator[tuple[str, Button]]:
    """Examples of the dataset as buttons, by key: one of each class, then a second one of each, of
    classes that lie evenly among all where there are many."""
    classes = dataset["classes"]
    step = max(1, len(classes) / _MAX_SAMPLES)
    some = [round(step * number) for number in range(min(len(classes), _MAX_SAMPLES))]
    for place in range(_MAX_SAMPLES):
        for index in some:
            if place < len(classes[index]["examples"]):
                yield (
                    f"sample-{index}-{place}",
                    _example_button(session, classes[index], place, texts),
                )


def _example_button(session: Session, chosen: dict[str, Any], place: int, texts: Texts) -> Button:
    name, url = chosen[name_key(texts)], chosen["examples"][place]
    words = texts.example.format(name=name, number=place + 1)
    return words, url, partial(_take_example, session, chosen, place + 1, url)


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
    if dataset is None or not dataset["examples_of"]:
        return
    classes = dataset["classes"]
    with st.expander(texts.gallery, icon=":material/photo_library:"):
        names = [one[name_key(texts)] for one in classes]
        index = choose_class(texts.choose_class, names, "gallery-class")
        image_buttons(
            "gallery",
            {
                f"example-{index}-{place}": _example_button(session, classes[index], place, texts)
                for place in range(len(classes[index]["examples"]))
            },
            is_tiny(dataset),
        )
        st.caption(examples_note(dataset, texts))


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
