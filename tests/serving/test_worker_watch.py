"""Workers that end by themselves."""

import os
import signal
import sys
import time

import pytest
from support.running_server import RunningServer, wait_until

from imagette.serving.worker import has_loaded
from imagette.serving.worker_watch import WorkerWatch, describe_end


def test_the_pause_grows_and_a_worker_that_lived_long_starts_at_once(tmp_path, capsys):
    watch = WorkerWatch(2, tmp_path)
    has_loaded(tmp_path, 7).touch()
    pauses = []
    for lived in (5, 5, 5, 5, 100):
        watch.ended(0, 7, -signal.SIGKILL, lived)
        pauses.append(watch.seconds_until_due())
        time.sleep(0)
        watch._places[0].due = time.monotonic()  # as if the pause were over
        assert watch.due() == [0]
        assert watch.seconds_until_due() is None
    assert pauses[0] == pauses[4] == 0
    assert pauses[1] < pauses[2] < pauses[3]
    told = capsys.readouterr().err
    assert told.count("Worker 1 ended because it was killed (signal 9)") == 5
    assert "It starts again now." in told


def test_workers_have_failed_only_if_none_has_loaded(tmp_path):
    watch = WorkerWatch(2, tmp_path)
    for _ in range(3):
        watch.ended(0, 1, 1, 0.5)
    assert not watch.has_failed([2])
    for _ in range(3):
        watch.ended(1, 2, 1, 0.5)
    assert watch.has_failed([3])
    has_loaded(tmp_path, 3).touch()
    assert not watch.has_failed([3])
    watch.ended(0, 3, -signal.SIGKILL, 0.5)
    assert not watch.has_failed([4])


@pytest.mark.parametrize(
    ("status", "words"),
    [(-9, "memory"), (-11, "SIGSEGV"), (-200, "200"), (3, "status 3"), (None, "unknown")],
)
def test_why_a_worker_ended_is_told(status, words):
    assert words in describe_end(status)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_a_worker_that_is_killed_again_and_again_does_not_end_the_others(bundle_path):
    with RunningServer(bundle_path) as server:
        server.wait_until_ready()
        wait_until(lambda: len(server.descendants()) == 2)
        sound, victim = server.descendants()
        for _ in range(3):
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda old=victim: set(server.descendants()) - {sound, old})
            [victim] = set(server.descendants()) - {sound, victim}
        assert sound in server.descendants()
        wait_until(lambda: server.ask("GET", "/healthz")[0] == 200)
        ends = b'imagette_worker_ends_total{reason="killed"} 3.0'
        wait_until(lambda: ends in server.ask("GET", "/metrics")[2])
        server.process.terminate()
        status, printed = server.finish()
    assert status == 0, printed
    assert printed.count("was killed (signal 9), probably as memory ran out") == 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked there")
def test_workers_that_never_start_end_the_server(bundle_path, tmp_path, monkeypatch):
    # Read well by the parent, and by no worker.
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "def broken():\n"
        "    import imagette.serving.worker as worker\n"
        "    from imagette.errors import ImagetteError\n"
        "    def create_app(settings, kept_keys):\n"
        "        raise ImagetteError('The model broke.', 'Mend it.')\n"
        "    worker.create_app = create_app\n"
        "os.register_at_fork(after_in_child=broken)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    with RunningServer(bundle_path) as server:
        status, printed = server.finish(60)
    assert status == 1
    assert "The model broke. Mend it." in printed
    assert "The API stopped: its workers fail again and again." in printed
