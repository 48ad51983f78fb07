"""Runs side by side."""

import json

import pytest
from PIL import Image

from imagette.errors import ImagetteError
from imagette.evaluation import evaluate
from imagette.evaluation.compare import compare


def test_rows_and_plot(tmp_path, colours, make_run):
    first = make_run(tmp_path / "first", colours)
    second = make_run(tmp_path / "second", colours, epochs=6, best_epoch=2, seconds=99.0)
    metrics = evaluate(first, colours).metrics

    rows = compare([first, second], tmp_path / "plots" / "compare.png")

    assert rows[0] == {
        "run": "first", "dataset": "colours", "accuracy": metrics["accuracy"],
        "split": "validation", "n": metrics["n"], "loss": metrics["loss"],
        "validation_accuracy": pytest.approx(0.9 - 0.7 / 3),
        "epochs": 4, "best_epoch": 3, "seconds": 12.5, "parameters": 30,
    }  # fmt: skip
    assert rows[1] == {
        "run": "second", "dataset": None, "accuracy": None, "split": None, "n": None, "loss": None,
        "validation_accuracy": pytest.approx(0.9 - 0.7 / 2),
        "epochs": 6, "best_epoch": 2, "seconds": 99.0, "parameters": 30,
    }  # fmt: skip
    assert json.loads(json.dumps(rows)) == rows
    with Image.open(tmp_path / "plots" / "compare.png") as image:
        image.load()
        assert image.format == "PNG"


def test_run_that_has_only_begun(tmp_path, colours, make_run):
    run = make_run(tmp_path / "mine", colours)
    for name in ("history.csv", "run.json", "model.onnx"):
        (run / name).unlink()
    (row,) = compare([run], tmp_path / "compare.png")
    assert row.pop("run") == "mine"
    assert set(row.values()) == {None}
    assert (tmp_path / "compare.png").exists()


def test_runs_of_the_same_name_are_told_apart(tmp_path, colours, make_run):
    runs = [make_run(tmp_path / place / "mine", colours) for place in ("here", "there")]
    rows = compare(runs, tmp_path / "compare.png")
    assert [row["run"] for row in rows] == [str(run) for run in runs]


def test_what_is_no_run(tmp_path, colours, make_run):
    run = make_run(tmp_path / "mine", colours)
    (tmp_path / "photos").mkdir()

    for runs, problem in (
        ([run, tmp_path / "photos"], "photos is not a run folder"),
        ([run, tmp_path / "nowhere"], "nowhere does not exist"),
        ([run / "recipe.toml"], r"recipe\.toml is a file, not a run folder"),
        ([], "nothing to compare"),
    ):
        with pytest.raises(ImagetteError, match=problem):
            compare(runs, tmp_path / "compare.png")
    assert not (tmp_path / "compare.png").exists()


@pytest.mark.parametrize("name", ["compare.jpg", "compare", ".png", "compare.png.txt"])
def test_plots_are_png_files(tmp_path, colours, make_run, name):
    run = make_run(tmp_path / "mine", colours)
    with pytest.raises(ImagetteError, match=r"is a PNG file") as caught:
        compare([run], tmp_path / name)
    assert "ending in .png" in caught.value.remedy
    assert not (tmp_path / name).exists()
    compare([run], tmp_path / "COMPARE.PNG")
    assert (tmp_path / "COMPARE.PNG").exists()


def test_damaged_metrics(tmp_path, colours, make_run):
    run = make_run(tmp_path / "mine", colours)
    (run / "metrics.json").write_text('{"accuracy": "high"}', encoding="utf-8")
    with pytest.raises(ImagetteError, match=r"metrics\.json is damaged") as caught:
        compare([run], tmp_path / "compare.png")
    assert f"imagette evaluate {run}" in caught.value.remedy
    evaluate(run, colours)  # as the remedy says
    assert compare([run], tmp_path / "compare.png")[0]["split"] == "validation"
