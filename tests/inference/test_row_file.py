"""Files of answers: whatever happened to one, it is gone on with, or left alone."""

import csv
import json

import pytest

from imagette.errors import ImageError, ImagetteError
from imagette.inference.batch import to_row
from imagette.inference.classifier import Prediction
from imagette.inference.row_file import RowFile

CLASSES = ('a "b"', "c,\nd")
ANSWER = Prediction(CLASSES[0], "un", 0, 0.75, dict(zip(CLASSES, (0.75, 0.25), strict=True)))
ROWS = [
    to_row("one.png", ANSWER, "m"),
    to_row('two, "2".png', ImageError("It is empty.", "Choose."), "m"),
    to_row("three\nlines\n.png", ANSWER, "m"),
    to_row("no utf-8 \udcff.png", ANSWER, "m"),
    to_row("é.png", ANSWER, "m"),
]


def opened(path, model="m", classes=CLASSES):
    return RowFile(path, classes, model)


@pytest.fixture(params=["rows.jsonl", "rows.CSV"])
def path(request, tmp_path):
    with opened(tmp_path / "new" / request.param) as file:
        assert file.done == set()
        file.write(ROWS[:2])
        file.write(ROWS[2:])
    return tmp_path / "new" / request.param


def test_others_can_read_it(path):
    text = path.read_text(encoding="utf-8", errors="surrogateescape")
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines()]
        assert rows == ROWS
        path.read_bytes().decode("utf-8")  # valid, whatever files are called
        return
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [row["file"] for row in ROWS]
    assert [row["error"] for row in rows] == ["", "It is empty.", "", "", ""]
    assert rows[0]['probability_a "b"'] == "0.75"
    assert rows[0]["known"] == ""


def test_names_are_no_formulas_in_a_table(tmp_path):
    path = tmp_path / "rows.csv"
    with opened(path) as file:
        file.write([to_row("=1+1.png", ANSWER, "m")])
    with path.open(encoding="utf-8", newline="") as file:
        assert [row["file"] for row in csv.DictReader(file)] == ["'=1+1.png"]
    with opened(path) as file:
        assert file.holds("=1+1.png")
        assert not file.holds("1+1.png")


def test_it_is_gone_on_with_wherever_it_was_cut(path):
    whole = path.read_bytes()
    with opened(path) as file:
        assert file.done == {row["file"] for row in ROWS}
        assert file.unreadable == 1
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with opened(path) as file:
            done = len(file.done)
            assert file.done == {row["file"] for row in ROWS[:done]}
            file.write(ROWS[done:])
            assert file.unreadable == 1
        assert path.read_bytes() == whole


def test_what_is_none_of_ours_is_left_as_it_is(path):
    whole = path.read_bytes()
    foreign = (
        b"hello", b"hello\n", b"[1]\n", b"{}\n", b'{"file": "x"}\n', b"file,label\n", b"\0" * 50,
        b"file,label\nx", whole + b"[1]\n", whole + b"x,y\n", whole + b"\xff\n", b"\n" + whole,
    )  # fmt: skip
    for content in foreign:
        path.write_bytes(content)
        with pytest.raises(ImagetteError, match=r"holds something else: its line \d+ "):
            opened(path)
        assert path.read_bytes() == content


def test_answers_of_another_model_are_not_mixed(path):
    whole = path.read_bytes()
    with pytest.raises(ImagetteError, match="answers of another model"):
        opened(path, model="n")
    if path.suffix == ".CSV":
        with pytest.raises(ImagetteError, match="names other columns"):
            opened(path, classes=("x", "y"))
    assert path.read_bytes() == whole


def test_two_do_not_write_the_same_file(path):
    with opened(path), pytest.raises(ImagetteError, match="Another program is writing to"):
        opened(path)
    opened(path).__exit__()


@pytest.mark.parametrize("name", ["rows.txt", "rows", ".", "one.png/rows.csv"])
def test_what_cannot_be_a_file_of_answers(tmp_path, name):
    (tmp_path / "one.png").write_bytes(b"x")
    with pytest.raises(ImagetteError, match="cannot be"):
        opened(tmp_path / name)
