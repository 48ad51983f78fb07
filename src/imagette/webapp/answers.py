"""What the API says of the images in view."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from imagette.webapp import html_parts
from imagette.webapp.client import Api, LessonApi
from imagette.webapp.feedback import offer_feedback
from imagette.webapp.literal import in_markdown
from imagette.webapp.sentences import answer_sentence, closest_sentence, short_answer
from imagette.webapp.session import Session
from imagette.webapp.session_image import Answer, SessionImage
from imagette.webapp.texts import Texts
from imagette.webapp.widgets import image_buttons, tell_problem

_MOST_NAMED = 5  # files of which the same is said


def show_answers(
    session: Session, model: dict[str, Any], api: Api | LessonApi, texts: Texts
) -> None:
    """What the API says of the images in view; those that wait are asked about first."""
    with st.container(key="answers"):
        if left_out := session.left_out:
            warning = texts.too_many_images.format(kept=session.max_images, count=left_out)
            st.warning(warning, icon=":material/stacks:")
        if session.are_many:
            _show_many(session, model, api, texts)
        else:
            _show_each(session, model, api, texts)
    # Those that a click took out of view before they were asked about.
    for image in session.images:
        if image.waits:
            session.ask(image, api, in_full=False)


def _show_each(session: Session, model: dict[str, Any], api: Api | LessonApi, texts: Texts) -> None:
    """Few images, one below the other."""
    summary = st.empty()
    for place, image in enumerate(session.in_view):
        with st.container(border=True, key=f"answer-{image.number}"):
            _show_one(session, image, model, api, texts)
        if place == 0:
            _bring_into_view(session)
    if len(session.in_view) > 1:
        summary.html(html_parts.tiles([_tile(image, texts) for image in session.in_view]))


def _show_many(session: Session, model: dict[str, Any], api: Api | LessonApi, texts: Texts) -> None:
    """Many images: all of them small, with a short answer each, and the one that is opened."""
    _ask_all(session, [image for image in session.in_view if image.waits], api, texts)
    st.html(html_parts.text("h2", "section", texts.many.format(count=len(session.in_view))))
    _tell_problems(session, texts)
    st.caption(texts.many_help)
    tiles = {f"tile-{image.number}": (image, _tile(image, texts)) for image in session.in_view}
    image_buttons(
        "tiles",
        {
            key: (words, thumbnail or html_parts.NO_IMAGE, partial(session.open, image))
            for key, (image, (_, thumbnail, words)) in tiles.items()
        },
    )
    names = {key: image.name[texts.language] for key, (image, _) in tiles.items()}
    opened = session.opened
    st.html(html_parts.tile_names(names, f"tile-{opened.number}" if opened else ""))
    if opened:
        with st.container(border=True, key=f"answer-{opened.number}"):
            _show_one(session, opened, model, api, texts)
            close = partial(session.open, opened)
            st.button(texts.close_answer, icon=":material/close:", key="close", on_click=close)
    _bring_into_view(session)


def _ask_all(
    session: Session, waiting: Sequence[SessionImage], api: Api | LessonApi, texts: Texts
) -> None:
    place = st.empty()
    for done, image in enumerate(waiting):
        words = texts.looking_at.format(number=done + 1, count=len(waiting))
        place.progress(done / len(waiting), text=words)
        session.ask(image, api, in_full=False)
    place.empty()


def _tell_problems(session: Session, texts: Texts) -> None:
    """Why some images have no answer, each reason once."""
    refused = [image for image in session.in_view if image.problem]
    for kind in dict.fromkeys(str(image.problem) for image in refused):
        names = [in_markdown(one.name[texts.language]) for one in refused if one.problem == kind]
        tell_problem(kind, texts, texts.listed(names, most=_MOST_NAMED))
    if any(image.can_retry for image in refused):
        st.button(texts.retry, key="retry-many", on_click=session.try_again)


def _bring_into_view(session: Session) -> None:
    view = html_parts.bring_into_view(session.view_number, session.turned_to)
    st.html(view, unsafe_allow_javascript=True)


def _tile(image: SessionImage, texts: Texts) -> html_parts.Tile:
    answer = image.answer
    if answer is None:
        return image.anchor, None, texts.no_answer
    words = short_answer(answer.ranked(texts.language), answer.known, texts)
    return image.anchor, answer.thumbnail, words


def _show_one(
    session: Session,
    image: SessionImage,
    model: dict[str, Any],
    api: Api | LessonApi,
    texts: Texts,
) -> None:
    problem = None
    if image.waits or not image.explained:
        with st.spinner(texts.looking):
            if image.waits:
                session.ask(image, api)
            else:
                problem = session.explain(image, api)
    if image.answer is not None:
        _show_answer(image, image.answer, len(session.in_view) > 1, model, texts)
        if model.get("feedback") and isinstance(api, Api):
            offer_feedback(session, image, model, api, texts)
        if problem:
            tell_problem(problem, texts)
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
        answer.mapped[texts.language] if answer.mapped else "",
        model["input"],
        texts,
    )
    st.html(images)
    st.caption(texts.how_probable_unknown if unknown else texts.how_probable)
    st.html(html_parts.bars(ranking, answer.known, texts))
    threshold = model.get("familiarity_threshold")
    if answer.familiarity is not None and threshold is not None:
        st.html(html_parts.familiarity(answer.familiarity, threshold, not unknown, texts))
