"""Sentences of commands, errors and data notes in French.

The code writes them in English, where they arise. Here a sentence that is ready is found again in
`locales/fr.toml`, by its template: `{count} pictures were left out.` is the key of `12 pictures
were left out.`, and `12` goes into the French sentence, too. A sentence that is in a file or that
came from another process is translated as well as one just made. What stands at a place is
translated too where it has several words, so that the name of a folder or a class stays as it is;
a place called `n` takes nothing but a number. One that has no French yet stays as it is; a test
tells which.
"""

import os
import re
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from imagette.wording import Language

_CATALOGUE = Path(__file__).parent / "locales" / "fr.toml"
_PLACE = re.compile(r"\{(\w+)\}")
_FRENCH_OF_WINDOWS = 0x0C  # the primary language of French, in the lower ten bits
_THIN_SPACE = "\u202f"  # does not break

# A number as commands write it: with a comma between thousands, a decimal point, a per cent sign.
_NUMBER = re.compile(r"(?<![\w.,/:-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?: ?(%))?(?![\w/:]|[.,]\w)")

_SEVERAL_WORDS = re.compile(r"\S\s+\S|^[ ,;:(]")
_TAKES_NUMBERS = re.compile(r"n\d?")
_ADDED = r"(?:(?:[,;:] | \().*?)?"
"""What may stand directly behind another place: nothing, or more words after a mark."""


def system_language() -> Language:
    """The language that the person's system speaks, of those that Imagette does."""
    for variable in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(variable):
            return "fr" if value.lower().startswith("fr") else "en"
    if sys.platform == "win32":
        import ctypes  # elsewhere a command need not wait for it

        spoken = ctypes.windll.kernel32.GetUserDefaultUILanguage() & 0x3FF
        return "fr" if spoken == _FRENCH_OF_WINDOWS else "en"
    return "en"


def translated(text: str, language: Language) -> str:
    """A sentence that Imagette wrote in English, in another language; unknown ones as they are."""
    if language == "en" or not text:
        return text
    begins = len(text) - len(text.lstrip())
    ends = len(text.rstrip())
    inner = text[begins:ends]
    if "\n" in inner and inner not in load_catalogue():
        return "\n".join(translated(line, language) for line in text.split("\n"))
    return text[:begins] + _in_french(inner) + text[ends:]


def _in_french(text: str) -> str:
    catalogue = load_catalogue()
    if exact := catalogue.get(text):
        return exact
    for template, french in _most_telling_first():
        if not all(part in text for part in _literals(template)):
            continue
        if found := _pattern(template).fullmatch(text):
            return _filled(french, found.groupdict())
    return text


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: _value(values[place[1]]), template)


def _value(text: str) -> str:
    """What stood at a place of a sentence: a number, a name, or words that have French as well."""
    if _NUMBER.fullmatch(text):
        return numbers_in_french(text)
    return translated(text, "fr") if _SEVERAL_WORDS.search(text) else text


def numbers_in_french(text: str) -> str:
    """`1,234 of 98.5%` becomes `1 234 of 98,5 %`, with spaces that do not break."""

    def write(found: re.Match[str]) -> str:
        whole, fraction, percent = found.groups()
        whole = whole.replace(",", _THIN_SPACE)
        fraction = (fraction or "").replace(".", ",")
        return whole + fraction + (f"{_THIN_SPACE}%" if percent else "")

    return _NUMBER.sub(write, text)


_NUMBERS = re.compile(r"[\d.,%k±–<>≤ \n-]+")
_AS_FRENCH_WRITES = str.maketrans({",": _THIN_SPACE, ".": ",", "%": f"{_THIN_SPACE}%"})


def in_numbers(text: str, language: Language) -> str:
    """What consists of numbers alone, as in the cell of a table; other texts as they are."""
    if language == "en" or not _NUMBERS.fullmatch(text):
        return text
    return text.replace(" %", "%").translate(_AS_FRENCH_WRITES)


@cache
def load_catalogue() -> Mapping[str, str]:
    """English sentences and what they are in French, both with the same places in braces."""
    return tomllib.loads(_CATALOGUE.read_text(encoding="utf-8"))


@cache
def _most_telling_first() -> list[tuple[str, str]]:
    """The sentences with places in them; those with the most words of their own come first."""
    with_places = [pair for pair in load_catalogue().items() if _PLACE.search(pair[0])]
    return sorted(with_places, key=lambda pair: -sum(map(len, _literals(pair[0]))))


@cache
def _literals(template: str) -> tuple[str, ...]:
    return tuple(part for part in _PLACE.split(template)[::2] if part)


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = _PLACE.split(template)
    seen: set[str] = set()
    pattern = ""
    for index, part in enumerate(parts):
        if index % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            seen.add(part)
            inside = r"[\d,.]+" if _TAKES_NUMBERS.fullmatch(part) else ".*?"
            if index > 1 and not parts[index - 1]:  # else nothing told where the last place ends
                inside = _ADDED
            pattern += f"(?P<{part}>{inside})"
    return re.compile(pattern, re.DOTALL)
