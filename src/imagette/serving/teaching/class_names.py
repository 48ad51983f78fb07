"""What the classes of a lesson may be called, and the lesson itself."""

import unicodedata

from imagette.serving.problems import RequestError
from imagette.wording import clean_name, looks_the_same

LONGEST_NAME = 40
"""Letters."""

_JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"  # letters and symbols that show nothing


def check_names(names: list[str]) -> list[str]:
    """Class names as they are kept.

    Raises:
        RequestError: one cannot be used, or two are the same.
    """
    cleaned = [clean_name(name) for name in names]
    for name in cleaned:
        if not name:
            problem, remedy = "A class has no name.", "Give each class a name."
        elif _is_too_long(name):
            problem = f"The name {name[:LONGEST_NAME]!r}… is too long."
            remedy = f"Use {LONGEST_NAME} letters at most."
        elif _is_unfit(name):
            problem = f"A class cannot be called {name!r}."
            remedy = "Use letters, digits, spaces and emoji, and begin with a letter or digit."
        else:
            continue
        raise RequestError("wrong-classes", problem, remedy)
    seen: dict[str, str] = {}
    for name in cleaned:
        if (key := looks_the_same(name)) in seen:
            raise RequestError(
                "same-names",
                f"Two classes have the same name: {seen[key]!r} and {name!r}.",
                "Give each its own name; capitals make no difference.",
            )
        seen[key] = name
    return cleaned


def check_lesson_name(name: str) -> str:
    """The name of a lesson as it is kept; empty for none.

    Raises:
        RequestError: it cannot be used.
    """
    name = clean_name(name)
    if name and (_is_too_long(name) or _is_unfit(name)):
        raise RequestError(
            "wrong-classes",
            f"A lesson cannot be called {name[:LONGEST_NAME]!r}.",
            f"Use {LONGEST_NAME} letters, digits, spaces and emoji at most, and begin with a"
            " letter or digit; or leave the name out.",
        )
    return name


def _is_too_long(name: str) -> bool:
    return len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > 4 * LONGEST_NAME


def _is_unfit(name: str) -> bool:
    """Whether a name, which is not empty, cannot be shown, or would mean something in paths."""
    return name[0] in "._" or any(map(_is_unfit_letter, name)) or not any(map(_is_seen, name))


def _is_unfit_letter(letter: str) -> bool:
    """Whether a letter is not for people to see, or means something in paths."""
    unseen = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return letter in f"/\\{_BLANKS}" or (unseen and letter not in _JOINERS)


def _is_seen(letter: str) -> bool:
    """Whether a letter shows something by itself."""
    return unicodedata.category(letter)[0] in "LNPS" and letter not in _BLANKS
