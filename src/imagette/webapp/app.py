"""The page's frame: its languages, its pages, and the API. Streamlit runs this file anew at
every click."""

import os
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from imagette.webapp import html_parts, styling
from imagette.webapp.client import Api, ApiDown, NoAnswer
from imagette.webapp.literal import TITLE, in_markdown
from imagette.webapp.session import current_session
from imagette.webapp.tabs import dataset, model, predict, teach
from imagette.webapp.texts import TEXTS, Texts
from imagette.webapp.visitor import visitor_address
from imagette.webapp.widgets import tell_problem
from imagette.wording import LANGUAGES, Language

_HERE = Path(__file__).parent
_API_URL = os.environ.get("IMAGETTE_API_URL", "http://127.0.0.1:5000")


def main() -> None:
    texts = TEXTS[_language()]
    api = Api(_API_URL, os.environ.get("IMAGETTE_API_KEY", ""), visitor_address())
    problem = _ask_model(api)
    predict_page = st.Page(
        lambda: predict.show(api, texts), title=texts.page_predict, url_path="look", default=True
    )
    dataset_page = st.Page(
        lambda: dataset.show(api, texts, predict_page), title=texts.page_dataset, url_path="data"
    )
    pages = [
        predict_page,
        *_teach_page(api, texts),
        st.Page(lambda: model.show(api, texts), title=texts.page_model, url_path="about"),
        dataset_page,
    ]
    chosen = st.navigation(pages, position="hidden")
    title = TITLE if chosen == predict_page else f"{chosen.title} – {TITLE}"
    st.set_page_config(page_title=title, page_icon=str(_HERE / "icon.png"), layout="centered")
    st.html(styling.styles())
    _header(pages, texts)
    if problem:
        _show_problem(problem, texts)
    # Before the page, whose own script needs it.
    limits = (current_session().model or {}).get("limits", {})
    st.html(html_parts.script(texts, limits), unsafe_allow_javascript=True)
    chosen.run()


def _teach_page(api: Api, texts: Texts) -> list[StreamlitPage]:
    """The page to teach, unless the API is known not to be taught."""
    known = current_session().model
    if known and not known.get("teaching"):
        return []
    return [
        st.Page(lambda: teach.show(api, texts), title=texts.page_teach, url_path=teach.URL_PATH)
    ]


def _language() -> Language:
    """The language that was switched to or that the address asks for, or else the browser's."""
    if "language" not in st.session_state:
        asked = st.query_params.get("lang") or st.context.locale or ""
        st.session_state.language = "fr" if asked.startswith("fr") else "en"
    return st.session_state.language


def _switch_language() -> None:
    language = st.session_state.language
    st.session_state.language = next(other for other in LANGUAGES if other != language)


def _header(pages: list[StreamlitPage], texts: Texts) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="header"):
        st.title(in_markdown(TITLE), anchor=False)
        st.button(
            texts.other_language,
            icon=":material/translate:",
            type="tertiary",
            key="language-switch",  # the same button in both languages: no click is lost in between
            on_click=_switch_language,
        )
    with st.container(horizontal=True, key="pages"):
        for page in pages:
            # The way back to a lesson is its address, as any link to it.
            is_teach = page.url_path == teach.URL_PATH
            st.page_link(page, query_params=teach.address() if is_teach else None)


def _ask_model(api: Api) -> str | None:
    """Ask the API for its model, or keep the one that is known; the kind of the problem, if any."""
    try:
        current_session().model = api.model()
    except NoAnswer as problem:
        return problem.kind
    return None


def _show_problem(problem: str, texts: Texts) -> None:
    """Say why there is no model, and offer to try again."""
    tell_problem(problem, texts)
    if problem == ApiDown.kind:
        st.markdown(texts.api_down_help.format(url=_API_URL))
    again = current_session().try_again
    st.button(texts.retry, type="primary", key="retry", on_click=again)


main()
