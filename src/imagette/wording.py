"""Numbers, lists and names as people write them, in English and in French."""

import os
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from unicodedata import normalize

Language = Literal["en", "fr"]

LANGUAGES: tuple[Language, ...] = ("en", "fr")

_THIN_SPACE = "\u202f"  # does not break; French sets it between thousands and before a unit


def number(value: float, language: Language, digits: int = 0) -> str:
    """`60000` becomes `60,000` in English and `60 000` in French."""
    text = f"{value:,.{digits}f}"
    if language == "fr":
        text = text.replace(",", _THIN_SPACE).replace(".", ",")
    return text


def percent(fraction: float, language: Language, digits: int = 1) -> str:
    """`0.683` becomes `68.3%` in English and `68,3 %` in French."""
    sign = "%" if language == "en" else f"{_THIN_SPACE}%"
    return number(100 * fraction, language, digits) + sign


def duration(seconds: float, language: Language) -> str:
    """`200` becomes `3 min 20 s`; under a minute, `8.5 s` in English and `8,5 s` in French, where
    the unit stays with its number."""
    if seconds < 59.95:
        return number(seconds, language, digits=1) + (" s" if language == "en" else "\u00a0s")
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def listed(names: Sequence[str], language: Language, most: int = 20) -> str:
    """The names with commas between; of a great many the first, and how many more there are."""
    shown = ", ".join(names[:most])
    more = len(names) - most
    if more > 0:
        shown += (
            f" and {number(more, language)} more"
            if language == "en"
            else f" et {number(more, language)} autre{'s' if more > 1 else ''}"
        )
    return shown


def clean_name(name: str) -> str:
    """A name in one of the ways in which Unicode writes it (NFC), without space around it."""
    return normalize("NFC", name).strip()


# Joiners, and which form of a letter is meant: two names may differ in them and look the same.
_UNSEEN = str.maketrans(dict.fromkeys(["\u200c", "\u200d", *map(chr, range(0xFE00, 0xFE10))]))


def looks_the_same(name: str) -> str:
    """What two names have in common that people take for the same: capitals, the ways in which
    Unicode writes a letter (NFKC), spaces and what is not seen make no difference.

    >>> looks_the_same("Élan") == looks_the_same("e\u0301lan")
    True
    """
    plain = normalize("NFKC", normalize("NFKC", name).casefold()).translate(_UNSEEN)
    return " ".join(plain.split())


def printable(path: str | Path) -> str:
    """A path that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


_CONTROLS = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_NAMES_OF_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_MOST_BYTES_OF_NAME = 200


def without_controls(text: str) -> str:
    """A text as a terminal may be given it: control characters as escapes, such as `\\x1b`, but for
    tabs and line breaks."""
    return _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)


def has_controls(name: str) -> bool:
    """Whether a name holds control characters, tabs and line breaks among them."""
    return bool(_CONTROLS.search(name)) or "\n" in name or "\t" in name


def why_no_file_name(name: str) -> str:
    """Why a name cannot be that of a file or folder on every system; empty where it can."""
    if not name.strip() or name in (".", ".."):
        return "it names nothing"
    if "/" in name or "\\" in name:
        return "it has a slash"
    if has_controls(name):
        return "it has a line break or another control character"
    if len(name.encode("utf-8", "surrogateescape")) > _MOST_BYTES_OF_NAME:
        return f"it is longer than {_MOST_BYTES_OF_NAME} bytes"
    if _NAMES_OF_DEVICES.fullmatch(name):
        return "Windows has a device of that name"
    if name != name.strip().rstrip("."):
        return "it begins or ends with a space, or ends in a dot"
    return ""


def load_texts(folder: Path, language: Language) -> dict[str, Any]:
    """The texts of one language, as `folder/<language>.toml` has them."""
    return tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))
