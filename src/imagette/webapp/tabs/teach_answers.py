"""Teaching: what comes of the images at once: how good it is, and answers to other images."""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts, live_camera, teach_parts
from imagette.webapp.answers import show_answers
from imagette.webapp.client import LessonApi, NoAnswer
from imagette.webapp.live_camera import Frame
from imagette.webapp.sentences import answer_sentence
from imagette.webapp.tabs.teach_images import FEW
from imagette.webapp.teach_state import Lesson, TeachState
from imagette.webapp.texts import Texts
from imagette.webapp.uploads import Upload, chosen
from imagette.webapp.widgets import camera_button, file_box, tell_problem

WHY = "teach-why"
"""Key of the switch to see what decided."""


def show_accuracy(lesson: Lesson, texts: Texts) -> None:
    """How good it is by now, and how much that says."""
    model = lesson["model"]
    with st.container(key="teach-accuracy"):
        if model is None:
            st.html(html_parts.paragraphs([texts.teach_no_model]))
            return
        fewest = min(len(one["pictures"]) for one in lesson["classes"] if one["pictures"])
        info = []
        if model["accuracy"] is None:
            info.append(texts.teach_single)
        else:
            st.html(html_parts.text("p", "figure", texts.percent(model["accuracy"], digits=0)))
            count = model["pictures"]
            right = texts.number(round(model["accuracy"] * count))
            info.append(texts.teach_right.format(right=right, count=texts.number(count)))
            low, high = model["accuracy_interval"]
            words = texts.teach_interval_small if fewest < FEW else texts.teach_interval
            high = texts.percent(high, digits=0)
            info.append(words.format(low=texts.number(100 * low), high=high))
        if unknown := [one["name"] for one in lesson["classes"] if not one["pictures"]]:
            info.append(texts.teach_unknown.format(names=texts.listed(unknown)))
        if fewest < FEW:
            info.append(texts.teach_few.format(count=FEW))
        st.html(html_parts.paragraphs(info))


def offer_camera(state: TeachState, lesson: Lesson, api: LessonApi, texts: Texts) -> None:
    """The camera, which takes images of each class, and is answered as it looks on."""
    switch = partial(_switch_camera, state)
    if not camera_button("teach-camera", texts.teach_camera, state.camera, switch, texts):
        return

    generation = state.widget_generation

    @st.fragment
    def watch() -> None:
        # A click elsewhere on the page may arrive together with an image, and run this alone.
        if st.session_state.teach_state is not state or state.has_changed(generation):
            st.rerun()
        _watch(state, lesson, api, texts)

    with st.container(border=True, key="teach-live"):
        watch()


def _switch_camera(state: TeachState) -> None:
    state.camera = not state.camera
    state.frame = state.live_answer = None


def _watch(state: TeachState, lesson: Lesson, api: LessonApi, texts: Texts) -> None:
    model = lesson["model"]
    names = [one["name"] for one in lesson["classes"]]

    def take(frame: Frame) -> None:
        state.frame, state.live_answer = frame, None
        if frame.label is not None:
            files = [("camera.jpg", Upload(content)) for content in frame.contents]
            state.put(names[frame.label], files)

    # Asked before the camera hears that its image was taken in: it may send another one then, and
    # sends the fewer, the longer that took.
    answer = None
    if state.frame and model:
        answer = state.live_answer = state.live_answer or _ask(api, state.frame)
    record = [texts.teach_record.format(name=name) for name in names]
    image, words = st.columns([3, 2])
    with image:
        taken = state.frame.number if state.frame else 0
        # Where the API had no answer, it is given time.
        is_slow = bool(answer and answer.get("problem"))
        live_camera.show(record, taken, model is not None, is_slow, take, texts)
    with words, st.container(key="teach-live-answer"):
        if answer:
            _show_live_answer(answer, names, texts)
        elif model is None:
            st.html(html_parts.paragraphs([texts.teach_no_model]))
    st.caption(texts.teach_camera_help)


def _ask(api: LessonApi, frame: Frame) -> dict[str, Any]:
    """What the API says of what the camera sees, or the kind of the problem."""
    try:
        return api.glance(frame.contents[-1])
    except NoAnswer as problem:
        return {"problem": problem.kind}


def _show_live_answer(answer: dict[str, Any], names: list[str], texts: Texts) -> None:
    """What the camera sees, in a sentence, and a bar for each class, which stays in its place."""
    if kind := answer.get("problem"):
        tell_problem(kind, texts)
        return
    found = answer["probabilities"]
    ranking = sorted(found.items(), key=lambda one: -one[1])
    sentence = answer_sentence(ranking, answer["known"], texts)
    in_order = [(name, found[name]) for name in names if name in found]
    bars = teach_parts.live_bars(in_order, answer["known"], texts)
    st.html(html_parts.text("p", "answer", sentence) + bars)


def try_out(state: TeachState, model: dict[str, Any], api: LessonApi, texts: Texts) -> None:
    """Answers to images that it has not learned, given anew whenever the lesson changes."""
    session = state.session
    session.model = model
    st.html(teach_parts.step(texts.teach_try))
    st.html(html_parts.text("p", "knows", texts.teach_try_help))
    key = f"teach-try-{state.widget_generation}"
    file_box("upload-to-try", texts.choose, key, partial(_take_to_try, state, key))
    if session.in_view:
        st.toggle(texts.teach_why, key=WHY, on_change=session.ask_anew)
    show_answers(session, model, api, texts)


def _take_to_try(state: TeachState, key: str) -> None:
    if files := chosen(key):
        state.session.show_files(files)
        state.widget_generation += 1
