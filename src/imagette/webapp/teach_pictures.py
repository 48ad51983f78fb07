"""Teaching: the pictures of each class, how they come, and how one is taken away again."""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts
from imagette.webapp.client import ApiDown, LessonApi, Refused
from imagette.webapp.tabs import predict
from imagette.webapp.teach_state import Lesson, TeachState
from imagette.webapp.texts import TEXTS
from imagette.wording import Language, number

FEW = 10
"""Fewer pictures of a class than this are few: the bar is full with as many."""

_MOST_SHOWN = 24  # pictures of a class; each is a button


def collect(state: TeachState, lesson: Lesson, api: LessonApi, language: Language) -> None:
    """A box for each class, with its pictures, that takes more of them."""
    texts = TEXTS[language]
    _load_thumbnails(state, lesson, api)
    st.html(html_parts.widget_words(texts))
    for place, one in enumerate(lesson["classes"]):
        with st.container(border=True, key=f"teach-class-{place}"):
            _show_class(state, place, one, api, language)
    if any(one["pictures"] for one in lesson["classes"]):
        st.caption(texts.teach_take_away_help)


def _load_thumbnails(state: TeachState, lesson: Lesson, api: LessonApi) -> None:
    """After a reload, or when they were sent from elsewhere; of those sent here they are known."""
    names = {name for one in lesson["classes"] for name in one["pictures"]}
    if names <= set(state.thumbnails):
        return
    try:
        state.thumbnails = api.thumbnails()
    except (ApiDown, Refused):
        return  # they are shown without


def _show_class(
    state: TeachState, place: int, one: dict[str, Any], api: LessonApi, language: Language
) -> None:
    texts, name, count = TEXTS[language], one["name"], len(one["pictures"])
    told = texts.teach_count.format(count=number(count, language))
    st.html(html_parts.collected(name, told, count / FEW))
    if count:
        _show_pictures(state, place, one, api, language)
    drop_here = texts.teach_drop_here.format(name=name)
    st.html(html_parts.drop_words(f"teach-upload-{place}", drop_here))
    key = f"teach-files-{place}-{state.turn}"
    with st.container(key=f"teach-upload-{place}"):
        st.file_uploader(
            drop_here,
            key=key,
            accept_multiple_files=True,
            label_visibility="collapsed",
            on_change=partial(_take, state, name, key),
        )
    for kind in dict.fromkeys(state.refused.get(name, [])):
        reason = texts.problems.get(kind, texts.other_problem)
        count = state.refused[name].count(kind)
        st.warning(
            texts.teach_refused.format(count=count, reason=reason), icon=":material/broken_image:"
        )


def _show_pictures(
    state: TeachState, place: int, one: dict[str, Any], api: LessonApi, language: Language
) -> None:
    texts, pictures = TEXTS[language], one["pictures"]
    numbered = list(enumerate(pictures, start=1))
    if len(pictures) > _MOST_SHOWN and not st.toggle(
        texts.teach_show_all.format(count=len(pictures)), key=f"teach-all-{place}"
    ):
        numbered = numbered[-_MOST_SHOWN:]
    predict.picture_buttons(
        f"teach-pictures-{place}",
        {
            f"teach-picture-{picture}": (
                texts.teach_take_away.format(number=count, name=one["name"]),
                state.thumbnails.get(picture, ""),
                partial(state.attempt, partial(state.remove, api, picture)),
            )
            for count, picture in numbered
        },
    )


def _take(state: TeachState, class_name: str, key: str) -> None:
    """Take what was chosen out of a widget."""
    state.put(class_name, [(file.name, file.getvalue()) for file in st.session_state[key]])
    state.turn += 1
