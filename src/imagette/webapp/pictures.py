"""Pictures on the page that a tap enlarges, and that a small × beside each deletes (see
pictures.js)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from imagette.webapp.texts import Texts

_HTML = (
    '<ul class="imagette-pictures"></ul>'
    '<dialog class="imagette-large"><img alt=""><div class="buttons">'
    '<button type="button" class="previous">‹</button>'
    '<button type="button" class="next">›</button>'
    '<button type="button" class="delete"></button>'
    '<button type="button" class="close" autofocus>×</button></div></dialog>'
)
_SCRIPT = Path(__file__).with_name("pictures.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Picture:
    """A picture that is shown.

    Attributes:
        name: says which one.
        url: the picture, small, as a data URL.
        title: what it is called.
        enlarge: what the button says that enlarges it.
        delete: what the button says that deletes it.
    """

    name: str
    url: str
    title: str
    enlarge: str
    delete: str


def show(
    key: str,
    pictures: list[Picture],
    enlarged: tuple[str, str] | None,
    enlarge: Callable[[str], Any],
    remove: Callable[[list[str]], Any],
    texts: Texts,
) -> None:
    """Show pictures.

    Args:
        key: of these pictures among all that the page has.
        pictures: what to show.
        enlarged: name of one, and the whole of it as a data URL, if it was asked for.
        enlarge: is called with the name of one whose whole is wanted.
        remove: is called with the names of those to be deleted.
        texts: in which language to say the rest.
    """

    def on_enlarged() -> None:
        if isinstance(name := st.session_state[key].enlarged, str):
            enlarge(name)

    def on_removed() -> None:
        names = st.session_state[key].removed
        if isinstance(names, list):
            remove([name for name in names if isinstance(name, str)])

    component = st.components.v2.component(
        "imagette_pictures", html=_HTML, js=_SCRIPT, isolate_styles=False
    )
    data = {
        "pictures": [asdict(picture) for picture in pictures],
        "large": dict(zip(("name", "url"), enlarged, strict=True)) if enlarged else None,
        "words": {
            "previous": texts.teach_previous,
            "next": texts.teach_next,
            "delete": texts.teach_delete_this,
            "close": texts.teach_close,
        },
    }
    component(key=key, data=data, on_enlarged_change=on_enlarged, on_removed_change=on_removed)
