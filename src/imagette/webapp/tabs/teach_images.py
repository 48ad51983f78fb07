"""Teaching: the images of each class, how they come, and how one is taken away again."""

import base64
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from typing import Any

import streamlit as st

from imagette.webapp import pictures, styling, teach_parts
from imagette.webapp.client import LessonApi, NoAnswer
from imagette.webapp.literal import in_markdown, plain
from imagette.webapp.sentences import limits_sentence
from imagette.webapp.session import current_session
from imagette.webapp.teach_state import Lesson, TeachState
from imagette.webapp.texts import Texts
from imagette.webapp.uploads import Upload, chosen
from imagette.webapp.widgets import file_box
from imagette.wording import looks_the_same

FEW = 10
"""Fewer images of a class than this are few: the bar is full with as many."""

_MAX_SHOWN = 24  # images of a class


def collect(
    state: TeachState, lesson: Lesson, api: LessonApi, bounds: dict[str, Any], texts: Texts
) -> None:
    """A box for each class, with its images, that takes more of them."""
    _load_thumbnails(state, lesson, api)
    st.html(styling.widget_words(texts))
    if any(one["pictures"] for one in lesson["classes"]):
        st.caption(texts.teach_pictures_help)
    for place in range(len(lesson["classes"])):
        with st.container(border=True, key=f"teach-class-{place}"):
            _show_class(state, place, lesson, api, texts)
    if model := current_session().model:
        st.caption(limits_sentence(model["limits"], texts))
    if len(lesson["classes"]) < bounds["max_classes"]:
        _offer_class(state, lesson, api, texts)


def _load_thumbnails(state: TeachState, lesson: Lesson, api: LessonApi) -> None:
    """After a reload, or when they were sent from elsewhere; of those sent here they are known."""
    names = {name for one in lesson["classes"] for name in one["pictures"]}
    if names <= set(state.thumbnails):
        return
    with suppress(NoAnswer):  # they are shown without
        state.thumbnails = api.thumbnails()


def _show_class(
    state: TeachState, place: int, lesson: Lesson, api: LessonApi, texts: Texts
) -> None:
    lesson_class = lesson["classes"][place]
    name, count = lesson_class["name"], len(lesson_class["pictures"])
    counted = texts.teach_count.format(count=texts.number(count))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(teach_parts.class_header(name, counted, count / FEW))
        _offer_changes(state, place, lesson, api, texts)
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


def _offer_changes(
    state: TeachState, place: int, lesson: Lesson, api: LessonApi, texts: Texts
) -> None:
    """Another name for a class, or an end of it."""
    name = lesson["classes"][place]["name"]
    others = [one["name"] for one in lesson["classes"] if one["name"] != name]
    with st.popover(
        texts.teach_edit_class,
        key=f"teach-edit-{place}",
        type="tertiary",
        icon=":material/edit:",
    ):
        rename = partial(_rename, state, api, name)
        _name_field(texts.teach_class_name, f"teach-rename-{place}", name, others, rename, texts)
        if others:
            st.button(
                texts.teach_delete_class,
                key=f"teach-delete-class-{place}",
                icon=":material/delete:",
                type="tertiary",
                on_click=partial(state.change, partial(api.delete_class, name)),
            )


def _offer_class(state: TeachState, lesson: Lesson, api: LessonApi, texts: Texts) -> None:
    names = [one["name"] for one in lesson["classes"]]
    with st.popover(texts.teach_add_class, key="teach-more", icon=":material/add:"):
        add = partial(_add_class, state, api)
        _name_field(texts.teach_new_class, "teach-new-class", "", names, add, texts)


def _name_field(
    label: str,
    key: str,
    name: str,
    others: list[str],
    take: Callable[[str], Any],
    texts: Texts,
) -> None:
    """A field for a name, which is told beside it if another class has it; and a button.

    Args:
        label: what the field is called.
        key: of the field; that of the button follows from it.
        name: what is in it at first.
        others: what the other classes are called.
        take: is called with a name that can be.
        texts: in which language to say the rest.
    """
    # Another name makes another field, which begins with it.
    key = f"{key}-{blake2b(name.encode(), digest_size=4).hexdigest()}-{len(others)}"

    def hand_over() -> None:
        written = st.session_state[key].strip()
        if written and written != name and not _is_taken(written, others):
            take(written)

    written = st.text_input(label, name, key=key, max_chars=40, on_change=hand_over)
    if _is_taken(written, others):
        st.html(teach_parts.field_problem(texts.teach_same_name))
    words = texts.teach_rename if name else texts.teach_add_class
    st.button(words, key=f"{key}-yes", on_click=hand_over)


def _is_taken(name: str, others: list[str]) -> bool:
    return looks_the_same(name) in map(looks_the_same, others)


def _rename(state: TeachState, api: LessonApi, name: str, new_name: str) -> None:
    state.change(partial(api.rename_class, name, new_name))


def _add_class(state: TeachState, api: LessonApi, name: str) -> None:
    state.change(partial(api.add_class, name))


def _show_images(
    state: TeachState, place: int, lesson_class: dict[str, Any], api: LessonApi, texts: Texts
) -> None:
    name, count = lesson_class["name"], len(lesson_class["pictures"])
    numbered = list(enumerate(lesson_class["pictures"], start=1))
    if count > _MAX_SHOWN and not st.toggle(
        texts.teach_show_all.format(count=count), key=f"teach-all-{place}"
    ):
        numbered = numbered[-_MAX_SHOWN:]
    with st.container(key=f"teach-images-{place}"):
        pictures.show(
            f"teach-pictures-{place}",
            [
                pictures.Picture(
                    image,
                    state.thumbnails.get(image, ""),
                    texts.teach_picture.format(name=plain(name), number=number),
                    texts.teach_enlarge.format(name=plain(name), number=number),
                    texts.teach_delete_picture.format(name=plain(name), number=number),
                )
                for number, image in numbered
            ],
            state.enlarged,
            partial(_enlarge, state, api),
            partial(state.remove, api),
            texts,
        )


def _enlarge(state: TeachState, api: LessonApi, image: str) -> None:
    with suppress(NoAnswer):  # the small one is shown
        content = base64.b64encode(api.picture(image)).decode("ascii")
        state.enlarged = image, f"data:image/png;base64,{content}"


def _take(state: TeachState, class_name: str, key: str) -> None:
    """Take what was chosen out of a widget."""
    if files := chosen(key):
        state.put(class_name, [(file.name, Upload.take(file)) for file in files])
        state.widget_generation += 1
