"""What decodes large pictures: a process of its own, below the others in priority.

Some decoders, that of JPEG 2000 above all, hold Python's global lock from beginning to end, so that
nothing else is answered meanwhile; and no thread can be stopped in the middle of its work. A
process can, by the system, and its memory goes with it.

It reads jobs from its standard input and writes what came of each to its standard output, until the
input ends. It imports no more than what decoding needs, so that it starts in a fifth of a second.
"""

import contextlib
import os
import pickle
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagette.errors import ImageError
from imagette.images.formats import ImageInput
from imagette.images.open_image import open_image
from imagette.serving.memory import hand_back_freed_memory


@dataclass(frozen=True)
class Job:
    """A picture to decode.

    Attributes:
        function: what to do with it, opened; a function of a module.
        content: the picture.
        max_pixels: as for `imagette.images.open_image.open_image`.
        at_least: likewise.
        arguments: what else the function takes.
        seconds: the process is ended by the system if it takes longer.
    """

    function: Callable[..., Any]
    content: ImageInput
    max_pixels: int
    at_least: int
    arguments: tuple[Any, ...]
    seconds: float

    def run(self) -> Any:
        """What the function gives.

        Raises:
            ImageError: the picture cannot be read, or has too many pixels.
        """
        opened = open_image(self.content, self.max_pixels, self.at_least)
        return self.function(opened, *self.arguments)


@dataclass(frozen=True)
class Answer:
    """What came of a job.

    Attributes:
        result: what the function gave, where there is no problem.
        problem: problem, remedy and `too_large` of an ImageError.
    """

    result: Any = None
    problem: tuple[str, str, bool] | None = None


def main(niceness: int) -> None:
    """Work until there is nothing more to do.

    Args:
        niceness: how far to stand back for others who want the processor.
    """
    # What a library prints must not get between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    _stand_back(niceness)
    hand_back_freed_memory()
    _watch_worker(answers.fileno())
    while True:
        try:
            job = pickle.load(sys.stdin.buffer)
        except EOFError:  # the worker has ended, and nobody waits for Python to take itself apart
            os._exit(0)
        _end_after(job.seconds)
        _end_with_worker(True)
        try:
            answer = Answer(job.run())
        except ImageError as error:
            answer = Answer(problem=(error.problem, error.remedy, error.too_large))
        _end_with_worker(False)
        _end_after(0)
        pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()


def _stand_back(niceness: int) -> None:
    """Leave the processor to others, and be the first to go where memory runs out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker ends in good order, then this
    if hasattr(os, "nice"):
        os.nice(niceness)
    if hasattr(signal, "SIGALRM"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM, signal.SIGTERM})
    with contextlib.suppress(OSError):  # Linux alone has it
        Path("/proc/self/oom_score_adj").write_text("1000")


def _watch_worker(answers: int) -> None:
    """Have the system send SIGIO when nobody waits for answers any more; where it can.

    It sends that while the worker reads an answer too, which is over before the next job comes.

    Args:
        answers: the pipe that the worker reads.
    """
    _end_with_worker(False)
    if hasattr(signal, "SIGIO"):
        import fcntl

        fcntl.fcntl(answers, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(answers, fcntl.F_SETFL, fcntl.fcntl(answers, fcntl.F_GETFL) | os.O_ASYNC)


def _end_with_worker(at_once: bool) -> None:
    """Let SIGIO end this process, which is in the middle of a job, or nothing."""
    if hasattr(signal, "SIGIO"):
        signal.signal(signal.SIGIO, signal.SIG_DFL if at_once else signal.SIG_IGN)


def _end_after(seconds: float) -> None:
    """Have the system end this process then, whatever it does; not at all if 0."""
    if hasattr(signal, "SIGALRM"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
