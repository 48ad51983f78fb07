"""`imagette predict` on many pictures: stopped, killed, piped, without room, on a terminal."""

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from PIL import Image
from support.command_line import PROGRAM, imagette, imagette_here
from support.running_server import wait_until

SMALL, LARGE = 300, 24


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Small pictures, then large ones that take a while each; one cannot be read."""
    folder = tmp_path_factory.mktemp("many")
    for kind, side, number in (("a", 32, SMALL), ("b", 2000, LARGE)):
        first = folder / f"{kind}000.png"
        Image.new("RGB", (side, side), "red").save(first)
        for one in range(1, number):
            os.link(first, folder / f"{kind}{one:03}.png")
    (folder / "a100.png").unlink()
    (folder / "a100.png").write_bytes(b"none")
    return folder


def begin(folder, *options, **more) -> subprocess.Popen:
    """The command, while it runs."""
    command = [*PROGRAM, "predict", str(folder), *map(str, options)]
    return subprocess.Popen(command, text=True, stderr=subprocess.PIPE, **more)


def wait_for_rows(out: Path, process: subprocess.Popen) -> None:
    while not (out.is_file() and out.read_bytes().count(b"\n") > 1):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)


def names_in(out: Path) -> list[str]:
    if out.suffix == ".csv":
        return [line.partition(",")[0] for line in out.read_text().splitlines()[1:]]
    return [json.loads(line)["file"] for line in out.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "name"), [(signal.SIGINT, "rows.jsonl"), (signal.SIGKILL, "rows.csv")]
)
def test_what_was_stopped_goes_on(many, bundle_path, tmp_path, how, name):
    out = tmp_path / name
    options = ("--model", bundle_path, "--out", out)
    process = begin(many, *options)
    wait_for_rows(out, process)
    workers = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(how)
    said = process.communicate()[1]
    gone, left = psutil.wait_procs(workers, 10)
    assert (len(gone) >= 2, left) == (True, [])
    stopped = ""
    if how == signal.SIGINT:
        assert process.returncode == 130
        stopped = (
            f"Stopped after {len(names_in(out))} of {SMALL + LARGE} pictures; their answers are in"
            f" {out}. Go on with: imagette predict {many} --model {bundle_path} --out {out}\n"
        )
    assert said == stopped
    done = len(names_in(out))
    assert 0 < done < SMALL + LARGE
    with out.open("ab") as file:
        file.write(b'{"file": "a' if name == "rows.jsonl" else b"half of a ro")
    answer = imagette("predict", many, *options)
    assert answer.stdout == ""
    assert f"{done} pictures are already answered in {out}; going on" in answer.stderr
    assert f"{SMALL + LARGE - done} pictures answered in " in answer.stderr
    assert names_in(out) == [str(path) for path in sorted(many.iterdir())]
    whole = out.read_bytes()
    again = imagette_here("predict", many, *options)
    assert (answer.returncode, again.returncode) == (1, 1)  # one cannot be read, and that was said
    assert out.read_bytes() == whole


@pytest.mark.slow
def test_json_lines_come_as_they_are_found_and_a_closed_pipe_ends_it(many, bundle_path):
    process = begin(many, "--model", bundle_path, "--json", stdout=subprocess.PIPE)
    first = json.loads(process.stdout.readline())
    assert process.poll() is None
    assert first["file"] == str(many / "a000.png")
    process.stdout.close()
    said = process.stderr.read()
    assert (process.wait(60), said) == (1, "")


_SLOW_TO_BEGIN = """
import sys, time
if "--multiprocessing-fork" in sys.orig_argv:
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_its_processes_begin_it_says_so_and_no_more(many, bundle_path, tmp_path, how):
    (tmp_path / "sitecustomize.py").write_text(_SLOW_TO_BEGIN, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    out = tmp_path / "rows.csv"
    process = begin(
        many, "--model", bundle_path, "--out", out,
        env={**os.environ, "PYTHONPATH": path}, start_new_session=True,
    )  # fmt: skip
    wait_until(lambda: out.is_file() and out.read_bytes().count(b"\n"))  # the names of its columns
    time.sleep(1)  # it finds the pictures meanwhile; before, it ends without a word
    processes = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, how)  # as a terminal does, and a service manager
    said = process.communicate()[1]
    gone, left = psutil.wait_procs(processes, 10)
    assert (len(gone) >= 2, left) == (True, [])
    assert said.startswith(f"Stopped after 0 of {SMALL + LARGE} pictures; ")
    assert (process.returncode, said.count("\n")) == (130, 1)


