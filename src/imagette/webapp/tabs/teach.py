"""The tab to teach the API something: name classes, show images of each, and try it meanwhile.

What is taught lives in the API, under an id that stands in the page's address.
"""

from functools import partial
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from imagette.webapp import html_parts, styling, teach_parts
from imagette.webapp.client import Api, LessonApi, NoAnswer
from imagette.webapp.lesson_zip import LessonZipError, read_lesson_zip
from imagette.webapp.session import current_session
from imagette.webapp.tabs import teach_answers, teach_lesson
from imagette.webapp.teach_state import TeachState, begin_anew, id_in_address
from imagette.webapp.texts import Texts
from imagette.webapp.uploads import Upload
from imagette.webapp.widgets import file_box, tell_problem
from imagette.wording import looks_the_same

URL_PATH = "teach"


def show(api: Api, texts: Texts) -> None:
    model = current_session().model
    if model is None or model.get("teaching") is None:
        return
    state, bounds = _teach_state(), model["teaching"]
    # What comes and goes is in here, so that what is below keeps its place in the page: an open
    # camera would be closed and opened again.
    head = st.container(key="teach-head")
    head.html(html_parts.section(texts.teach_title))
    if state.lesson_id is None:
        _show_forgotten(state, api, bounds, texts)
        st.markdown(texts.teach_introduction)
        _ask_names(state, api, bounds, texts)
        _offer_to_open(state, api, model, texts)
        return
    lesson_api = LessonApi(api, state.lesson_id, st.session_state.get(teach_answers.WHY, False))
    try:
        lesson = _send_and_ask(state, lesson_api, model["limits"], head, texts)
        state.latest = None
    except NoAnswer as problem:
        # An address may name anything, not all of which can be an id.
        kind = "no-lesson" if problem.kind == "not-found" else problem.kind
        tell_problem(kind, texts)
        if kind == "no-lesson":
            st.button(texts.teach_anew, key="teach-anew", type="primary", on_click=begin_anew)
        elif state.waiting:
            st.button(texts.teach_send_waiting, key="teach-send", type="primary")
            st.button(texts.teach_drop_waiting, key="teach-drop", on_click=state.waiting.clear)
    else:
        teach_lesson.show(state, lesson, lesson_api, bounds, texts)


def address() -> dict[str, str] | None:
    """What the page's address says of the lesson that is open; None if none is."""
    state: TeachState | None = st.session_state.get("teach_state")
    said = st.query_params.get("lesson") or (state.in_address if state else "")
    return {"lesson": said} if said else None


def _teach_state() -> TeachState:
    """What this person does; an address that names a lesson leads to that, and one that names none
    to a new one."""
    state: TeachState = st.session_state.setdefault("teach_state", TeachState())
    asked = st.query_params.get("lesson", "")
    if id_in_address(asked) != (state.lesson_id or ""):
        state = TeachState(lesson_id=id_in_address(asked) or None, names=state.names)
        st.session_state.teach_state = state
    state.in_address = asked
    return state


def _show_forgotten(state: TeachState, api: Api, bounds: dict[str, Any], texts: Texts) -> None:
    """Offer to bring back the lesson that was just deleted."""
    if state.forgotten is None:
        return
    lesson_api = LessonApi(api, state.forgotten)
    with st.container(border=True, key="teach-forgotten"):
        words = texts.teach_forgotten.format(minutes=bounds["undo_minutes"])
        st.html(teach_parts.status(words))
        with st.container(horizontal=True):
            st.button(
                texts.teach_undo,
                key="teach-bring-back",
                icon=":material/undo:",
                on_click=partial(_bring_back, state, lesson_api),
            )
            st.button(
                texts.teach_forget_now,
                key="teach-forget-now",
                type="tertiary",
                icon=":material/delete_forever:",
                on_click=partial(_delete_for_good, state, lesson_api),
            )


def _bring_back(state: TeachState, api: LessonApi) -> None:
    if state.change(api.undo):
        assert state.latest is not None
        state.open(state.latest)
    elif state.problem == "no-lesson":
        state.forgotten = None


