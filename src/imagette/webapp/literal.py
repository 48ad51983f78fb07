"""Words of a model, a file or a person, put on the page as words and nothing else.

A class or a file may be called anything: `![x](http://…)`, `<img …>`, `:red[a]`, `$x$`. What goes
into HTML goes through `in_html`; what goes into a label of Streamlit's, which reads Markdown, goes
through `in_markdown`.
"""

import os
import re
from html import escape

_LINE_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # and other signs without a shape

# These turn around what follows them, beyond the end of a name. Scripts that are read from right to
# left do without.
_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

# Streamlit replaces some signs in the text that Markdown was read into, where nothing can be
# escaped any more. A sign between them that is not seen and does not break keeps them as they are.
_WORD_JOINER = "\u2060"
_REPLACED = re.compile(
    r"(?<=:)(?=[\w+/-])"  # :smile:, :material_home:, https://
    r"|(?<=[<>~-])(?=[>=-])"  # ->, <-, <->, --, >=, <=, ~=
    r"|(?<=[Ww])(?=\.)|(?=@)"  # www.example.org, a@example.org
)

_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")


def plain(words: str) -> str:
    """Words on one line that leave those around them as they are.

    >>> plain("two\\nlines")
    'two lines'
    """
    return _TURNING.sub("", _LINE_BREAKS.sub(" ", words)).strip(" ")


def in_html(words: str) -> str:
    """Words as HTML that shows them, in an element or an attribute.

    >>> in_html("<b>")
    '&lt;b&gt;'
    """
    return escape(plain(words))


def in_markdown(words: str) -> str:
    """Words as Markdown that shows them: written as entities, signs mean nothing else.

    >>> in_markdown("*a*")
    '&#42;a&#42;'
    """
    kept = _REPLACED.sub(_WORD_JOINER, plain(words))
    return _PUNCTUATION.sub(lambda sign: f"&#{ord(sign[0])};", kept)


TITLE = plain(os.environ.get("IMAGETTE_TITLE", "")) or "Imagette"
"""What the page is called."""
