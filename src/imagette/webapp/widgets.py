"""What several tabs show with Streamlit's widgets."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from imagette.webapp import html_parts, styling
from imagette.webapp.client import ApiDown
from imagette.webapp.literal import in_markdown, plain
from imagette.webapp.texts import Texts

Button = tuple[str, str, Callable[[], Any]]
"""Its words, its image as a data URL, and what a click does."""

_MOST_PILLS = 20


def tell_problem(kind: str, texts: Texts, of: str = "") -> None:
    """Say what went wrong, by the short name of the problem.

    Args:
        kind: that.
        texts: in which language to say it.
        of: the files that it is said of, as Markdown; empty where it is clear.
    """
    message = texts.problems.get(kind, texts.other_problem)
    if of:
        message = f"{of}  \n{message}"
    if kind == ApiDown.kind:
        st.error(message, icon=":material/cloud_off:")
    else:
        st.warning(message, icon=":material/broken_image:")


def image_buttons(group: str, buttons: dict[str, Button], tiny: bool = False) -> None:
    """Buttons that are images, by key; of `tiny` ones, each pixel is to be seen."""
    st.html(styling.button_images({key: url for key, (_, url, _) in buttons.items()}, tiny))
    with st.container(horizontal=True, key=group):
        for key, (words, _, click) in buttons.items():
            st.button(in_markdown(words), key=key, on_click=click)


def choose_class(label: str, names: list[str], key: str) -> int:
    """The position of a class that is chosen, of a few by buttons, of many from a list."""
    places = range(len(names))
    if len(names) > _MOST_PILLS:
        # A list takes its words as they are.
        return st.selectbox(label, places, format_func=lambda place: plain(names[place]), key=key)
    return st.pills(
        label,
        places,
        format_func=lambda place: in_markdown(names[place]),
        default=0,
        required=True,
        key=key,
    )


def number_table(header: list[str], rows: list[list[str]], label: str, texts: Texts) -> None:
    """A table that is folded away, for those who do not see the chart, or want the numbers."""
    with st.expander(texts.as_table, icon=":material/table:"):
        st.html(html_parts.table(header, rows, label))


def file_box(
    key: str,
    label: str,
    widget_key: str,
    take: Callable[[], None],
    note: str = "",
    several: bool = True,
) -> None:
    """A box that files are dropped into; see styling.py for its words.

    Args:
        key: of the box.
        label: for those who do not see it; words of the page's own, since Streamlit reads it as
            Markdown, though it does not show it, and as plain words.
        widget_key: of what holds the files; one that is new holds none.
        take: is called when files were chosen.
        note: what stands below it.
        several: whether more than one may be.
    """
    with st.container(key=key):
        st.file_uploader(
            label,
            key=widget_key,
            accept_multiple_files=several,
            label_visibility="collapsed",
            on_change=take,
        )
        if note:
            st.caption(note)


def camera_button(
    key: str, label: str, is_open: bool, switch: Callable[[], None], texts: Texts
) -> bool:
    """A button that opens and closes the camera; whether there is a camera to be shown then."""
    label = texts.camera_close if is_open else label
    st.button(label, key=key, icon=":material/photo_camera:", on_click=switch)
    if is_open and not _may_use_camera():
        st.info(texts.camera_forbidden, icon=":material/no_photography:")
        return False
    return is_open


def _may_use_camera() -> bool:
    """Whether browsers lend the camera to a page from this address."""
    address = urlsplit(st.context.url or "")
    return address.scheme == "https" or address.hostname in ("localhost", "127.0.0.1", "::1")
