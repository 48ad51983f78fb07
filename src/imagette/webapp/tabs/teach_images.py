"""Teaching: the images of each class, how they come, and how one is taken away again."""

from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts, styling
from imagette.webapp.client import LessonApi, NoAnswer
from imagette.webapp.literal import in_markdown
from imagette.webapp.sentences import limits_sentence
from imagette.webapp.session import current_session
from imagette.webapp.teach_state import Lesson, TeachState
from imagette.webapp.texts import Texts
from imagette.webapp.uploads import Upload, chosen
from imagette.webapp.widgets import file_box, image_buttons

FEW = 10
"""Fewer images of a class than this are few: the bar is full with as many."""

_MAX_SHOWN = 24  # images of a class; each is a button


def collect(state: TeachState, lesson: Lesson, api: LessonApi, texts: Texts) -> None:
    """A box for each class, with its images, that takes more of them."""
    _load_thumbnails(state, lesson, api)
    st.html(styling.widget_words(texts))
    for place, one in enumerate(lesson["classes"]):
        with st.container(border=True, key=f"teach-class-{place}"):
            _show_class(state, place, one, api, texts)
    if model := current_session().model:
        st.caption(limits_sentence(model["limits"], texts))
    if any(one["pictures"] for one in lesson["classes"]):
        st.caption(texts.teach_take_away_help)


def _load_thumbnails(state: TeachState, lesson: Lesson, api: LessonApi) -> None:
    """After a reload, or when they were sent from elsewhere; of those sent here they are known."""
    names = {name for one in lesson["classes"] for name in one["pictures"]}
    if names <= set(state.thumbnails):
        return
    with suppress(NoAnswer):  # they are shown without
        state.thumbnails = api.thumbnails()


def _show_class(
    state: TeachState, place: int, lesson_class: dict[str, Any], api: LessonApi, texts: Texts
) -> None:
    name, count = lesson_class["name"], len(lesson_class["pictures"])
    counted = texts.teach_count.format(count=texts.number(count))
    st.html(html_parts.class_header(name, counted, count / FEW))
    if count:
        _show_images(state, place, lesson_class, api, texts)
    drop_here = texts.teach_drop_here.format(name=name)
    st.html(styling.drop_words(f"teach-upload-{place}", drop_here))
    key = f"teach-files-{place}-{state.widget_generation}"
    # A name that could be more than words in a label is not in one.
    said = name if in_markdown(name) == name else texts.teach_name.format(number=place + 1)
    label = texts.teach_drop_here.format(name=said)
    file_box(f"teach-upload-{place}", label, key, partial(_take, state, name, key))
    for kind in dict.fromkeys(state.refused.get(name, [])):
        reason = texts.problems.get(kind, texts.other_problem)
        count = state.refused[name].count(kind)
        warning = texts.teach_refused.format(count=count, reason=reason)
        st.warning(warning, icon=":material/broken_image:")


def _show_images(
    state: TeachState, place: int, lesson_class: dict[str, Any], api: LessonApi, texts: Texts
) -> None:
    count = len(lesson_class["pictures"])
    numbered = list(enumerate(lesson_class["pictures"], start=1))
    if count > _MAX_SHOWN and not st.toggle(
        texts.teach_show_all.format(count=count), key=f"teach-all-{place}"
    ):
        numbered = numbered[-_MAX_SHOWN:]
    image_buttons(
        f"teach-images-{place}",
        {
            f"teach-image-{image}": (
                texts.teach_take_away.format(number=number, name=lesson_class["name"]),
                state.thumbnails.get(image, ""),
                partial(state.attempt, partial(state.remove, api, image)),
            )
            for number, image in numbered
        },
    )


def _take(state: TeachState, class_name: str, key: str) -> None:
    """Take what was chosen out of a widget."""
    if files := chosen(key):
        state.put(class_name, [(file.name, Upload.take(file)) for file in files])
        state.widget_generation += 1
