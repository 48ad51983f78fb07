"""The tab to teach the API something: name classes, show images of each, and try it meanwhile.

What is taught lives in the API, under an id that stands in the page's address.
"""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts
from imagette.webapp.client import Api, ApiDown, LessonApi, Refused
from imagette.webapp.session import current_session
from imagette.webapp.tabs import teach_answers, teach_images
from imagette.webapp.teach_state import TeachState
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import tell_problem


def show(api: Api, texts: Texts) -> None:
    model = current_session().model
    if model is None or model.get("teaching") is None:
        return
    state = _teach_state()
    st.html(html_parts.section(texts.teach_title))
    if state.lesson_id is None:
        st.markdown(texts.teach_introduction)
        _show_problem(state, texts)
        _ask_names(state, api, model["teaching"], texts)
        return
    lesson_api = LessonApi(api, state.lesson_id, st.session_state.get(teach_answers.WHY, False))
    try:
        state.latest, lesson = None, _send_and_ask(state, lesson_api, model["limits"], texts)
    except ApiDown as problem:
        tell_problem(problem.kind, texts)
        if state.waiting:
            st.button(texts.teach_drop_waiting, key="teach-drop", on_click=state.waiting.clear)
    except Refused as refusal:
        # An address may name anything, not all of which can be an id.
        kind = "no-lesson" if refusal.kind == "not-found" else refusal.kind
        tell_problem(kind, texts)
        if kind == "no-lesson":
            st.button(texts.teach_anew, key="teach-anew", type="primary", on_click=_begin_anew)
    else:
        _show_lesson(state, lesson, lesson_api, model["teaching"], texts)


def _teach_state() -> TeachState:
    """What this person does; an address that names a lesson leads to that."""
    state = st.session_state.setdefault("teach_state", TeachState())
    asked = st.query_params.get("lesson")
    if asked and asked != state.lesson_id:
        state = st.session_state.teach_state = TeachState(lesson_id=asked)
    elif state.lesson_id and not asked:  # back from another page
        st.query_params["lesson"] = state.lesson_id
    return state


def _begin_anew(names: list[str] | None = None) -> None:
    st.query_params.pop("lesson", None)
    st.session_state.teach_state = TeachState(names=names or ["", ""])
    for key in [key for key in st.session_state if str(key).startswith("teach-name-")]:
        del st.session_state[key]


def _show_problem(state: TeachState, texts: Texts) -> None:
    if state.problem:
        tell_problem(state.problem, texts)


def _ask_names(state: TeachState, api: Api, bounds: dict[str, Any], texts: Texts) -> None:
    st.html(html_parts.step(texts.teach_name_step))
    examples = texts.teach_examples.split(", ")
    for place, name in enumerate(state.names):
        key = f"teach-name-{place}"
        st.session_state.setdefault(key, name)
        state.names[place] = st.text_input(
            texts.teach_name.format(number=place + 1),
            key=key,
            max_chars=40,
            placeholder=examples[place % len(examples)],
        )
    with st.container(horizontal=True):
        st.button(
            texts.teach_add_class,
            key="teach-add-class",
            icon=":material/add:",
            disabled=len(state.names) >= bounds["max_classes"],
            on_click=lambda: state.names.append(""),
        )
        st.button(
            texts.teach_begin,
            key="teach-begin",
            type="primary",
            on_click=partial(_begin, state, api),
        )
    if state.problem == "too-few-names":
        st.info(texts.teach_names_missing, icon=":material/edit:")


def _begin(state: TeachState, api: Api) -> None:
    # A click tells what is in the fields before they have told it themselves.
    written = [st.session_state.get(f"teach-name-{n}", "") for n in range(len(state.names))]
    names = [name.strip() for name in written if name.strip()]
    if len(names) < 2:
        state.problem = "too-few-names"
        return

    def begin() -> None:
        state.lesson_id = api.begin_lesson(names)["id"]

    if state.attempt(begin):
        st.query_params["lesson"] = state.lesson_id or ""


def _send_and_ask(
    state: TeachState, api: LessonApi, limits: dict[str, Any], texts: Texts
) -> dict[str, Any]:
    """Send what waits, and see where the lesson stands, which the answer to that says too."""
    if state.waiting:
        with st.spinner(texts.teach_sending):
            state.send_waiting(api, limits)
    return state.latest or api.status()


def _show_lesson(
    state: TeachState, lesson: dict[str, Any], api: LessonApi, bounds: dict[str, Any], texts: Texts
) -> None:
    model = lesson["model"]
    state.ask_anew(lesson)
    st.html(html_parts.step(texts.teach_images_step))
    st.html(html_parts.text("p", "knows", texts.teach_images_help))
    _show_problem(state, texts)
    teach_answers.offer_camera(state, lesson, api, texts)
    teach_answers.show_accuracy(lesson, texts)
    teach_images.collect(state, lesson, api, texts)
    if not any(one["pictures"] for one in lesson["classes"]):
        names = [one["name"] for one in lesson["classes"]]
        st.button(
            texts.teach_rename,
            key="teach-rename",
            icon=":material/edit:",
            type="tertiary",
            on_click=partial(_rename, state, api, names),
        )
    if model:
        teach_answers.try_out(state, model, api, texts)
    _show_end(state, api, bounds, texts)


def _rename(state: TeachState, api: LessonApi, names: list[str]) -> None:
    if state.attempt(api.forget):
        _begin_anew(names)


def _show_end(state: TeachState, api: LessonApi, bounds: dict[str, Any], texts: Texts) -> None:
    """Where it all is, and how to be rid of it."""
    st.caption(texts.teach_address)
    hours = texts.number(bounds["lesson_hours"])
    st.caption(texts.teach_privacy.format(hours=hours))
    with st.popover(
        texts.teach_forget, key="teach-forget", type="tertiary", icon=":material/delete:"
    ):
        st.markdown(texts.teach_forget_sure)
        st.button(
            texts.teach_forget_yes, key="teach-forget-yes", on_click=partial(_forget, state, api)
        )


def _forget(state: TeachState, api: LessonApi) -> None:
    if state.attempt(api.forget) or state.problem == "no-lesson":
        _begin_anew()
