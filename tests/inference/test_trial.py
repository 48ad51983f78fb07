"""Models from elsewhere: what a process of their own finds out, before they answer here."""

import os
import signal
import subprocess
import sys

import numpy as np
import psutil
import pytest
from support import hostile_models
from support.hostile_models import write_hostile
from support.running_server import wait_until
from support.tiny_bundle import write_bundle

from imagette.errors import ImagetteError, ModelError
from imagette.files import SHARED_VARIABLE
from imagette.inference import trial
from imagette.inference.bundle import SHIPPED, open_bundle
from imagette.inference.classifier import Classifier


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch, tmp_path):
    """Nothing has been tried on this machine yet."""
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(trial, "_done_well", set())


@pytest.fixture
def children(monkeypatch):
    """The trials there were."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    return started


REFUSED = {
    hostile_models.answers_infinity: "not from 0 to 1",
    hostile_models.adds_up_to_two: "add up to 1, but to 2",
    hostile_models.never_ends: "within 2 s, so it was stopped",
    hostile_models.takes_all_memory: "takes more than 0.3 GB of memory",
    hostile_models.takes_huge_pictures: "does not go from uint8 pictures",
}


@pytest.mark.slow
def test_models_that_must_not_be_let_in(tmp_path, monkeypatch, subtests):
    monkeypatch.setattr(trial, "SECONDS", 2)
    monkeypatch.setattr(trial, "_WAIT", 60)
    monkeypatch.setattr(trial, "BYTES", 300_000_000)
    for change, words in REFUSED.items():
        with subtests.test(change.__name__):
            path = write_hostile(tmp_path / f"{change.__name__}.onnx", change)
            with pytest.raises(ImagetteError, match=words) as caught:
                Classifier(path)
            assert str(path) in caught.value.problem


def test_a_model_is_tried_once_on_a_machine(tmp_path, monkeypatch, children):
    path = write_bundle(tmp_path / "a.onnx")
    assert open_bundle(path).path == path
    assert len(children) == 1
    assert children[0].poll() is not None

    copy = write_bundle(tmp_path / "b.onnx")
    assert open_bundle(copy).path == copy
    monkeypatch.setattr(trial, "_done_well", set())  # as in another process
    open_bundle(path)
    assert len(children) == 1

    other = write_bundle(tmp_path / "c.onnx", size=16)
    open_bundle(other)
    assert len(children) == 2


def test_models_that_ship_and_those_made_here_are_not_tried(tmp_path, children):
    for name in SHIPPED:
        open_bundle(name)
    path = write_bundle(tmp_path / "a.onnx")
    open_bundle(path, made_here=True)
    open_bundle(path)
    assert not children


def test_where_no_cache_can_be_written_models_open_all_the_same(tmp_path, monkeypatch, children):
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert open_bundle(write_bundle(tmp_path / "a.onnx")).height == 32
    assert len(children) == 1


def test_workers_of_a_server_share_what_a_trial_found(tmp_path, monkeypatch, children):
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv(SHARED_VARIABLE, str(tmp_path / "shared"))
    monkeypatch.setenv("IMAGETTE_CACHE_DIR", "/dev/null/none")
    good = write_bundle(tmp_path / "good.onnx")
    bad = write_hostile(tmp_path / "bad.onnx", hostile_models.answers_infinity)
    problems = set()
    for _ in range(2):
        monkeypatch.setattr(trial, "_done_well", set())  # another worker
        open_bundle(good)
        with pytest.raises(ImagetteError) as caught:
            open_bundle(bad)
        problems.add(caught.value.problem)
    assert len(problems) == 1
    assert len(children) == 2


def test_a_process_that_is_brought_down_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ImagetteError, match=r"crashes the process .* \(exit status 1\)"):
        open_bundle(write_bundle(tmp_path / "a.onnx"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_trial_ends_with_whoever_began_it(tmp_path):
    path = write_hostile(tmp_path / "a.onnx", hostile_models.never_ends)
    code = "import sys; from imagette.inference.bundle import open_bundle; open_bundle(sys.argv[1])"
    parent = subprocess.Popen([sys.executable, "-c", code, path])
    own = psutil.Process(parent.pid)
    try:
        wait_until(lambda: own.children())
        [child] = own.children()
        wait_until(lambda: child.cpu_times().user > 0.5)
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 15)


def test_a_model_that_fails_on_some_picture_says_so_then(tmp_path):
    classifier = Classifier(write_hostile(tmp_path / "a.onnx", hostile_models.fails_on_grey))
    assert classifier.predict(np.full((32, 32, 3), 99, np.uint8)).label
    with pytest.raises(ModelError, match=r"a\.onnx answers with numbers that are not from 0 to 1"):
        classifier.predict(np.full((32, 32, 3), 100, np.uint8))
