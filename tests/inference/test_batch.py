"""Many pictures by file: the same answers as one by one, in order, whatever their sizes."""

import multiprocessing
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imagette.errors import ImagetteError
from imagette.inference.answering_processes import available_cores
from imagette.inference.batch import answer_pictures, predict_files
from imagette.inference.classifier import Classifier
from imagette.inference.decoding_room import DecodingRoom


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures of one view and of three, and files that are none, in turns."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for number in range(40):
        size = (32, 32) if number % 3 else (90, 70)
        pixels = rng.integers(0, 256, (size[1], size[0], 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    (folder / "07.png").write_bytes(b"no picture")
    (folder / "39.png").write_bytes(b"")
    return folder


def pictures_of(folder: Path, times: int = 1) -> list[tuple[str, str]]:
    return [(str(path), str(path)) for path in sorted(folder.iterdir())] * times


def check(rows, classifier, pictures):
    assert [row["file"] for row in rows] == [name for name, _ in pictures]
    for row in rows:
        assert row["model"] == "m"
        if Path(row["file"]).name in ("07.png", "39.png"):
            assert row.keys() == {"file", "error", "remedy", "model"}
            continue
        alone = classifier.predict(row["file"])
        assert (row["label"], row["index"]) == (alone.label, alone.index)
        assert row["probabilities"] == pytest.approx(alone.probabilities, abs=1e-5)


def test_answers_are_those_of_each_picture_alone(folder, bundle_path, monkeypatch):
    classifier, pictures = Classifier(bundle_path), pictures_of(folder)
    check(list(answer_pictures(classifier, iter(pictures), "m")), classifier, pictures)
    # Two views at once: a picture of three is still answered.
    monkeypatch.setattr("imagette.inference.batch.default_batch_size", lambda *_: 2)
    check(list(answer_pictures(classifier, iter(pictures), "m")), classifier, pictures)


def test_no_more_is_decoded_than_the_network_takes_at_once(folder, bundle_path):
    asked = []

    def pictures():
        for picture in pictures_of(folder, 20):
            asked.append(picture)
            yield picture

    rows = answer_pictures(Classifier(bundle_path), pictures(), "m")
    next(rows)
    assert len(asked) <= 257
    assert len(list(rows)) == 799


@pytest.mark.slow
def test_processes_answer_in_order_and_end_with_who_asked(folder, bundle_path):
    classifier = Classifier(bundle_path)
    pictures = [("bytes", (folder / "00.png").read_bytes()), *pictures_of(folder, 10)]
    alone = [row for rows in predict_files(classifier, pictures, 1) for row in rows]
    together = [row for rows in predict_files(classifier, pictures, 2) for row in rows]
    assert together == alone
    threads = threading.enumerate()
    stopped = predict_files(classifier, pictures, 2)
    next(stopped)
    assert len(multiprocessing.active_children()) == 2
    assert threading.enumerate() == threads  # which could fail while the program ends
    stopped.close()
    assert not multiprocessing.active_children()


def test_a_container_has_the_cores_that_it_may_use(tmp_path, monkeypatch):
    limit = tmp_path / "cpu.max"
    monkeypatch.setattr("imagette.inference.answering_processes._CPU_LIMIT", limit)
    cores = available_cores()
    for text, most in (("max 100000\n", cores), ("50000 100000\n", 1), ("150000 100000\n", 2)):
        limit.write_text(text, encoding="ascii")
        assert available_cores() == min(cores, most)


_LEFT_EARLY = """
import sys
from imagette.inference.batch import predict_files
from imagette.inference.classifier import Classifier

if __name__ == "__main__":
    answers = predict_files(Classifier(sys.argv[1]), [("a", sys.argv[2])] * 400, 2)
    print(len(next(answers)))
"""


@pytest.mark.slow
def test_a_program_that_leaves_answers_ends(folder, bundle_path, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(_LEFT_EARLY, encoding="utf-8")
    command = [sys.executable, str(program), str(bundle_path), str(folder / "00.png")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr, ended.returncode) == ("32\n", "", 0)


@pytest.mark.slow
def test_a_process_that_is_killed_is_said(folder, bundle_path):
    rows = predict_files(Classifier(bundle_path), pictures_of(folder, 20), 2)
    next(rows)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(ImagetteError, match=r"was killed, most likely because memory ran out\."):
        list(rows)


def test_there_is_room_for_so_many_bytes_that_are_decoded():
    room = DecodingRoom(100)
    order = []

    def decode(size):
        with room.take(size):
            order.append(size)

    with room.take(60), room.take(40):
        waiting = [threading.Thread(target=decode, args=[size]) for size in (41, 1000)]
        for thread in waiting:
            thread.start()
        waiting[0].join(0.1)
        assert order == []
    for thread in waiting:
        thread.join(10)
    assert sorted(order) == [41, 1000]  # one that is larger than the room is decoded alone
    room.close()
