"""What several tabs show with Streamlit's widgets."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from imagette.webapp import styling
from imagette.webapp.session import API_DOWN
from imagette.webapp.texts import Texts

Button = tuple[str, str, Callable[[], Any]]
"""Its words, its image as a data URL, and what a click does."""


def tell_problem(kind: str, texts: Texts) -> None:
    """Say what went wrong, by the short name of the problem."""
    message = texts.problems.get(kind, texts.other_problem)
    if kind == API_DOWN:
        st.error(message, icon=":material/cloud_off:")
    else:
        st.warning(message, icon=":material/broken_image:")


def image_buttons(group: str, buttons: dict[str, Button]) -> None:
    """Buttons that are images, by key."""
    st.html(styling.button_images({key: url for key, (_, url, _) in buttons.items()}))
    with st.container(horizontal=True, key=group):
        for key, (words, _, click) in buttons.items():
            st.button(words, key=key, on_click=click)


def may_use_camera() -> bool:
    """Whether browsers lend the camera to a page from this address."""
    address = urlsplit(st.context.url or "")
    return address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")
