"""What Streamlit's theme cannot say of the page's looks: its style sheets, and rules made for words
and images of the moment."""

from pathlib import Path

from imagette.webapp.texts import Texts

_FOLDER = Path(__file__).with_name("styles")
_SHEETS = (
    "base",
    "inputs",
    "teach",
    "pictures",
    "answers",
    "tables",
)  # of equal rules, the later one counts
_STYLES = "".join((_FOLDER / f"{sheet}.css").read_text(encoding="utf-8") for sheet in _SHEETS)


def styles() -> str:
    """How the page looks, apart from Streamlit's theme."""
    return f"<style>{_STYLES}</style>"


def widget_words(texts: Texts) -> str:
    """Puts the page's words in the place of the English ones of Streamlit's widgets."""
    words = {
        '[data-testid="stFileUploaderDropzone"]::before': texts.drop_here,
        '[data-testid="stFileUploaderDropzone"]:has([data-testid="stFileChipIconError"])::after': (
            texts.not_sent
        ),
        '[data-testid="stFileUploaderDropzone"] button:not([kind="minimal"])::after': texts.browse,
        '[data-testid="stCameraInputButton"]::after': texts.camera_take,
        '[data-testid="stCameraInputWebcamStyledBox"]:not(:has(video))::after': texts.camera_allow,
    }
    rules = (f'{place} {{ content: "{word}"; }}' for place, word in words.items())
    return f"<style>{' '.join(rules)}</style>"


def drop_words(key: str, words: str) -> str:
    """Puts words of its own on the box of the file uploader in the container of a key.

    A class may be called anything, so they are written as CSS escapes.
    """
    escaped = "".join(letter if letter.isalnum() else f"\\{ord(letter):x} " for letter in words)
    place = f'.st-key-{key} [data-testid="stFileUploaderDropzone"]::before'
    return f'<style>{place} {{ content: "{escaped}" !important; }}</style>'


def button_images(urls: dict[str, str], tiny: bool = False) -> str:
    """Puts an image on each of some buttons.

    Args:
        urls: what to show, as data URLs, by the buttons' keys.
        tiny: whether they are so small that each of their pixels is to be seen.
    """
    more = "; image-rendering: pixelated" if tiny else ""
    rules = (
        f".st-key-{key} button {{ background-image: url({url}){more} }}"
        for key, url in urls.items()
    )
    return f"<style>{' '.join(rules)}</style>"
