"""What people are told about each picture, in lines that are read at once, and of many in the end.

The answer comes first, in columns; the name of the picture after it, as it may be long; last what
is to be doubted.
"""

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from rich.cells import cell_len

from imagette.inference.answering_processes import Row
from imagette.inference.batch import likeliest
from imagette.inference.sorted_copies import NONE_OF_THESE
from imagette.terminal import local
from imagette.translate import system_language
from imagette.wording import number, percent, without_controls

UNREADABLE = "cannot be read"

_SURE, _PERHAPS = 0.6, 0.35
"""As on the page: from the first on an answer stands alone; below the second it is a guess."""
_WIDEST = 28
"""Columns that the name of a class has at most; a longer one pushes the rest of its line."""
_MOST_COUNTED = 12

_NAME = "\ue000"
"""Stands for a picture's name in what is wrong with it, which many may have in common."""

_IN_VIDEO = re.compile(r"(.*)#t=(\d+\.\d+)", re.DOTALL)
_BY_CAMERA = re.compile(r"(camera\d+)#t=(\d{4}-\S+Z)")


class Words:
    """Lines about pictures, in columns as wide as the names of the classes ask for.

    Args:
        names: each class by its English name, as people are told it.
        top: how many classes are told of each picture; None for the answer alone, with what else
            it may be where that is in doubt.
        knows: whether the model can tell that a picture is none of these.
    """

    def __init__(self, names: Mapping[str, str], top: int | None, knows: bool) -> None:
        # All that is translated is so once, as there may be a great many lines.
        self._top, self._names = top, names
        self._width = 4 if system_language() == "en" else 5
        self._percents = [_percent(hundredth / 100) for hundredth in range(101)]
        self._none = local("none of these")
        mark = "\u00a0?" if system_language() == "fr" else "?"
        width = min(_WIDEST, max(map(cell_len, names.values())))
        self._cells = {label: _padded(name, width) for label, name in names.items()}
        width = max(width + len(mark), cell_len(self._none) if knows else 0)
        told = {**names, NONE_OF_THESE: self._none}
        self._answers = {label: _padded(name, width) for label, name in told.items()}
        self._doubts = {label: _padded(f"{name}{mark}", width) for label, name in names.items()}
        self._why, self._closest = local("why: {file}"), local("(closest: {name} {percent})")
        self._or, self._a_guess = local("(or {others})"), local("(a guess: or {others})")

    def lines(self, row: Row) -> list[str]:
        """About a picture that could be read."""
        lines = [self._line(row)]
        if "explanation" in row:
            lines.append("  " + self._why.replace("{file}", row["explanation"]))
        # One line each, whatever a file is called.
        return [without_controls(line).replace("\n", "\\n") for line in lines]

    @staticmethod
    def problem(row: Row) -> str:
        """About one that cannot be read."""
        problem, name = row["error"], row["file"]
        problem = problem if name in problem else f"{name}: {problem}"
        return _told(f"{problem}\n{row['remedy']}".replace(name, _NAME)).replace(_NAME, name)

    def _line(self, row: Row) -> str:
        where, label, sure = _where(row["file"]), row["label"], row["confidence"]
        if self._top is not None:
            return self._ranking(row, where)
        if row["known"] is False:
            closest = self._closest.replace("{percent}", self._share(sure).strip())
            closest = closest.replace("{name}", self._names[label])
            return f"{self._answers[NONE_OF_THESE]}  {'':{self._width}}  {where}  {closest}"
        if sure >= _SURE:
            return f"{self._answers[label]}  {self._share(sure)}  {where}"
        most = 1 if sure >= _PERHAPS else 2
        likely = likeliest(row, most + 1)[1:]
        others = ", ".join(f"{self._names[one]} {self._share(p).strip()}" for one, p in likely)
        doubt = self._or if sure >= _PERHAPS else self._a_guess
        doubt = doubt.replace("{others}", others)
        return f"{self._doubts[label]}  {self._share(sure)}  {where}  {doubt}"

    def _ranking(self, row: Row, where: str) -> str:
        cells = [] if self._top is None else likeliest(row, self._top)
        ranked = [f"{self._cells[label]}  {self._share(p)}" for label, p in cells]
        verdict = [f"({self._none})"] if row["known"] is False else []
        return "  ".join([*ranked, where, *verdict])

    def _share(self, probability: float) -> str:
        """A percentage; nothing that is possible is called 0 or 100."""
        if probability > 0.99:
            share = f">{self._percents[99]}"
        elif probability < 0.01:
            share = f"<{self._percents[1]}"
        else:
            share = self._percents[round(100 * probability)]
        return f"{share:>{self._width}}"


def answer_of(row: Row) -> str:
    """By what a row is counted in the end."""
    if "error" in row:
        return UNREADABLE
    return NONE_OF_THESE if row["known"] is False else str(row["label"])


def counted(answers: Counter[str], names: Mapping[str, str]) -> list[str]:
    """How many pictures each answer was given to, the most first; what is no class comes last."""
    language = system_language()
    last = (NONE_OF_THESE, UNREADABLE)
    ranked = [one for one in answers.most_common() if one[0] not in last]
    lines = [(names[label], count) for label, count in ranked[:_MOST_COUNTED]]
    if more := ranked[_MOST_COUNTED:]:
        others = local(f"of {len(more):,} other classes")
        lines.append((others, sum(count for _, count in more)))
    lines += [(local(name), answers[name]) for name in last if answers[name]]
    told = [(number(count, language), without_controls(name)) for name, count in lines]
    width = max((len(count) for count, _ in told), default=0)
    return [f"  {count:>{width}}  {name}" for count, name in told]


@lru_cache
def _told(problem: str) -> str:
    """What is wrong with a picture, and what to do, in the person's language."""
    return " ".join(local(sentence) for sentence in problem.split("\n"))


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
    return percent(probability, system_language(), digits=0)


def _padded(text: str, width: int) -> str:
    """As wide as a terminal shows it, where some letters take two columns."""
    return text + " " * (width - cell_len(text))
