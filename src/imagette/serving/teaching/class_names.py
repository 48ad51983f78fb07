"""What the classes of a lesson may be called: each is the name of a folder too."""

import unicodedata

from imagette.serving.problems import RequestError
from imagette.wording import clean_name

LONGEST_NAME = 40
"""Letters."""

_JOINERS = "\u200c\u200d"  # within words of some scripts, and within emoji
_VARIANTS = [chr(code) for code in range(0xFE00, 0xFE10)]  # which form of a letter is meant
_UNSEEN = str.maketrans(dict.fromkeys([*_JOINERS, *_VARIANTS]))
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
        elif len(name) > LONGEST_NAME or len(name.encode(errors="replace")) > 4 * LONGEST_NAME:
            problem = f"The name {name[:LONGEST_NAME]!r}… is too long."
            remedy = f"Use {LONGEST_NAME} letters at most."
        elif name[0] in "._" or any(map(_is_unfit, name)) or not any(map(_is_seen, name)):
            problem = f"A class cannot be called {name!r}."
            remedy = "Use letters, digits, spaces and emoji, and begin with a letter or digit."
        else:
            continue
        raise RequestError("wrong-classes", problem, remedy)
    if len({name.translate(_UNSEEN).casefold() for name in cleaned}) < len(cleaned):
        raise RequestError(
            "wrong-classes", "Two classes have the same name.", "Give each its own name."
        )
    return cleaned


def _is_unfit(letter: str) -> bool:
    """Whether a letter is not for people to see, or means something in paths."""
    unseen = unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    return letter in f"/\\{_BLANKS}" or (unseen and letter not in _JOINERS)


def _is_seen(letter: str) -> bool:
    """Whether a letter shows something by itself."""
    return unicodedata.category(letter)[0] in "LNPS" and letter not in _BLANKS
