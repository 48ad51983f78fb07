"""The page to teach the API something: name classes, show pictures of each, and try it meanwhile.

What is taught lives in the API, under an id that stands in the page's address.
"""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts, teach_answers, teach_pictures
from imagette.webapp.client import Api, ApiDown, LessonApi, Refused
from imagette.webapp.session import API_DOWN, current_visit
from imagette.webapp.tabs import predict
from imagette.webapp.teach_state import Desk
from imagette.webapp.texts import TEXTS
from imagette.wording import Language, number

_EXPLAINS = "teach-why"  # key of the switch


def show(api: Api, language: Language) -> None:
    model = current_visit().model
    if model is None or model.get("teaching") is None:
        return
    texts, desk = TEXTS[language], _desk()
    st.html(html_parts.text("h2", "section", texts.teach_title))
    if desk.lesson_id is None:
        st.markdown(texts.teach_introduction)
        _show_problem(desk, language)
        _ask_names(desk, api, model["teaching"], language)
        return
    lesson_api = api.of_lesson(desk.lesson_id, explain=st.session_state.get(_EXPLAINS, False))
    try:
        desk.fresh, lesson = None, _send_and_ask(desk, lesson_api, model["limits"], language)
    except ApiDown:
        predict.tell_problem(API_DOWN, language)
        if desk.waiting:
            st.button(texts.teach_drop_waiting, key="teach-drop", on_click=desk.waiting.clear)
    except Refused as refusal:
        # An address may name anything, not all of which can be an id.
        kind = "no-lesson" if refusal.kind == "not-found" else refusal.kind
        predict.tell_problem(kind, language)
        if kind == "no-lesson":
            st.button(texts.teach_anew, key="teach-anew", type="primary", on_click=_begin_anew)
    else:
        _show_lesson(desk, lesson, lesson_api, model["teaching"], language)


def _desk() -> Desk:
    """What this person does; an address that names a lesson leads to that."""
    desk = st.session_state.setdefault("desk", Desk())
    asked = st.query_params.get("lesson")
    if asked and asked != desk.lesson_id:
        desk = st.session_state.desk = Desk(lesson_id=asked)
    elif desk.lesson_id and not asked:  # back from another page
        st.query_params["lesson"] = desk.lesson_id
    return desk


def _begin_anew(names: list[str] | None = None) -> None:
    st.query_params.pop("lesson", None)
    st.session_state.desk = Desk(names=names or ["", ""])
    for key in [key for key in st.session_state if str(key).startswith("teach-name-")]:
        del st.session_state[key]


def _show_problem(desk: Desk, language: Language) -> None:
    if desk.problem:
        predict.tell_problem(desk.problem, language)


def _ask_names(desk: Desk, api: Api, bounds: dict[str, Any], language: Language) -> None:
    texts = TEXTS[language]
    st.html(html_parts.text("h3", "step", texts.teach_name_step))
    examples = texts.teach_examples.split(", ")
    for place in range(len(desk.names)):
        key = f"teach-name-{place}"
        if key not in st.session_state:
            st.session_state[key] = desk.names[place]
        desk.names[place] = st.text_input(
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
            disabled=len(desk.names) >= bounds["max_classes"],
            on_click=lambda: desk.names.append(""),
        )
        st.button(
            texts.teach_begin,
            key="teach-begin",
            type="primary",
            on_click=partial(_begin, desk, api),
        )
    if desk.problem == "too-few-names":
        st.info(texts.teach_names_missing, icon=":material/edit:")


def _begin(desk: Desk, api: Api) -> None:
    # A click tells what is in the fields before they have told it themselves.
    written = [st.session_state.get(f"teach-name-{n}", "") for n in range(len(desk.names))]
    names = [name.strip() for name in written if name.strip()]
    if len(names) < 2:
        desk.problem = "too-few-names"
        return

    def begin() -> None:
        desk.lesson_id = api.begin_lesson(names)["id"]

    if desk.attempt(begin):
        st.query_params["lesson"] = desk.lesson_id or ""


def _send_and_ask(
    desk: Desk, api: LessonApi, limits: dict[str, Any], language: Language
) -> dict[str, Any]:
    """Send what waits, and see where the lesson stands, which the answer to that says too."""
    if desk.waiting:
        with st.spinner(TEXTS[language].teach_sending):
            desk.send_waiting(api, limits)
    return desk.fresh or api.status()


def _show_lesson(
    desk: Desk, lesson: dict[str, Any], api: LessonApi, bounds: dict[str, Any], language: Language
) -> None:
    texts, model = TEXTS[language], lesson["model"]
    desk.ask_anew(lesson)
    st.html(html_parts.text("h3", "step", texts.teach_pictures_step))
    st.html(html_parts.text("p", "knows", texts.teach_pictures_help))
    _show_problem(desk, language)
    teach_answers.offer_camera(desk, lesson, api, language)
    teach_answers.show_accuracy(lesson, language)
    teach_pictures.collect(desk, lesson, api, language)
    if not any(one["pictures"] for one in lesson["classes"]):
        names = [one["name"] for one in lesson["classes"]]
        st.button(
            texts.teach_rename,
            key="teach-rename",
            icon=":material/edit:",
            type="tertiary",
            on_click=partial(_rename, desk, api, names),
        )
    if model:
        teach_answers.try_out(desk, model, api, _EXPLAINS, language)
    _show_end(desk, api, bounds, language)


def _rename(desk: Desk, api: LessonApi, names: list[str]) -> None:
    if desk.attempt(api.forget):
        _begin_anew(names)


def _show_end(desk: Desk, api: LessonApi, bounds: dict[str, Any], language: Language) -> None:
    """Where it all is, and how to be rid of it."""
    texts = TEXTS[language]
    st.caption(texts.teach_address)
    hours = number(bounds["lesson_hours"], language)
    st.caption(texts.teach_privacy.format(hours=hours))
    with st.popover(
        texts.teach_forget, key="teach-forget", type="tertiary", icon=":material/delete:"
    ):
        st.markdown(texts.teach_forget_sure)
        st.button(
            texts.teach_forget_yes, key="teach-forget-yes", on_click=partial(_forget, desk, api)
        )


def _forget(desk: Desk, api: LessonApi) -> None:
    if desk.attempt(api.forget) or desk.problem == "no-lesson":
        _begin_anew()
