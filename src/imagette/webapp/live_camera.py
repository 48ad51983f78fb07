"""A camera on the page that hands over what it sees while it is open (see live_camera.js)."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from imagette.webapp.texts import Texts

_KEY = "live-camera"
_HTML = (
    '<div class="imagette-live"><div class="view"><video muted playsinline hidden></video>'
    '<span class="count" role="status" hidden></span></div>'
    '<p class="words" role="status"></p><div class="buttons"></div></div>'
)
_SCRIPT = Path(__file__).with_name("live_camera.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Frame:
    """What the camera saw.

    Attributes:
        number: counts the images of this camera.
        label: position of the class whose button was pressed; None if none was.
        contents: JPEG files: one, or those that were recorded while the button was held.
    """

    number: int
    label: int | None
    contents: list[bytes]


def show(
    record: Sequence[str],
    taken: int,
    answers: bool,
    is_slow: bool,
    take: Callable[[Frame], None],
    texts: Texts,
) -> None:
    """Show the camera, and a button for each class; to be called in a fragment of the page.

    Args:
        record: what the buttons say.
        taken: number of the last image that was taken in; then the next one comes.
        answers: whether images are wanted that no button was pressed for.
        is_slow: whether fewer of those are wanted, for a while.
        take: is called with each image, before the fragment runs anew.
        texts: in which language to say the rest.
    """

    def hand_over() -> None:
        if frame := _read(st.session_state[_KEY].image):
            take(frame)

    # Streamlit keeps components by name for each server, so that registering it again is cheap.
    camera = st.components.v2.component(
        "imagette_live_camera", html=_HTML, js=_SCRIPT, isolate_styles=False
    )
    words = {"allow": texts.camera_allow, "refused": texts.camera_refused}
    data = {
        "record": list(record),
        "taken": taken,
        "answers": answers,
        "isSlow": is_slow,
        **words,
    }
    camera(key=_KEY, data=data, on_image_change=hand_over)


def _read(sent: Any) -> Frame | None:
    """What the script sent; None if it is anything else."""
    try:
        contents = [
            base64.b64decode(content.partition(",")[2], validate=True)
            for content in sent["contents"]
        ]
        label = sent["label"]
        number, label = int(sent["number"]), None if label is None else int(label)
        return Frame(number, label, contents) if contents else None
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
