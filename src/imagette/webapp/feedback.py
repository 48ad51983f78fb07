"""Where an answer was wrong: what the image really shows, and the API keeps it by that name."""

from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp.client import Api
from imagette.webapp.literal import in_markdown
from imagette.webapp.session import Session
from imagette.webapp.session_image import SessionImage, Words
from imagette.webapp.texts import TEXTS, Texts
from imagette.webapp.widgets import tell_problem

_NONE, _OTHER = -1, -2  # in place of a class


def offer_feedback(
    session: Session, image: SessionImage, model: dict[str, Any], api: Api, texts: Texts
) -> None:
    """A button beside an answer that opens a small form, or what became of it."""
    if image.kept_as is not None:
        st.success(texts.wrong_kept.format(name=in_markdown(image.kept_as[texts.language])))
        return
    if image.sendable() is None:
        return
    with st.popover(texts.wrong, icon=":material/thumb_down:", key=f"wrong-{image.number}"):
        _show_form(session, image, model, api, texts)


def _show_form(
    session: Session, image: SessionImage, model: dict[str, Any], api: Api, texts: Texts
) -> None:
    st.markdown(texts.wrong_help)
    names = {"en": model["class_names"], "fr": model["class_names_fr"]}[texts.language]
    others = {_NONE: texts.wrong_none, _OTHER: texts.wrong_other}
    place = st.selectbox(
        texts.wrong_what,
        [*_by_probability(image, model), *others],
        index=None,
        placeholder=texts.wrong_choose,
        format_func=lambda place: others.get(place) or names[place],
        key=f"wrong-class-{image.number}",
    )
    key = f"wrong-name-{image.number}"
    if place == _OTHER:
        st.text_input(texts.wrong_name, max_chars=40, key=key)
    st.button(
        texts.wrong_keep,
        key=f"wrong-keep-{image.number}",
        type="primary",
        disabled=place is None,
        on_click=partial(_keep, session, image, model, api, place, key),
    )
    if image.not_kept:
        tell_problem(image.not_kept, texts)


def _by_probability(image: SessionImage, model: dict[str, Any]) -> list[int]:
    """Positions of the classes, the most probable first, without the answer."""
    assert image.answer is not None
    places = {name: place for place, name in enumerate(model["class_names"])}
    ranked = [places[name["en"]] for name, _ in image.answer.ranking if name["en"] in places]
    return ranked if image.answer.known is False else ranked[1:]


def _keep(
    session: Session,
    image: SessionImage,
    model: dict[str, Any],
    api: Api,
    place: int | None,
    key: str,
) -> None:
    if place is None:
        return
    if place == _OTHER:
        name = str(st.session_state.get(key, "")).strip()
        if not name:
            image.not_kept = "wrong-class"
            return
        words: Words = {"en": name, "fr": name}
    elif place == _NONE:
        name, words = "", {language: one.wrong_none for language, one in TEXTS.items()}
    else:
        name = model["class_names"][place]
        words = {"en": name, "fr": model["class_names_fr"][place]}
    session.keep_as(image, name, words, api)
