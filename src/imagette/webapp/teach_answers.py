"""Teaching: what comes of the pictures at once: how good it is, and answers to other pictures."""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts, live_camera
from imagette.webapp.client import ApiDown, LessonApi, Refused
from imagette.webapp.live_camera import Frame
from imagette.webapp.session import API_DOWN
from imagette.webapp.tabs import predict
from imagette.webapp.teach_pictures import FEW
from imagette.webapp.teach_state import Lesson, TeachState
from imagette.webapp.texts import TEXTS, answer_sentence
from imagette.wording import Language, listed, number, percent


def show_accuracy(lesson: Lesson, language: Language) -> None:
    """How good it is by now, and how much that says."""
    texts, model = TEXTS[language], lesson["model"]
    with st.container(key="teach-accuracy"):
        if model is None:
            st.html(html_parts.paragraphs([texts.teach_no_model]))
            return
        fewest = min(len(one["pictures"]) for one in lesson["classes"] if one["pictures"])
        info = []
        if model["accuracy"] is None:
            info.append(texts.teach_single)
        else:
            st.html(html_parts.text("p", "figure", percent(model["accuracy"], language, digits=0)))
            count = model["pictures"]
            right = number(round(model["accuracy"] * count), language)
            info.append(texts.teach_right.format(right=right, count=number(count, language)))
            low, high = (percent(end, language, digits=0) for end in model["accuracy_interval"])
            info.append(texts.teach_interval.format(low=low, high=high))
        if unknown := [one["name"] for one in lesson["classes"] if not one["pictures"]]:
            info.append(texts.teach_unknown.format(names=listed(unknown, language)))
        if fewest < FEW:
            info.append(texts.teach_few.format(count=FEW))
        st.html(html_parts.paragraphs(info))


def offer_camera(state: TeachState, lesson: Lesson, api: LessonApi, language: Language) -> None:
    """The camera, which takes pictures of each class, and is answered as it looks on."""
    texts = TEXTS[language]
    st.button(
        texts.camera_close if state.camera else texts.teach_camera,
        key="teach-camera",
        icon=":material/photo_camera:",
        on_click=partial(_switch_camera, state),
    )
    if not state.camera:
        return
    if not predict.may_use_camera():
        st.info(texts.camera_forbidden, icon=":material/no_photography:")
        return

    turn = state.turn

    @st.fragment
    def watch() -> None:
        # A click elsewhere on the page may arrive together with a picture, and run this alone.
        if st.session_state.state is not state or state.has_changed(turn):
            st.rerun()
        _watch(state, lesson, api, language)

    with st.container(border=True, key="teach-live"):
        watch()


def _switch_camera(state: TeachState) -> None:
    state.camera = not state.camera
    state.seen, state.frame, state.said = 0, None, None


def _watch(state: TeachState, lesson: Lesson, api: LessonApi, language: Language) -> None:
    texts, model = TEXTS[language], lesson["model"]
    names = [one["name"] for one in lesson["classes"]]

    def take(frame: Frame) -> None:
        state.seen, state.frame, state.said = frame.number, frame.content, None
        if frame.label is not None:
            state.put(names[frame.label], [("camera.jpg", frame.content)])

    add = [texts.teach_add_from_camera.format(name=name) for name in names]
    picture, words = st.columns([3, 2])
    with picture:
        live_camera.show(add, state.seen, model is not None, take, texts)
    with words, st.container(key="teach-live-answer"):
        if state.frame and model:
            state.said = state.said or _ask(api, state.frame)
            _show_live_answer(state.said, language)
        else:
            st.html(html_parts.paragraphs([texts.teach_camera_help]))


def _ask(api: LessonApi, picture: bytes) -> dict[str, Any]:
    """What the API says of what the camera sees, or the kind of the problem."""
    try:
        return api.glance(picture)
    except ApiDown:
        return {"problem": API_DOWN}
    except Refused as refusal:
        return {"problem": refusal.kind}


def _show_live_answer(said: dict[str, Any], language: Language) -> None:
    if kind := said.get("problem"):
        predict.tell_problem(kind, language)
        return
    texts = TEXTS[language]
    ranking = sorted(said["probabilities"].items(), key=lambda one: -one[1])
    words = html_parts.text("p", "answer", answer_sentence(ranking, said["known"], language))
    bars = html_parts.bars(ranking, language, texts)
    toned = f'<div class="imagette-toned-down">{bars}</div>' if said["known"] is False else bars
    st.html(words + toned)


def try_out(
    state: TeachState, model: dict[str, Any], api: LessonApi, explains: str, language: Language
) -> None:
    """Answers to pictures that it has not learned, given anew whenever the lesson changes.

    Args:
        state: what the person does.
        model: what the API says of what was learned.
        api: the lesson's.
        explains: key of the switch to see why.
        language: in which to say it.
    """
    texts, session = TEXTS[language], state.session
    session.model = model
    st.html(html_parts.text("h3", "step", texts.teach_try))
    st.html(html_parts.text("p", "knows", texts.teach_try_help))
    key = f"teach-try-{state.turn}"
    with st.container(key="upload-to-try"):
        st.file_uploader(
            texts.choose,
            key=key,
            accept_multiple_files=True,
            label_visibility="collapsed",
            on_change=partial(_take_to_try, state, key),
        )
    if session.in_view:
        st.toggle(texts.teach_why, key=explains, on_change=session.ask_anew)
    predict.show_answers(session, model, api, language)
    st.download_button(
        texts.teach_download,
        api.model,
        file_name="imagette-lesson.onnx",
        mime="application/octet-stream",
        icon=":material/download:",
        key="teach-download",
        on_click="ignore",
    )
    st.caption(texts.teach_download_help)


def _take_to_try(state: TeachState, key: str) -> None:
    state.session.show_files(st.session_state[key])
    state.turn += 1
