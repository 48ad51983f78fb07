"""The lines that `imagette predict` prints for people."""

from collections import Counter

import pytest

from imagette.cli.predict_words import Words, answer_of, counted
from imagette.inference.batch import to_row
from imagette.inference.classifier import Prediction

CLASSES = ("cat", "dog", "automobile")
NAMES = {name: name for name in CLASSES}


def row(*probabilities, known=True, name="a.png"):
    best = max(range(3), key=probabilities.__getitem__)
    every = dict(zip(CLASSES, probabilities, strict=True))
    answer = Prediction(CLASSES[best], "", best, probabilities[best], every, known, 0.5)
    return to_row(name, answer, "m")


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (row(0.93, 0.05, 0.02), "cat             93%  a.png"),
        (row(0.004, 0.001, 0.995), "automobile     >99%  a.png"),
        (row(0.45, 0.5, 0.05), "dog?            50%  a.png  (or cat 45%)"),
        (
            row(0.34, 0.33, 0.3),
            "cat?            34%  a.png  (a guess: or dog 33%, automobile 30%)",
        ),
        (row(0.9, 0.1, 0, known=False), "none of these        a.png  (closest: cat 90%)"),
        (row(0.9, 0.1, 0, name="f.mp4#t=3671.25"), "cat             90%  1:01:11.2  f.mp4"),
        (row(0.9, 0.1, 0, name="f.mp4#t=71.25"), "cat             90%  1:11.2  f.mp4"),
        (row(0.9, 0.1, 0, name="a\nb.png"), r"cat             90%  a\nb.png"),
        (row(0.9, 0.1, 0, name="f#t=x.png"), "cat             90%  f#t=x.png"),
    ],
)  # fmt: skip
def test_the_answer_comes_first_and_the_doubt_last(answer, line):
    assert Words(NAMES, None, True).lines(answer) == [line]


def test_several_classes_stand_in_columns():
    rows = [row(0.93, 0.05, 0.02), row(0.05, 0.3, 0.65, known=False)]
    assert [line for one in rows for line in Words(NAMES, 2, True).lines(one)] == [
        "cat          93%  dog           5%  a.png",
        "automobile   65%  dog          30%  a.png  (none of these)",
    ]
    assert Words(NAMES, 1, False).lines(rows[0]) == ["cat          93%  a.png"]


def test_letters_that_are_wide_and_names_that_are_long_do_not_break_it():
    names = ("猫", "dog", "x" * 40)
    answers = dict(zip(names, (0.9, 0.1, 0.0), strict=True))
    words = Words({name: name for name in names}, None, False)
    wide = to_row("a.png", Prediction("猫", "", 0, 0.9, answers, None), "m")
    plain = to_row("a.png", Prediction("dog", "", 1, 0.9, answers, None), "m")
    assert len(words.lines(wide)[0]) + 1 == len(words.lines(plain)[0])
    long = to_row("a.png", Prediction("x" * 40, "", 2, 0.9, answers, None), "m")
    assert words.lines(long) == [f"{'x' * 40}   90%  a.png"]


def test_many_are_counted_by_their_answers():
    answers = Counter({"cat": 1200, "none of these": 3, "cannot be read": 12, "dog": 7})
    assert counted(answers, NAMES) == [
        "  1,200  cat",
        "      7  dog",
        "      3  none of these",
        "     12  cannot be read",
    ]
    many = Counter({f"class {number:02}": 1 for number in range(30)})
    assert counted(many, {name: name for name in many})[-1] == "  18  of 18 other classes"
    assert answer_of(row(1, 0, 0, known=False)) == "none of these"
