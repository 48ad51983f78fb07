"""How commands that take long are stopped."""

import signal
import sys
from unittest import mock

import pytest
import typer

from imagette.cli.console import print_line, print_table, say, stoppable
from imagette.cli.step_progress import StepProgress

if sys.platform == "win32":
    pytest.skip("Windows has no such terminal", allow_module_level=True)
from support.terminal import Terminal

SLOW = """
import time
from imagette.data import explore
explore.explore = lambda *_: (print("looking", flush=True), time.sleep(60))
from imagette.__main__ import main
main()
"""


@pytest.fixture
def _handlers():
    """The handlers of signals as they were: after a stop a command ignores others."""
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)}
    yield
    for one, handler in before.items():
        signal.signal(one, handler)


@pytest.mark.usefixtures("_handlers")
def test_what_a_module_in_c_makes_of_a_stop_is_a_stop():
    said = []

    def load() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as stop:
            raise ImportError("it could not be loaded") from stop

    with pytest.raises(typer.Exit) as end, stoppable(lambda: said.append("Stopped.")):
        load()
    assert (end.value.exit_code, said) == (130, ["Stopped."])
    signal.raise_signal(signal.SIGINT)  # a second one finds nothing left to stop


def test_other_errors_stay_what_they_are():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ImportError), stoppable():
        raise ImportError
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_exploring_is_stopped_with_a_sentence(tmp_path):
    terminal = Terminal([sys.executable, "-c", SLOW, "explore", "digits"], tmp_path)
    terminal.wait_for("looking")
    terminal.press_ctrl_c()
    assert terminal.finish() == 130
    assert "Stopped; no page was written." in terminal.shown
    assert "Traceback" not in terminal.shown
    assert list(tmp_path.iterdir()) == []


def test_steps_that_take_longer_make_those_to_come_longer(monkeypatch):
    clock = iter([0.0, 0.0, 20.0, 20.0])
    time = mock.Mock(monotonic=lambda: next(clock))
    monkeypatch.setattr("imagette.cli.step_progress.time", time)
    steps = StepProgress()
    steps.plan({"saving": 10.0, "measuring": 5.0})
    assert (steps.total, steps._slowness) == (15.0, 1.0)
    steps.begin("saving")
    steps.begin("measuring")
    assert steps.left == pytest.approx(10)


def test_names_stay_what_they_are(capsys):
    print_line("a :smile: [b]")
    say("c :smile: [b]")
    print_table(["class"], [[":smile: [b]"]])
    printed = capsys.readouterr()
    assert printed.err == "c :smile: [b]\n"
    assert printed.out.startswith("a :smile: [b]\n")
    assert ":smile: [b]" in printed.out.partition("class")[2]
