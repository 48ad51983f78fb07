"""`imagette predict` on addresses, videos and a camera, and where its answers and copies go."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image
from support.command_line import imagette, imagette_here
from support.images import noise
from support.videos import video
from support.web_files import web_files

from imagette.files import MARK


@pytest.fixture(scope="module")
def server():
    with web_files({"cat.png": noise(1), "none.txt": b"words"}) as server:
        yield server


@pytest.fixture
def predict(bundle_path):
    """The command within this process, with a quick model."""

    def predict(*arguments, **options):
        return imagette_here("predict", *arguments, "--model", bundle_path, **options)

    return predict


def names(answer):
    return [json.loads(line)["file"] for line in answer.stdout.splitlines()]


@pytest.mark.slow
def test_addresses_are_answered_among_files_in_order(server, bundle_path, tmp_path):
    (tmp_path / "a.png").write_bytes(noise(2))
    asked = [f"{server.address}/{name}" for name in ("cat.png", "gone.png", "page", "none.txt")]
    asked = [*asked[:2], "a.png", *asked[2:], *([asked[0]] * 20)]
    command = ("predict", *asked, "--model", bundle_path, "--json")
    answer = imagette(*command, "--allow-private", cwd=tmp_path)
    assert (answer.returncode, answer.stderr) == (1, "")
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [row["file"] for row in rows] == asked
    assert ["error" in row for row in rows] == [False, True, False, True, True] + [False] * 20
    assert rows[1]["error"].endswith("cannot be fetched: there is nothing (404 Not Found).")
    refused = imagette(*command, cwd=tmp_path)
    rows = [json.loads(line) for line in refused.stdout.splitlines()]
    assert ["error" in row for row in rows] == [True, True, False, True, True] + [True] * 20
    assert rows[0]["remedy"] == "Where that is meant, add --allow-private."


def test_an_address_is_fetched_once_for_a_file_of_answers(server, predict, tmp_path):
    command = (f"{server.address}/cat.png", "--allow-private", "--out", tmp_path / "rows.csv")
    server.asked.clear()
    for _ in range(2):
        answer = predict(*command)
        assert answer.returncode == 0
    assert "1 picture is already answered" in answer.stderr
    assert server.asked == ["/cat.png"]


def test_a_password_is_written_nowhere(predict):
    answer = predict("https://me:secret@example.org/cat.png")
    assert answer.returncode == 1
    assert "holds a user name or a password" in answer.stderr
    assert "secret" not in answer.stderr


@pytest.mark.slow
def test_a_stop_waits_for_no_server(server, bundle_path):
    command = [sys.executable, "-m", "imagette", "predict", f"{server.address}/slow-body"]
    server.asked.clear()
    with subprocess.Popen(
        [*command, "--model", bundle_path, "--allow-private"], stderr=subprocess.PIPE, text=True
    ) as process:
        while not server.asked:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=20)[1] == "Stopped after 0 of 1 picture.\n"
    assert process.returncode == 130


def test_a_video_has_a_line_for_each_second(predict, tmp_path):
    (tmp_path / "film.mp4").write_bytes(video())
    answer = predict("film.mp4", "--json", cwd=tmp_path)
    assert names(answer) == [f"film.mp4#t={second}.0" for second in range(4)]
    lines = predict("film.mp4", cwd=tmp_path).stdout.splitlines()
    assert [line.split("%")[1].split("  ")[1:3] for line in lines] == [
        [f"0:0{second}.0", "film.mp4"] for second in range(4)
    ]
    rows = tmp_path / "rows.jsonl"
    assert "4 pictures answered" in predict("film.mp4", "--out", rows, cwd=tmp_path).stderr
    # Between those that are there.
    more = predict("film.mp4", "--out", rows, "--every", 0.5, cwd=tmp_path).stderr
    assert "3 pictures answered" in more
    assert len(rows.read_text().splitlines()) == 7


def test_how_often_is_a_number_of_seconds(predict):
    for every in ("-1", "nan", "inf", "1e9"):
        answer = predict(".", "--every", every)
        assert answer.returncode == 1
        assert "is no number of seconds from 0 to 86,400." in answer.stderr


def test_a_video_in_a_folder_is_left_out_and_that_is_said(predict, tmp_path):
    (tmp_path / "film.mp4").write_bytes(video())
    (tmp_path / "a.png").write_bytes(noise(1))
    answer = predict(".", "--json", cwd=tmp_path)
    assert names(answer) == ["a.png"]
    assert "Videos are answered where they are named: imagette predict film.mp4" in answer.stderr


def test_a_video_comes_from_anywhere(predict, bundle_path):
    with web_files({"film": video("webm", "libvpx")}) as server:
        address = f"{server.address}/film"
        answer = predict(address, "--allow-private", "--every", 3, "--json")
        assert names(answer) == [f"{address}#t=0.0", f"{address}#t=3.0"]


def test_what_is_wrong_with_a_video_is_a_row(predict, tmp_path):
    (tmp_path / "words.mp4").write_text("no video", encoding="utf-8")
    film = video("matroska", pictures=60)
    (tmp_path / "cut.mkv").write_bytes(film[: len(film) * 2 // 3])
    (tmp_path / "a.png").write_bytes(noise(1))
    answer = predict("words.mp4", "cut.mkv", "a.png", "--json", cwd=tmp_path)
    assert answer.returncode == 1
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert rows[0]["error"].startswith("words.mp4 cannot be read as a video: ")
    assert rows[1]["file"] == "cut.mkv#t=0.0"
    assert rows[-2]["file"] == "cut.mkv"
    assert "error" not in rows[-1]


_WITH_A_CAMERA = """
from imagette.images import video
video._camera = lambda index: ("testsrc=size=64x48:rate=10,realtime", "lavfi")
from imagette.__main__ import main
main()
"""


@pytest.mark.slow
def test_a_camera_is_answered_until_ctrl_c(bundle_path):
    """FFmpeg's test picture for a camera, as one cannot count on there being one."""
    command = [sys.executable, "-c", _WITH_A_CAMERA, "predict", "--camera", "--every", "0.2"]
    with subprocess.Popen(
        [*command, "--model", bundle_path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        lines = [process.stdout.readline() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.fullmatch(r"Stopped after \d+ pictures?\.\n", said)
    for line in lines:
        assert re.search(r"  \d\d:\d\d:\d\d  camera0", line)


def test_without_a_camera_it_says_so(predict):
    answer = predict("--camera", "97")
    assert answer.returncode == 1
    assert answer.stderr.startswith("Error: There is no camera 97 on this machine.\n")
    answer = predict("--camera", "cat.png")
    assert "--camera answers about what a camera sees, and not about cat.png too." in answer.stderr


def test_something_must_be_named(predict):
    assert "Error: No picture is named.\nGive files" in predict().stderr


def test_csv_on_stdout_is_what_a_file_would_hold(predict, tmp_path):
    for name in ("=a.png", "b, c.png"):
        (tmp_path / name).write_bytes(noise(1))
    (tmp_path / "d.png").write_bytes(b"none")
    for options in ([], ["--top", 2], ["--top", 100]):
        rows = tmp_path / "rows.csv"
        rows.unlink(missing_ok=True)
        asked = ("=a.png", "b, c.png", "d.png", *options)
        predict(*asked, "--out", rows, cwd=tmp_path)
        answer = predict(*asked, "--csv", cwd=tmp_path)
        assert answer.returncode == 1
        assert answer.stdout == rows.read_text()
    table = list(
        csv.DictReader(io.StringIO(predict(*asked[:3], "--csv", "--top", 2, cwd=tmp_path).stdout))
    )
    assert [row["file"] for row in table] == ["'=a.png", "b, c.png", "d.png"]
    assert table[0]["label_1"] == table[0]["label"]
    assert table[0]["probability_1"] == table[0]["confidence"] >= table[0]["probability_2"]
    assert table[2]["label_1"] == ""
    assert table[2]["error"].startswith("d.png cannot be read")
    answer = predict("d.png", "--csv", "--json", cwd=tmp_path)
    assert "not by --json, --csv" in answer.stderr


def test_pictures_are_sorted_into_folders(predict, tmp_path):
    home = tmp_path / "home"
    (home / "deep").mkdir(parents=True)
    for number in range(12):
        (home / ("deep" if number % 2 else "") / f"{number // 2}.png").write_bytes(noise(number))
    (home / "z.png").write_bytes(b"none")
    for turn in range(2):
        answer = predict(".", "--sort-into", "sorted", cwd=home)
        assert answer.returncode == 1
        assert len(answer.stdout.splitlines()) == 12
        copied = "0 pictures were copied into sorted; 12 more lay there already."
        assert answer.stderr.splitlines()[-1] == (
            copied if turn else "12 pictures were copied into sorted."
        )
        assert "z.png cannot be read as a picture" in answer.stderr
        assert "\n   1  cannot be read\n" in answer.stderr
    copies = list((home / "sorted").rglob("*.png"))
    assert {path.read_bytes() for path in copies} == {noise(number) for number in range(12)}
    assert len(copies) == 12
    assert (home / "sorted" / MARK).exists()
    answer = predict(".", "--sort-into", "deep", cwd=home)
    assert "Error: Pictures cannot be sorted into deep: it holds other files." in answer.stderr


@pytest.mark.slow
def test_many_are_sorted_by_several_processes_as_by_one(bundle_path, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for number in range(300):
        Image.new("RGB", (8, 8), (number % 256, number // 2, 99)).save(home / f"{number}.png")
    command = ("predict", home, "--model", bundle_path, "--csv", "--sort-into", tmp_path / "sorted")
    table = csv.DictReader(io.StringIO(imagette(*command).stdout))
    labels = {Path(row["file"]).name: row["label"] for row in table}
    found = {path.name: path.parent.name for path in (tmp_path / "sorted").glob("*/*.png")}
    assert found == labels
    assert len(found) == 300


def test_in_the_end_of_many_it_says_how_many_of_each(predict, tmp_path):
    for number in range(12):
        (tmp_path / f"{number}.png").write_bytes(noise(number))
    rows = predict(".", "--json", cwd=tmp_path)
    labels = [json.loads(line)["label"] for line in rows.stdout.splitlines()]
    assert rows.stderr == ""
    said = predict(".", cwd=tmp_path).stderr.splitlines()
    assert said[0].startswith("12 pictures answered in ")
    counts = {name: int(number) for number, name in (line.split() for line in said[1:])}
    assert counts == {label: labels.count(label) for label in labels}
    assert list(counts.values()) == sorted(counts.values(), reverse=True)
