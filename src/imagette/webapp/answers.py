"""What the API says of the images in view."""

from typing import Any

import streamlit as st

from imagette.webapp import html_parts
from imagette.webapp.client import Api, LessonApi
from imagette.webapp.sentences import answer_sentence, closest_sentence, short_answer
from imagette.webapp.session import Answer, Session, SessionImage
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import tell_problem


def show_answers(
    session: Session, model: dict[str, Any], api: Api | LessonApi, texts: Texts
) -> None:
    """What the API says of the images in view; those that wait are asked about first."""
    with st.container(key="answers"):
        if left_out := session.left_out:
            warning = texts.too_many_images.format(kept=session.max_images, count=left_out)
            st.warning(warning, icon=":material/stacks:")
        summary = st.empty()
        for place, image in enumerate(session.in_view):
            with st.container(border=True, key=f"answer-{image.number}"):
                if image.waits:
                    with st.spinner(texts.looking):
                        session.ask(image, api)
                _show_one(session, image, model, texts)
            if place == 0:
                st.html(
                    html_parts.bring_into_view(session.view_number), unsafe_allow_javascript=True
                )
        if len(session.in_view) > 1:
            summary.html(html_parts.tiles([_tile(image, texts) for image in session.in_view]))
    # Those that a click took out of view before they were asked about.
    for image in session.images:
        if image.waits:
            session.ask(image, api)


def _tile(image: SessionImage, texts: Texts) -> html_parts.Tile:
    answer = image.answer
    words = short_answer(answer.ranked(texts.language), answer.known, texts) if answer else "–"
    return image.anchor, answer.thumbnail if answer else None, words


def _show_one(session: Session, image: SessionImage, model: dict[str, Any], texts: Texts) -> None:
    if image.answer is not None:
        _show_answer(image, image.answer, len(session.in_view) > 1, model, texts)
        return
    name = html_parts.text("h2", "name", image.name[texts.language])
    st.html(f'<div id="{image.anchor}">{name}</div>')
    tell_problem(str(image.problem), texts)
    if image.can_retry:
        st.button(texts.retry, key=f"retry-{image.number}", on_click=session.try_again)


def _show_answer(
    image: SessionImage, answer: Answer, with_name: bool, model: dict[str, Any], texts: Texts
) -> None:
    ranking = answer.ranked(texts.language)
    unknown = answer.known is False
    words = html_parts.text("h2", "answer", answer_sentence(ranking, answer.known, texts))
    if with_name:
        words = html_parts.text("p", "name", image.name[texts.language]) + words
    if unknown:
        words += html_parts.text("p", "closest", closest_sentence(ranking, texts))
    st.html(f'<div id="{image.anchor}">{words}</div>')
    images = html_parts.images(
        image.shown,
        answer.heat_map,
        answer.seen,
        image.description[texts.language],
        ranking[0][0],
        model["input"],
        texts,
    )
    st.html(images)
    st.caption(texts.how_probable_unknown if unknown else texts.how_probable)
    st.html(html_parts.bars(ranking, answer.known, texts))
    threshold = model.get("familiarity_threshold")
    if answer.familiarity is not None and threshold is not None:
        st.html(html_parts.familiarity(answer.familiarity, threshold, not unknown, texts))
