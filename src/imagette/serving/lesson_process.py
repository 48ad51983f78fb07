"""The process that watches over the training of one lesson, from its start to its outcome.

Run as a program, it starts the training as its child and ends that when its time is up, when
the file `cancel` appears, when the lesson is deleted, or when no server is left that could tell
anybody of it. Whatever comes of it stands in the lesson's `training.json`, so that the worker that
started it may die meanwhile, and any other can answer.

It inherits open files that are locked (see `locks`): as long as it, or the training, lives, they
stay so, and nothing else has to be asked whether it does.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from imagette.errors import ImagetteError
from imagette.files import write_json
from imagette.serving.locks import is_locked

CANCEL = "cancel"
"""The file in a lesson's folder that ends its training."""

_SECONDS_BETWEEN_LOOKS = 0.2
_SECONDS_TO_END = 3  # for a training that was told to; then it is killed
_SECONDS_WITHOUT_SERVER = 5  # a worker that was killed is replaced meanwhile
_KEPT = ("history.csv", "model.onnx")  # of a run, which has the network several times
_NICENESS = 5  # answers come first

Outcome = dict[str, Any]


def main() -> None:
    """`lesson_process FOLDER SERVERS SECONDS LOCK... -- COMMAND...`.

    FOLDER is the lesson's, SERVERS the file that every server holds a lock on, SECONDS how long the
    training may take, and each LOCK the number of an open file to keep locked.
    """
    end = sys.argv.index("--")
    folder, servers, seconds, *locks = sys.argv[1:end]
    watch_over(
        Path(folder),
        Path(servers),
        float(seconds),
        [int(lock) for lock in locks],
        sys.argv[end + 1 :],
    )


def watch_over(
    folder: Path, servers: Path, seconds: float, locks: list[int], command: list[str]
) -> None:
    """Run the training of a lesson and write down what came of it.

    Args:
        folder: the lesson's; the command leaves a run called `attempt` in it.
        servers: the file that every server holds a lock on.
        seconds: how long it may take.
        locks: numbers of open files that the training keeps locked too.
        command: what trains.
    """
    started = time.time()
    outcome = _run(folder, servers, seconds, locks, command)
    if outcome["state"] == "finished":
        outcome = _keep(folder)
    shutil.rmtree(folder / "attempt", ignore_errors=True)
    if not is_lesson(folder):
        # It was deleted; what the training wrote at its end goes too.
        shutil.rmtree(folder, ignore_errors=True)
        return
    with suppress(ImagetteError):  # a full disk: then it counts as broken off
        write_json(
            folder / "training.json",
            outcome | {"started": started, "seconds": round(time.time() - started, 1)},
        )


def _keep(folder: Path) -> Outcome:
    """Put what is needed of the attempt in the place of the run there was."""
    run = folder / "run"
    try:
        run.mkdir(exist_ok=True)
        for name in _KEPT:
            (folder / "attempt" / name).replace(run / name)
    except OSError as error:
        return _failed(f"What was learned was not kept ({error.strerror}).", "Start it again.")
    return {"state": "finished"}


def is_lesson(folder: Path) -> bool:
    """Whether the folder holds a lesson."""
    return (folder / "lesson.json").is_file()


def _run(
    folder: Path, servers: Path, seconds: float, locks: list[int], command: list[str]
) -> Outcome:
    deadline, seen = time.monotonic() + seconds, time.monotonic()
    with (folder / "train.log").open("wb") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=locks,
            process_group=0,
            preexec_fn=_prepare(os.getpid()),
        )
    while child.poll() is None:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
        now = time.monotonic()
        with suppress(OSError):  # a disk that fails for a moment is no server that ended
            if is_locked(servers):
                seen = now
        if not is_lesson(folder) or (folder / CANCEL).exists():
            outcome = {"state": "cancelled"}
        elif now > deadline:
            outcome = _failed(
                f"It took longer than the {seconds:g} s that this server allows.",
                "Try with fewer pictures, or ask whoever runs the server for more time.",
            )
        elif now > seen + _SECONDS_WITHOUT_SERVER:
            outcome = _failed("The server was stopped meanwhile.", "Start the training again.")
        else:
            continue
        _end(child)
        return outcome
    if child.returncode == 0 and (folder / "attempt" / "model.onnx").is_file():
        return {"state": "finished"}
    return _failed(*read_error(folder))


def _prepare(parent: int) -> Callable[[], None]:
    """What the child does before it runs its command: be modest, and die with its parent."""

    def prepare() -> None:
        os.nice(_NICENESS)
        if sys.platform == "linux":
            import ctypes

            die_with_parent = 1  # PR_SET_PDEATHSIG of prctl(2)
            ctypes.CDLL(None).prctl(die_with_parent, signal.SIGKILL)
            if os.getppid() != parent:  # it is dead already
                os._exit(1)

    return prepare


def _failed(problem: str, remedy: str) -> Outcome:
    return {"state": "failed", "problem": problem, "remedy": remedy}


def _end(child: subprocess.Popen) -> None:
    """End the child and whatever it started, kindly at first."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(_SECONDS_TO_END)
    with suppress(ProcessLookupError, PermissionError):  # macOS, where only zombies are left
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def read_error(folder: Path) -> tuple[str, str]:
    """Problem and remedy as the training's last words have them."""
    with suppress(OSError):
        text = (folder / "train.log").read_text("utf-8", errors="replace")
        # Nobody needs to know where on this machine the pictures lie.
        lines = [line.strip() for line in text.replace(f"{folder}{os.sep}", "").splitlines()]
        for place in range(len(lines) - 2, -1, -1):
            if lines[place].startswith("Error: "):
                return lines[place].removeprefix("Error: "), lines[place + 1]
    return (
        "The training broke off.",
        "Start it again; if it breaks off again, ask whoever runs the server whether memory or"
        " disk is short.",
    )


if __name__ == "__main__":
    main()
