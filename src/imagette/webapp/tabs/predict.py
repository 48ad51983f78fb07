"""The page to look at pictures: choose some, see the answers, and those given before."""

import base64
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from imagette.assets import Sample, list_samples
from imagette.webapp import html_parts
from imagette.webapp.client import Api, LessonApi
from imagette.webapp.session import (
    API_DOWN,
    Answer,
    Picture,
    Session,
    Words,
    current_session,
    to_csv,
)
from imagette.webapp.tabs.dataset import ask_dataset
from imagette.webapp.texts import TEXTS, answer_sentence, closest, short_answer
from imagette.wording import Language, listed

# Its words, its picture as a data URL, and what a click does.
_Button = tuple[str, str, Callable[[], Any]]


def show(api: Api, language: Language) -> None:
    session = current_session()
    texts = TEXTS[language]
    st.markdown(texts.introduction)
    if session.model:
        names = session.model["class_names_fr" if language == "fr" else "class_names"]
        knows = texts.knows.format(count=len(names), names=listed(names, language))
        st.html(html_parts.text("p", "knows", knows))
    _choose(session, language)
    if session.model:
        _offer_gallery(session, api, language)
        show_answers(session, session.model, api, language)
    _show_history(session, language)
    st.caption(texts.privacy)


def tell_problem(kind: str, language: Language) -> None:
    """Say what went wrong, by the short name of the problem."""
    texts = TEXTS[language]
    told = texts.problems.get(kind, texts.other_problem)
    if kind == API_DOWN:
        st.error(told, icon=":material/cloud_off:")
    else:
        st.warning(told, icon=":material/broken_image:")


def _choose(session: Session, language: Language) -> None:
    texts = TEXTS[language]
    st.html(html_parts.widget_words(texts))
    # A widget whose key is new is empty again: what was chosen is the session's from then on.
    turn = st.session_state.setdefault("turn", 0)
    with st.container(key="upload"):
        st.file_uploader(
            texts.choose,
            key=f"files-{turn}",
            accept_multiple_files=True,
            label_visibility="collapsed",
            on_change=_take_files,
        )
    _offer_camera(language)
    if samples := list_samples():
        st.caption(texts.try_sample)
        picture_buttons(
            "samples",
            {
                f"sample-{sample.path.stem}": (
                    sample.name[language],
                    html_parts.sample_picture(sample),
                    partial(_take_sample, session, sample),
                )
                for sample in samples
            },
        )


def _take_files() -> None:
    turn = st.session_state.turn
    files = st.session_state[f"files-{turn}"]
    st.session_state.turn = turn + 1
    current_session().show_files(files)


def _take_sample(session: Session, sample: Sample) -> None:
    session.add([(sample.name, sample.description, sample.path.read_bytes())])


def _offer_camera(language: Language) -> None:
    """A button that opens and closes the camera, and the camera if it is open."""
    texts = TEXTS[language]
    is_open = st.session_state.get("camera", False)
    st.button(
        texts.camera_close if is_open else texts.camera,
        key="camera-button",
        icon=":material/photo_camera:",
        on_click=_switch_camera,
    )
    if not is_open:
        return
    if not may_use_camera():
        st.info(texts.camera_forbidden, icon=":material/no_photography:")
        return
    with st.container(key="camera-view"):
        st.camera_input(
            texts.camera,
            key=f"photo-{st.session_state.turn}",
            label_visibility="collapsed",
            on_change=_take_photo,
        )


def _switch_camera() -> None:
    st.session_state.camera = not st.session_state.get("camera", False)


def may_use_camera() -> bool:
    """Whether browsers lend the camera to a page from this address."""
    address = urlsplit(st.context.url or "")
    return address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")


def _take_photo() -> None:
    turn = st.session_state.turn
    photo = st.session_state[f"photo-{turn}"]
    if photo is None:
        return
    st.session_state.turn = turn + 1
    st.session_state.photos = st.session_state.get("photos", 0) + 1
    name: Words = {
        language: texts.photo.format(number=st.session_state.photos)
        for language, texts in TEXTS.items()
    }
    current_session().add([(name, name, photo.getvalue())])


