"""The processes that decode large pictures for a worker."""

import os
import pickle
import subprocess
import sys
from contextlib import suppress
from threading import Lock
from typing import Any

from imagette.errors import ImageError
from imagette.serving.decoding_process import Answer, Job

PROGRAM = "imagette.serving.decoding_process"
"""The module that a process runs."""


class DecoderEndedError(Exception):
    """The process ended before it was done: its time was up, memory ran out, or it crashed."""


class Decoders:
    """Starts processes as they are needed, and keeps some for what comes next.

    Args:
        most: how many are kept.
        niceness: how far they stand back for others who want the processor.
    """

    def __init__(self, most: int, niceness: int) -> None:
        self._most = most
        self._niceness = niceness
        self._idle: list[subprocess.Popen[bytes]] = []
        self._lock = Lock()

    def run(self, job: Job) -> Any:
        """Have a picture decoded.

        Raises:
            ImageError: the picture cannot be read, or has too many pixels.
            DecoderEndedError: the process ended meanwhile.
        """
        process = self._take()
        try:
            answer = _ask(process, job)
        except BaseException:
            _end(process)
            raise
        self._put_back(process)
        if answer.problem:
            problem, remedy, too_large = answer.problem
            raise ImageError(problem, remedy, too_large=too_large)
        return answer.result

    def _take(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.poll() is None:
                    return process
                _end(process)
        return _start(self._niceness)

    def _put_back(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if len(self._idle) < self._most:
                self._idle.append(process)
                return
        _end(process)


def _start(niceness: int) -> subprocess.Popen[bytes]:
    # -P: what lies in the folder that the server was started in is not imported.
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {PROGRAM} import main; main({niceness})"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def _ask(process: subprocess.Popen[bytes], job: Job) -> Answer:
    assert process.stdin
    assert process.stdout
    try:
        pickle.dump(job, process.stdin, pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
        return pickle.load(process.stdout)
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise DecoderEndedError from error


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            with suppress(OSError):  # of what could not be written any more
                pipe.close()
