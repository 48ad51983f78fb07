"""What people are told about each picture, in lines that are read at once, and of many in the end.

The answer comes first, in columns; the name of the picture after it, as it may be long; last what
is to be doubted.
"""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from rich.cells import cell_len

from imagette.inference.answering_processes import Row
from imagette.inference.batch import likeliest
from imagette.inference.sorted_copies import NONE_OF_THESE
from imagette.wording import without_controls

UNREADABLE = "cannot be read"

_SURE, _PERHAPS = 0.6, 0.35
"""As on the page: from the first on an answer stands alone; below the second it is a guess."""
_WIDEST = 28
"""Columns that the name of a class has at most; a longer one pushes the rest of its line."""
_MOST_COUNTED = 12

_IN_VIDEO = re.compile(r"(.*)#t=(\d+\.\d+)", re.DOTALL)
_BY_CAMERA = re.compile(r"(camera\d+)#t=(\d{4}-\S+Z)")


class Words:
    """Lines about pictures, in columns as wide as the names of the classes ask for.

    Args:
        class_names: in English.
        top: how many classes are told of each picture; None for the answer alone, with what else
            it may be where that is in doubt.
        knows: whether the model can tell that a picture is none of these.
    """

    def __init__(self, class_names: Sequence[str], top: int | None, knows: bool) -> None:
        self._top = top
        self._knows = knows
        width = min(_WIDEST, max(map(cell_len, class_names)))
        self._cells = {label: _padded(label, width) for label in class_names}
        width = max(width + 1, len(NONE_OF_THESE) if knows else 0)
        self._answers = {label: _padded(label, width) for label in (*class_names, NONE_OF_THESE)}
        self._doubts = {label: _padded(f"{label}?", width) for label in class_names}

    def lines(self, row: Row) -> list[str]:
        """About a picture that could be read."""
        lines = [self._line(row)]
        if "explanation" in row:
            lines.append(f"  why: {row['explanation']}")
        return [without_controls(line) for line in lines]

    @staticmethod
    def problem(row: Row) -> str:
        """About one that cannot be read."""
        problem, name = row["error"], row["file"]
        return f"{problem if name in problem else f'{name}: {problem}'} {row['remedy']}"

    def _line(self, row: Row) -> str:
        where, label, sure = _where(row["file"]), row["label"], row["confidence"]
        if self._top is not None:
            return self._ranking(row, where)
        if row["known"] is False:
            closest = f"(closest: {label} {_percent(sure)})"
            return f"{self._answers[NONE_OF_THESE]}        {where}  {closest}"
        if sure >= _SURE:
            return f"{self._answers[label]}  {_percent(sure):>4}  {where}"
        most = 1 if sure >= _PERHAPS else 2
        others = ", ".join(f"{one} {_percent(p)}" for one, p in likeliest(row, most + 1)[1:])
        doubt = f"(or {others})" if sure >= _PERHAPS else f"(a guess: or {others})"
        return f"{self._doubts[label]}  {_percent(sure):>4}  {where}  {doubt}"

    def _ranking(self, row: Row, where: str) -> str:
        cells = [] if self._top is None else likeliest(row, self._top)
        ranked = [f"{self._cells[label]}  {_percent(p):>4}" for label, p in cells]
        if self._knows:
            verdict = NONE_OF_THESE if row["known"] is False else ""
            ranked.insert(0, _padded(verdict, len(NONE_OF_THESE)))
        return "  ".join([*ranked, where])


def answer_of(row: Row) -> str:
    """By what a row is counted in the end."""
    if "error" in row:
        return UNREADABLE
    return NONE_OF_THESE if row["known"] is False else str(row["label"])


def counted(answers: Counter[str]) -> list[str]:
    """How many pictures each answer was given to, the most first; what is no class comes last."""
    last = (NONE_OF_THESE, UNREADABLE)
    ranked = [one for one in answers.most_common() if one[0] not in last]
    lines = ranked[:_MOST_COUNTED]
    if more := ranked[_MOST_COUNTED:]:
        lines.append((f"of {len(more):,} other classes", sum(number for _, number in more)))
    lines += [(name, answers[name]) for name in last if answers[name]]
    width = max((len(f"{number:,}") for _, number in lines), default=0)
    return [f"  {number:>{width},}  {name}" for name, number in lines]


def _where(name: str) -> str:
    """The name of a picture; of one of a video or a camera with its time as people write it."""
    if "#t=" not in name:
        return name
    if found := _IN_VIDEO.fullmatch(name):
        minutes, seconds = divmod(float(found[2]), 60)
        hours, minutes = divmod(int(minutes), 60)
        clock = f"{hours}:{minutes:02}" if hours else f"{minutes}"
        return f"{clock}:{seconds:04.1f}  {found[1]}"
    if found := _BY_CAMERA.fullmatch(name):
        time = datetime.fromisoformat(found[2]).astimezone()
        return f"{time:%H:%M:%S}  {found[1]}"
    return name


def _percent(probability: float) -> str:
    """Nothing that is possible is called 0 or 100 percent."""
    if probability > 0.99:
        return ">99%"
    return "<1%" if probability < 0.01 else f"{probability:.0%}"


def _padded(text: str, width: int) -> str:
    """As wide as a terminal shows it, where some letters take two columns."""
    return text + " " * (width - cell_len(text))