def _offer_gallery(session: Session, api: Api, language: Language) -> None:
    dataset = ask_dataset(api)
    if dataset is None:
        return
    texts = TEXTS[language]
    key = "name_fr" if language == "fr" else "name"
    with st.expander(texts.gallery, icon=":material/photo_library:"):
        index = st.pills(
            texts.gallery_class,
            range(len(dataset["classes"])),
            format_func=lambda place: dataset["classes"][place][key],
            default=0,
            required=True,
            key="gallery-class",
        )
        chosen = dataset["classes"][index]
        picture_buttons(
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
    session.add([(name, name, base64.b64decode(url.partition(",")[2]))])


def picture_buttons(group: str, buttons: dict[str, _Button]) -> None:
    """Buttons that are pictures, by key."""
    st.html(html_parts.button_pictures({key: url for key, (_, url, _) in buttons.items()}))
    with st.container(horizontal=True, key=group):
        for key, (words, _, click) in buttons.items():
            st.button(words, key=key, on_click=click)


def show_answers(
    session: Session, model: dict[str, Any], api: Api | LessonApi, language: Language
) -> None:
    """What the API says of the pictures in view; those that wait are asked about first."""
    with st.container(key="answers"):
        if session.left_out:
            told = TEXTS[language].left_out.format(kept=session.most, count=session.left_out)
            st.warning(told, icon=":material/stacks:")
        summary = st.empty()
        for place, picture in enumerate(session.in_view):
            with st.container(border=True, key=f"answer-{picture.number}"):
                if picture.waits:
                    with st.spinner(TEXTS[language].looking):
                        session.ask(picture, api)
                _show_one(session, picture, model, language)
            if place == 0:
                st.html(html_parts.bring_into_view(session.turn), unsafe_allow_javascript=True)
        if len(session.in_view) > 1:
            summary.html(
                html_parts.tiles([_tile(picture, language) for picture in session.in_view])
            )
    # Those that a click took out of view before they were asked about.
    for picture in session.pictures:
        if picture.waits:
            session.ask(picture, api)


def _tile(picture: Picture, language: Language) -> html_parts.Tile:
    said = picture.answer
    words = short_answer(said.ranked(language), said.known, language) if said else "–"
    return html_parts.Tile(picture.anchor, said.thumbnail if said else None, words)


def _show_one(
    session: Session, picture: Picture, model: dict[str, Any], language: Language
) -> None:
    if picture.answer is not None:
        is_one_of_several = len(session.in_view) > 1
        _show_answer(picture, picture.answer, is_one_of_several, model, language)
        return
    name = html_parts.text("h2", "name", picture.name[language])
    st.html(f'<div id="{picture.anchor}">{name}</div>')
    tell_problem(str(picture.problem), language)
    if picture.can_retry:
        st.button(TEXTS[language].retry, key=f"retry-{picture.number}", on_click=session.try_again)


def _show_answer(
    picture: Picture, said: Answer, with_name: bool, model: dict[str, Any], language: Language
) -> None:
    texts = TEXTS[language]
    ranking = said.ranked(language)
    unknown = said.known is False
    words = html_parts.text("h2", "answer", answer_sentence(ranking, said.known, language))
    if with_name:
        words = html_parts.text("p", "name", picture.name[language]) + words
    if unknown:
        words += html_parts.text("p", "closest", closest(ranking, language))
    st.html(f'<div id="{picture.anchor}">{words}</div>')
    shown = html_parts.pictures(
        said.shown,
        said.heat_map,
        said.seen,
        picture.description[language],
        ranking[0][0],
        model["input"],
        texts,
    )
    st.html(shown)
    st.caption(texts.how_probable_unknown if unknown else texts.how_probable)
    bars = html_parts.bars(ranking, language, texts)
    st.html(f'<div class="imagette-toned-down">{bars}</div>' if unknown else bars)
    threshold = model.get("familiarity_threshold")
    if said.familiarity is not None and threshold is not None:
        st.html(html_parts.familiarity(said.familiarity, threshold, not unknown, texts))


def _show_history(session: Session, language: Language) -> None:
    answered = session.answered()
    if not answered:
        return
    texts = TEXTS[language]
    st.html(html_parts.text("h2", "section", texts.history))
    st.caption(texts.history_help)
    buttons: dict[str, _Button] = {}
    for picture in answered:
        said = picture.answer
        assert said is not None
        words = short_answer(said.ranked(language), said.known, language)
        buttons[f"again-{picture.number}"] = (
            words,
            said.thumbnail,
            partial(session.look_at, [picture]),
        )
    picture_buttons("history", buttons)
    with st.container(horizontal=True):
        st.download_button(
            texts.download,
            to_csv(list(reversed(answered))),
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
