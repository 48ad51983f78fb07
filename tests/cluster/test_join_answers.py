"""Parts become one file, and a file is known again as the answers about the same pictures."""

import pytest

pytest.importorskip("pyarrow", reason="it needs imagette[ray]")
import pyarrow as pa
from pyarrow import parquet

from imagette.cluster import join_answers as module
from imagette.cluster.answer_part import answer_schema, as_text
from imagette.cluster.join_answers import join_answers, unreadable_in

CLASSES, MODEL = ("cat", "dog"), "0123456789abcdef"
NAMES = ["a.png", "=b.png", "caf\udce9.png", *(f"{number}.png" for number in range(600))]


def row(name: str, problem: str | None) -> dict:
    told = {"path": as_text(name), "problem": problem, "remedy": problem}
    if problem:
        return told
    return {**told, "label": "dog", "confidence": 0.75, "probabilities": [0.25, 0.75]}


@pytest.fixture
def joined(tmp_path):
    """Write an answer about each name, two of them unreadable, from two parts."""

    def join(ending: str):
        rows = [row(name, "It is none." if name in NAMES[1:3] else None) for name in NAMES]
        parts = [tmp_path / "0.parquet", tmp_path / "1.parquet"]
        for path, some in zip(parts, (rows[:2], rows[2:]), strict=True):
            table = pa.Table.from_pylist(some, answer_schema(CLASSES, MODEL))
            parquet.write_table(table, path)
        out = tmp_path / f"answers.{ending}"
        counts = join_answers(parts, out, tmp_path, CLASSES, ("chat", "chien"), MODEL)
        assert (counts.unreadable, counts.labels["dog"]) == (2, len(NAMES) - 2)
        return out

    return join


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
@pytest.mark.parametrize("most", [1, 10**9])
def test_a_finished_file_tells_how_many_are_unreadable(joined, ending, most, monkeypatch):
    monkeypatch.setattr(module, "_BYTES", most)
    out = joined(ending)
    assert unreadable_in(out, NAMES, CLASSES, MODEL) == 2


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_other_pictures_and_another_model_are_told(joined, ending):
    out = joined(ending)
    assert unreadable_in(out, NAMES[1:], CLASSES, MODEL) is None
    assert unreadable_in(out, [*NAMES, "more.png"], CLASSES, MODEL) is None
    assert unreadable_in(out, NAMES, CLASSES, "another") is None
    out.write_text("mine")
    assert unreadable_in(out, NAMES, CLASSES, MODEL) is None