def _delete_for_good(state: TeachState, api: LessonApi) -> None:
    if state.attempt(api.delete) or state.problem == "no-lesson":
        state.forgotten, state.problem = None, None


def _ask_names(state: TeachState, api: Api, bounds: dict[str, Any], texts: Texts) -> None:
    st.html(teach_parts.step(texts.teach_name_step))
    examples = texts.teach_examples.split(", ")
    known: set[str] = set()
    for place, name in enumerate(state.names):
        key = f"teach-name-{place}"
        st.session_state.setdefault(key, name)
        state.names[place] = name = st.text_input(
            texts.teach_name.format(number=place + 1),
            key=key,
            max_chars=40,
            placeholder=examples[place % len(examples)],
        )
        if (same := looks_the_same(name)) and same in known:
            st.html(teach_parts.field_problem(texts.teach_same_name))
        known.add(same)
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
    if state.problem == "too-few-names" and len(list(filter(str.strip, state.names))) < 2:
        st.html(teach_parts.field_problem(texts.teach_names_missing))
    elif state.problem and state.problem not in ("too-few-names", "same-names"):
        # Of two names that are the same it is told beside the second.
        tell_problem(state.problem, texts)


def _begin(state: TeachState, api: Api) -> None:
    state.zip_problem = None
    # A click tells what is in the fields before they have told it themselves.
    written = [st.session_state.get(f"teach-name-{n}", "") for n in range(len(state.names))]
    names = [name.strip() for name in written if name.strip()]
    if len(names) < 2:
        state.problem = "too-few-names"
    elif len(set(map(looks_the_same, names))) < len(names):
        state.problem = "same-names"
    else:
        state.attempt(lambda: state.open(api.begin_lesson(names)))


def _offer_to_open(state: TeachState, api: Api, model: dict[str, Any], texts: Texts) -> None:
    """A box for a lesson that was saved."""
    st.html(teach_parts.step(texts.teach_open))
    st.html(html_parts.text("p", "knows", texts.teach_open_help))
    st.html(styling.widget_words(texts))
    st.html(styling.drop_words("teach-open", texts.teach_open_here))
    key = f"teach-zip-{state.widget_generation}"
    take = partial(_open_zip, state, api, model, key)
    file_box("teach-open", texts.teach_open, key, take, several=False)
    if state.zip_problem:
        tell_problem(state.zip_problem, texts)


def _open_zip(state: TeachState, api: Api, model: dict[str, Any], key: str) -> None:
    """Begin a lesson with what is in a file; its pictures wait to be sent, as any do."""
    given, bounds = st.session_state.get(key), model["teaching"]
    state.widget_generation += 1
    if given is None:
        return
    file = Upload.take(given)
    state.problem, state.zip_problem = None, file.refused
    if file.refused:
        return
    try:
        found = read_lesson_zip(
            file,
            bounds["max_classes"],
            bounds["max_lesson_pictures"],
            model["limits"]["max_upload_bytes"],
        )
    except LessonZipError as error:
        state.zip_problem = error.kind
        return

    try:
        lesson = api.begin_lesson(list(found.classes), found.name)
    except NoAnswer as problem:
        state.zip_problem = problem.kind
        return
    state.open(lesson)
    # The API writes names in its own way.
    for one, pictures in zip(lesson["classes"], found.classes.values(), strict=True):
        if pictures:
            state.waiting[one["name"]] = list(pictures)


def _send_and_ask(
    state: TeachState,
    api: LessonApi,
    limits: dict[str, Any],
    head: DeltaGenerator,
    texts: Texts,
) -> dict[str, Any]:
    """Send what waits, and see where the lesson stands, which the answer to that says too."""
    if state.waiting:
        with head:
            bar = st.empty()

            def tell(done: int, count: int) -> None:
                if count > limits["max_pictures"]:
                    words = texts.teach_sent.format(done=done, count=count)
                    bar.progress(done / count, words)

            with st.spinner(texts.teach_sending):
                state.send_waiting(api, limits, tell)
            bar.empty()
    return state.latest or api.status()
