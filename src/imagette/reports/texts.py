"""The texts of pages and plots, by key, from `locales/en.toml` and `locales/fr.toml`.

A text may have places for values: `{name}`, and for numbers `{count:number}`, `{share:percent 2}`
or `{seconds:duration}`, which the functions of `imagette.wording` write in the text's language.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from imagette import wording
from imagette.translate import translated
from imagette.wording import LANGUAGES, Language

NUMBERS: dict[str, Callable[..., str]] = {
    function.__name__: function for function in (wording.number, wording.percent, wording.duration)
}
"""How numbers are written, each by `(value, language)` and maybe a number of digits."""

_LOCALES = Path(__file__).with_name("locales")


class Both(NamedTuple):
    """A text in both languages, of which a page shows the one its reader chose."""

    en: str
    fr: str

    def __html__(self) -> str:
        """HTML for both; whatever is not `Markup` is escaped."""
        en, fr = escape(self.en), escape(self.fr)
        if en == fr:
            return en
        return Markup('<span lang="en">{}</span><span lang="fr">{}</span>').format(en, fr)


def text(key: str, language: Language, /, **values: object) -> str:
    """A text without HTML, as for plots.

    Args:
        key: tables and name in the files of `locales/`, with dots between.
        language: of the text.
        values: what stands in its places; of a `Both`, the text of the same language.
    """
    return _Filler(language).vformat(load(language)[key], (), values)


def both(key: str, /, **values: object) -> Both:
    """A text for pages, in both languages; it may have HTML, its values are escaped."""
    en, fr = (
        Markup(_Filler(language, escape).vformat(load(language)[key], (), values))
        for language in LANGUAGES
    )
    return Both(en, fr)


def in_both(text: str) -> Both:
    """A sentence that was made in English, such as a note on a dataset, for pages."""
    en, fr = (translated(text, language) for language in LANGUAGES)
    return Both(en, fr)


@cache
def load(language: Language) -> dict[str, str]:
    """All texts of a language by key, as `report.headline.test`."""
    return flatten(wording.load_texts(_LOCALES, language))


def flatten(tables: dict[str, Any], before: str = "") -> dict[str, Any]:
    """The values of a table and of those in it, by dotted name: `optimizer.learning_rate`."""
    found: dict[str, Any] = {}
    for name, value in tables.items():
        key = before + name
        found |= flatten(value, f"{key}.") if isinstance(value, dict) else {key: value}
    return found


class _Filler(Formatter):
    """Puts values into the places of a text, numbers as its language writes them."""

    def __init__(self, language: Language, write: Callable[[Any], str] = str) -> None:
        self.language = language
        self.write = write

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Both):
            value = getattr(value, self.language)
        if format_spec:
            name, *digits = format_spec.split()
            value = NUMBERS[name](value, self.language, *map(int, digits))
        return self.write(value)
