"""How fast bundles answer: what is measured, what is left, and the frontier."""

import csv
import io
import json
import shutil
import signal
import subprocess
from pathlib import Path

import onnx
import pytest
from onnx import helper
from PIL import Image
from support.command_line import PROGRAM, imagette, imagette_here
from support.tiny_bundle import write_bundle

from imagette import ImagetteError
from imagette.benchmark import inference
from imagette.benchmark.frontier import Dot, draw, frontier
from imagette.benchmark.inference import measure_inference
from imagette.inference.bundle import SHIPPED, open_bundle

QUICK = {"rounds": 3, "seconds": 0.001}
ONE_WAY = {"threads": [1], "batches": [1], **QUICK}


def bundle(path: Path, **metadata) -> Path:
    """A tiny bundle that says this of itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bundle(path)
    model = onnx.load(path)
    known = open_bundle(path).metadata.model_copy(update=metadata)
    helper.set_model_props(model, known.to_properties())
    onnx.save(model, path)
    return path


@pytest.fixture
def three(tmp_path):
    """Two bundles with an accuracy, one of them in a run folder, and one without."""
    bundle(
        tmp_path / "runs" / "first" / "model.onnx", recipe={"name": "best"}, accuracy=0.9,
        accuracy_split="test", parameters=40, dataset="cifar10",
    )  # fmt: skip
    return [
        tmp_path / "runs" / "first",
        bundle(tmp_path / "small.onnx", model="small", accuracy=0.8, accuracy_split="test",
               dataset="cifar10"),
        bundle(tmp_path / "held.onnx", model="held", accuracy=0.99, accuracy_split="validation"),
    ]  # fmt: skip


def test_a_row_for_each_model_and_way(tmp_path, three):
    out, said = tmp_path / "out", []
    rows = measure_inference(three, out=out, batches=(4, 1), say=said.append, **QUICK)
    ways = [(row["name"], row["threads"], row["batch"]) for row in rows]
    assert ways == [
        (name, threads, batch)
        for name in ("first", "small", "held") for batch in (1, 4) for threads in (1, 2)
    ]  # fmt: skip
    for row in rows:
        speeds = [row[f"pictures_per_second{end}"] for end in ("_low", "", "_high")]
        assert speeds == sorted(speeds)
        assert speeds[0] > 0
        assert row["rounds"] == 3
        assert row["megabytes"] == pytest.approx(Path(row["file"]).stat().st_size / 1e6)
        assert not row["shipped"]
    assert rows[0]["file"] == str(three[0] / "model.onnx")
    assert (rows[0]["accuracy"], rows[0]["parameters"]) == (0.9, 40)
    assert rows[-1]["accuracy"] is rows[-1]["parameters"] is None
    assert said[0] == "Round 1 of 3"
    assert [line for line in said if "held" in line] == [
        "held is not in the plot: its accuracy on test pictures is not known."
    ]

    with (out / "summary.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row["name"] for row in rows]
    assert json.loads((out / "environment.json").read_bytes())["versions"]["onnxruntime"]
    assert Image.open(out / "frontier.png").size == (1600, 768)


def test_those_that_ship_are_the_default(tmp_path):
    rows = measure_inference(out=tmp_path, **ONE_WAY)
    assert [Path(row["file"]) for row in rows] == list(SHIPPED.values())
    assert all(row["shipped"] and row["accuracy"] for row in rows)
    assert len({row["name"] for row in rows}) == len(rows)


def test_each_has_a_name_of_its_own(tmp_path):
    same = {"recipe": {"name": "best"}}
    paths = [
        bundle(tmp_path / "runs" / "best-2" / "model.onnx", **same),
        bundle(tmp_path / "a" / "mine.onnx", **same),
        bundle(tmp_path / "b" / "mine.onnx", **same),
        bundle(tmp_path / "nameless.onnx", model=""),
    ]
    rows = measure_inference([*paths, paths[0].parent], out=tmp_path, **ONE_WAY)
    assert [row["name"] for row in rows] == ["best-2", str(paths[1]), str(paths[2]), "nameless"]


def test_accuracies_of_different_datasets_are_said(tmp_path):
    known = {"accuracy": 0.9, "accuracy_split": "test"}
    paths = [bundle(tmp_path / f"{name}.onnx", dataset=name, **known) for name in ("a", "b")]
    said = []
    measure_inference(paths, out=tmp_path, say=said.append, **ONE_WAY)
    assert "different datasets" in said[-1]


@pytest.mark.parametrize(
    ("points", "best"),
    [
        ([], []),
        ([(1, 1)], [0]),
        ([(2, 0.7), (1, 0.9), (1, 0.8), (3, 0.6)], [1, 0, 3]),
        ([(1, 0.9), (2, 0.9)], [1]),  # as right, and faster
        ([(1, 0.8), (1, 0.9)], [1]),  # as fast, and more often right
        ([(2, 0.5), (1, 0.9), (1, 0.9)], [1, 2, 0]),  # equal ones stay together
        ([(1, 0.1), (2, 0.2), (3, 0.3)], [2]),
    ],
)
def test_the_frontier_is_what_no_other_beats(points, best):
    assert frontier(points) == best


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_the_picture_has_its_size_with_any_number_of_models(count):
    dots = [
        Dot(f"model-{n}", 0.9 + n / 100, 900 - n, 800, 1000, 1 + n, n == 1) for n in range(count)
    ]
    picture = Image.open(io.BytesIO(draw(dots, "256 at once, 2 threads")))
    assert (picture.format, picture.size) == ("PNG", (1600, 768))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"threads": [0]}, "0 is not a number of threads"),
        ({"threads": []}, "None is not a number of threads"),
        ({"batches": [1, 10**6]}, "1, 1000000 is not a number of pictures"),
        ({"rounds": 0}, "0 is not a number of rounds"),
        ({"bundles": ["nowhere.onnx"]}, "no model file nowhere.onnx"),
    ],
)
def test_what_cannot_be_measured_is_said(tmp_path, bundle_path, wrong, message):
    with pytest.raises(ImagetteError, match=message):
        measure_inference(**{"bundles": [bundle_path], "out": tmp_path / "out"} | wrong)
    assert not (tmp_path / "out").exists()


def test_an_answer_that_fails_is_said(tmp_path, bundle_path, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(inference, "_speed", fail)
    with pytest.raises(ImagetteError, match="does not answer 1 or 256 pictures at once"):
        measure_inference([bundle_path], out=tmp_path, **QUICK)


def test_the_table_fits_a_terminal(tmp_path, three, monkeypatch):
    speed = inference._speed
    monkeypatch.setattr(inference, "_speed", lambda *given: speed(*given[:2], QUICK["seconds"]))
    answer = imagette_here("benchmark", "inference", *three, "--rounds", "2", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    *lines, _, files = answer.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(text in answer.stdout for text in ("first", "90.00", "2 threads", "batch 256", "–"))
    table, plot = (Path("inference") / name for name in ("summary.csv", "frontier.png"))
    assert files == f"Table: {table}, plot: {plot}"
    assert "Round 2 of 2, about" in answer.stderr
    assert (tmp_path / "inference" / "frontier.png").is_file()


@pytest.mark.slow
def test_json_is_the_rows_and_nothing_else(tmp_path, three):
    ways = ["--threads", "1,2,3", "--batches", "1", "--rounds", "1", "--json"]
    answer = imagette("benchmark", "inference", *three, *ways, "--out", "elsewhere", cwd=tmp_path)
    rows = json.loads(answer.stdout)
    assert [row["threads"] for row in rows] == 3 * [1, 2, 3]
    assert rows[0]["accuracy"] == 0.9
    assert (tmp_path / "elsewhere" / "summary.csv").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--threads", "one"], "--threads takes whole numbers separated by commas, not 'one'"),
        (["--batches", "1,"], "--batches takes whole numbers"),
        (["--out", "taken"], "taken cannot be a folder: a file has that name"),
        (["--out", "taken/inside"], "cannot be a folder: a file has that name"),
    ],
)
def test_a_mistake_is_two_sentences_and_no_traceback(tmp_path, bundle_path, arguments, message):
    shutil.copy(bundle_path, tmp_path / "tiny.onnx")
    (tmp_path / "taken").write_text("", encoding="utf-8")
    answer = imagette_here("benchmark", "inference", "tiny.onnx", *arguments, cwd=tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: ")
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 2
    assert answer.stdout == ""


def test_a_stop_is_clean(tmp_path, bundle_path):
    ways = ["--rounds", "1000", "--threads", "1"]
    process = subprocess.Popen(
        [*PROGRAM, "benchmark", "inference", bundle_path, *ways], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stderr.readline() == "Round 1 of 1000\n"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130
    assert stdout == ""
    assert stderr.splitlines()[-1] == "Stopped; nothing was written."
    assert "Traceback" not in stderr


def test_it_explains_itself_with_an_example(tmp_path):
    answer = imagette_here("benchmark", "inference", "--help", cwd=tmp_path)
    assert answer.returncode == 0
    assert "Example: imagette benchmark inference" in " ".join(answer.stdout.split())
