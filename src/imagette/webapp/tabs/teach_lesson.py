"""Teaching: a lesson that is open, from its pictures to its address."""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts, teach_parts
from imagette.webapp.client import LessonApi
from imagette.webapp.tabs import teach_answers, teach_images
from imagette.webapp.teach_state import Lesson, TeachState, begin_anew
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import tell_problem


def show(
    state: TeachState, lesson: Lesson, api: LessonApi, bounds: dict[str, Any], texts: Texts
) -> None:
    """Show where a lesson stands, and what may be done with it.

    Args:
        state: what this person does.
        lesson: as the API says it.
        api: the lesson's.
        bounds: of what may be taught.
        texts: in which language.
    """
    state.ask_anew(lesson)
    with st.container(key="teach-step"):  # as of the head
        if lesson["name"]:
            st.html(html_parts.text("p", "lesson", lesson["name"]))
        st.html(teach_parts.step(texts.teach_images_step))
        st.html(html_parts.text("p", "knows", texts.teach_images_help))
        if state.problem:
            tell_problem(state.problem, texts)
    teach_answers.offer_camera(state, lesson, api, texts)
    teach_answers.show_accuracy(lesson, texts)
    teach_images.collect(state, lesson, api, bounds, texts)
    if lesson["model"]:
        teach_answers.try_out(state, lesson["model"], api, texts)
    _keep(state, lesson, api, bounds, texts)
    _offer_undo(state, lesson, api, texts)


def _keep(
    state: TeachState, lesson: Lesson, api: LessonApi, bounds: dict[str, Any], texts: Texts
) -> None:
    """How it is kept and shared, and how to be rid of it."""
    st.html(teach_parts.step(texts.teach_keep))
    key = f"teach-lesson-name-{lesson['name']}"
    st.text_input(
        texts.teach_lesson_name,
        lesson["name"],
        key=key,
        max_chars=40,
        on_change=partial(_name_lesson, state, api, key),
    )
    url = (st.context.url or "").split("?")[0]
    st.html(teach_parts.link(f"{url}?lesson={state.address_of(lesson)}", texts))
    st.caption(texts.teach_address)
    if any(one["pictures"] for one in lesson["classes"]):
        _offer_file("save", "zip", texts.teach_save, texts.teach_save_help, api.archive)
    if lesson["model"]:
        _offer_file("download", "onnx", texts.teach_download, texts.teach_download_help, api.model)
    hours, minutes = texts.number(bounds["lesson_hours"]), bounds["undo_minutes"]
    st.caption(texts.teach_privacy.format(hours=hours, minutes=minutes))
    with st.container(horizontal=True):
        st.button(
            texts.teach_another,
            key="teach-another",
            type="tertiary",
            icon=":material/add:",
            on_click=begin_anew,
        )
        with st.popover(
            texts.teach_forget, key="teach-forget", type="tertiary", icon=":material/delete:"
        ):
            st.markdown(texts.teach_forget_sure.format(minutes=minutes))
            forget = partial(_forget, state, api)
            st.button(texts.teach_forget_yes, key="teach-forget-yes", on_click=forget)


def _offer_file(key: str, ending: str, words: str, note: str, get: Any) -> None:
    st.download_button(
        words,
        get,
        file_name=f"imagette-lesson.{ending}",
        mime="application/octet-stream" if ending == "onnx" else "application/zip",
        icon=":material/download:",
        key=f"teach-{key}",
        on_click="ignore",
    )
    st.caption(note)


def _name_lesson(state: TeachState, api: LessonApi, key: str) -> None:
    name = st.session_state[key].strip()
    if state.change(lambda: api.set_name(name)):
        assert state.latest is not None
        state.open(state.latest)


def _forget(state: TeachState, api: LessonApi) -> None:
    if state.attempt(api.forget):
        begin_anew(forgotten=state.lesson_id)
    elif state.problem == "no-lesson":
        begin_anew()


def _offer_undo(state: TeachState, lesson: Lesson, api: LessonApi, texts: Texts) -> None:
    """What was taken away last, and a button to bring it back, as long as that can be."""
    change = lesson["undo"]
    if change is None or change["id"] == state.hidden:
        return
    words = {
        "picture": texts.teach_undo_picture,
        "class": texts.teach_undo_class,
        "rename": texts.teach_undo_rename,
    }[change["kind"]]
    with st.container(horizontal=True, vertical_alignment="center", key="teach-undo"):
        st.html(teach_parts.status(words.format(name=change["class_name"])))
        st.button(
            texts.teach_undo,
            key="teach-undo-yes",
            icon=":material/undo:",
            on_click=partial(state.change, partial(api.undo, change["id"])),
        )
        st.button(
            texts.teach_hide,
            key="teach-undo-hide",
            icon=":material/close:",
            type="tertiary",
            on_click=partial(setattr, state, "hidden", change["id"]),
        )