@pytest.mark.slow
def test_without_room_what_was_written_stays(many, bundle_path, tmp_path):
    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    out = tmp_path / "rows.jsonl"
    answer = imagette("predict", many, "--model", bundle_path, "--out", out, preexec_fn=little_room)
    assert answer.returncode == 1
    problem, remedy = answer.stderr.splitlines()
    assert problem == f"Error: {out} could not be written: File too large."
    assert remedy.startswith("The answers so far are in it: free some space, then run the same")
    assert 0 < len(names_in(out)) < SMALL
    with Path("/dev/full").open("w") as full:
        process = begin(many, "--model", bundle_path, "--json", stdout=full)
        said = process.communicate()[1]
    problem, remedy = said.splitlines()
    assert problem == "Error: No space left on device."
    assert remedy.startswith("Check the disk")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pictures(bundle_path, tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "0000.png")
    for number in range(1, 4000):
        os.link(tmp_path / "0000.png", tmp_path / f"{number:04}.png")
    process = begin(tmp_path, "--model", bundle_path, "--json", stdout=subprocess.PIPE)
    memory = []
    for number, _ in enumerate(process.stdout):
        if number in (1000, 3900):
            program = psutil.Process(process.pid)
            running = [program, *program.children(recursive=True)]
            memory.append(sum(one.memory_info().rss for one in running))
    assert process.wait(60) == 0
    process.stderr.close()
    assert number == 3999
    assert memory[1] < 1.1 * memory[0]


_AT_ONCE = (  # without the second that a bar otherwise waits, to be worth a look
    "from imagette.cli import predict_progress; predict_progress._BAR_AFTER = 0;"
    " from imagette.__main__ import main; main()"
)


@pytest.mark.slow
def test_on_a_terminal_a_bar_says_how_far_it_is(bundle_path, tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "00.png")
    for number in range(1, 70):
        os.link(tmp_path / "00.png", tmp_path / f"{number:02}.png")
    for options in ([], ["--out", f"{tmp_path}/rows.csv"]):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", _AT_ONCE, "predict", str(tmp_path), *options]
        with subprocess.Popen(
            [*command, "--model", bundle_path], stdout=theirs, stderr=theirs,
            env={**os.environ, "TERM": "xterm"},
        ) as process:  # fmt: skip
            os.close(theirs)
            shown = b""
            with suppress(OSError):  # how Linux says that nobody holds the other end
                while part := os.read(ours, 65536):
                    shown += part
        os.close(ours)
        assert process.returncode == 0
        assert b"64 of 70 pictures" in shown
        assert b"/s, 0 s left" in shown
        for path in tmp_path.glob("*.png"):
            assert (f"  {path}".encode() in shown) == (not options)


def test_what_is_mistyped_is_told_before_anything_is_written(many, bundle_path, tmp_path):
    out = tmp_path / "rows.jsonl"
    missing = [tmp_path / "holydays", tmp_path / ("x" * 300), many / "a000.png" / "deeper"]
    answer = imagette_here("predict", many, *missing, "--model", bundle_path, "--out", out)
    assert (answer.returncode, answer.stdout) == (1, "")
    problem, remedy = answer.stderr.splitlines()
    assert problem == f"Error: There is no file or folder {', '.join(map(str, missing))}."
    assert remedy.startswith("Check how that is spelled")
    assert not out.exists()


def test_what_vanishes_in_a_folder_has_a_row(bundle_path, tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (32, 32), "red").save(folder / name)
    from imagette.inference import batch

    def vanish(*arguments):
        (folder / "a.png").unlink()
        return batch_predict_files(*arguments)

    batch_predict_files = batch.predict_files
    monkeypatch.setattr(batch, "predict_files", vanish)
    out = tmp_path / "rows.jsonl"
    answer = imagette_here("predict", folder, "--model", bundle_path, "--out", out)
    assert answer.returncode == 1
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [("error" in row, "label" in row) for row in rows] == [(True, False), (False, True)]


def test_answers_go_to_one_place(many, bundle_path, tmp_path):
    out = tmp_path / "rows.jsonl"
    answer = imagette_here("predict", many, "--model", bundle_path, "--json", "--out", out)
    assert answer.returncode == 1
    assert "Give one of them." in answer.stderr
    assert not out.exists()


@pytest.mark.slow
def test_what_comes_from_stdin_is_answered_each_time(many, bundle_path, tmp_path):
    out = tmp_path / "rows.csv"
    for times in (1, 2):
        with (many / "a000.png").open("rb") as file:
            answer = imagette("predict", "-", "--model", bundle_path, "--out", out, stdin=file)
        assert answer.returncode == 0
        assert answer.stderr.startswith("1 picture answered in ")
        assert names_in(out) == ["stdin"] * times


def test_names_of_files_do_not_steer_the_terminal(bundle_path, tmp_path):
    Image.new("RGB", (32, 32), "red").save(tmp_path / "a\x1b[2J.png")
    (tmp_path / "b\x1b[2J.png").write_bytes(b"none")
    answer = imagette_here("predict", tmp_path, "--model", bundle_path)
    assert f"  {tmp_path}/a\\x1b[2J.png" in answer.stdout
    assert answer.stderr.startswith(f"{tmp_path}/b\\x1b[2J.png cannot be read")
    assert "\x1b" not in answer.stdout + answer.stderr


def test_json_is_json_where_stdout_is_not_utf_8(bundle_path, tmp_path):
    path = tmp_path / "é 😀 \udcff \n.png"
    Image.new("RGB", (32, 32), "red").save(path)
    for encoding in ("utf-8", "latin-1"):
        answer = imagette(
            "predict", tmp_path, "--model", bundle_path, "--json",
            env={**os.environ, "PYTHONIOENCODING": encoding}, encoding="utf-8",
        )  # fmt: skip
        assert [json.loads(line)["file"] for line in answer.stdout.splitlines()] == [str(path)]
