"""The parts of the tab to teach that Streamlit has no widget for, as HTML (see html_parts.py)."""

from imagette.webapp.html_parts import bar, text
from imagette.webapp.literal import in_html
from imagette.webapp.sentences import Ranking
from imagette.webapp.texts import Texts


def step(title: str) -> str:
    """A heading of one step of teaching."""
    return text("h3", "step", title)


def class_header(name: str, count: str, share: float) -> str:
    """How many images there are of a class, with a bar that fills up to 1."""
    width = 100 * min(share, 1.0)
    kind = " done" if share >= 1 else ""
    return (
        f'<div class="imagette-class{kind}"><h3>{in_html(name)}</h3>'
        f'<span class="count">{in_html(count)}</span>'
        f'<span class="track"><span style="width: {width:.0f}%"></span></span></div>'
    )


def status(words: str) -> str:
    """Words that a screen reader says when they appear."""
    return f'<p class="imagette-status" role="status">{in_html(words)}</p>'


def field_problem(words: str) -> str:
    """What is wrong with the field above."""
    return f'<p class="imagette-problem" role="alert">{in_html(words)}</p>'


def link(url: str, texts: Texts) -> str:
    """An address to share, and a button that copies it (see page.js)."""
    return (
        f'<div class="imagette-link"><a href="{in_html(url)}">{in_html(url)}</a>'
        f'<button type="button" data-copied="{in_html(texts.teach_copied)}">'
        f"{in_html(texts.teach_copy)}</button></div>"
    )


def live_bars(shares: Ranking, known: bool | None, texts: Texts) -> str:
    """A bar for each class, all in their places; the most probable stands out.

    Args:
        shares: the classes, in their order.
        known: as of `bars`.
        texts: as of `bars`.
    """
    best = max(shares, key=lambda one: one[1])[0]
    rows = "".join(bar(*one, texts, "best" if one[0] == best else "other") for one in shares)
    shown = f'<ol class="imagette-bars">{rows}</ol>'
    return f'<div class="imagette-toned-down">{shown}</div>' if known is False else shown
