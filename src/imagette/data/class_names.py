"""What the classes of a dataset are called and how they are ordered: one rule for every source."""

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from unicodedata import normalize

from imagette.wording import clean_name, listed

_COPY = re.compile(r" (copy|copie|kopie)( \d+)?$| \(\d+\)$")
"""What systems add to the name of a second folder."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


@dataclass(frozen=True)
class ClassNames:
    """The classes that were found.

    Attributes:
        of: by each value that tells a class (the name of a folder, a text or number of a column),
            the name of the class.
        order: the names, in the order of the labels.
        notes: what to know of them, a sentence or two each.
    """

    of: dict[Hashable, str]
    order: tuple[str, ...]
    notes: tuple[str, ...]


def name_classes(values: Iterable[Hashable], given: Sequence[str] | None = None) -> ClassNames:
    """Name the classes that values tell.

    Names are NFC, one of the ways in which Unicode writes a text, without space around them; what
    differs in that alone is one class. They are sorted: as numbers where all of them are.

    Args:
        values: texts or numbers; None, NaN and texts without a letter tell no class.
        given: names by number, in the order of the labels; values are then not looked at.
    """
    written: dict[Hashable, str] = {}
    if given is not None:
        written |= enumerate(given)
    else:
        for value in values:
            if value is not None and not (isinstance(value, float) and isnan(value)):
                written[value] = _written(value)
    of = {value: clean_name(text) for value, text in written.items()}
    of = {value: name for value, name in of.items() if name}
    order = tuple(dict.fromkeys(of.values()))
    notes = _merged(of, written) + _twins(order)
    return ClassNames(of, order if given is not None else in_order(order), notes)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Names sorted, as numbers where all of them are: 2 before 10."""
    names = list(names)
    if all(map(_NUMBER.fullmatch, names)):
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    return tuple(sorted(names))


def _written(value: Hashable) -> str:
    """A table that has a gap somewhere has its whole numbers as 1.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _merged(of: dict[Hashable, str], written: dict) -> tuple[str, ...]:
    """Names that were written in several ways, and are one class."""
    ways: dict[str, set[str]] = {}
    for value, name in of.items():
        ways.setdefault(name, set()).add(written[value])
    several = [" and ".join(map(ascii, sorted(some))) for some in ways.values() if len(some) > 1]
    if not several:
        return ()
    return (f"The same name written in two ways, which is one class: {listed(several, 'en')}.",)


def _twins(names: Iterable[str]) -> tuple[str, ...]:
    """Names that differ only in what people hardly mean as a difference."""
    alike: dict[str, list[str]] = {}
    for name in names:
        plain = re.sub(r"[\s_-]+", " ", normalize("NFKC", name).casefold())
        plain = _COPY.sub("", plain) or plain
        alike.setdefault(plain, []).append(name)
    twins = [" = ".join(some) for some in alike.values() if len(some) > 1]
    if not twins:
        return ()
    return (
        "Classes that may be the same, as only capitals, spaces, dashes or the mark of a copy"
        f" differ: {listed(twins, 'en')}. They are learned as several; give them one name if they"
        " are one.",
    )
