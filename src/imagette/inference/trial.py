"""Before a model from elsewhere answers here, it is tried out in a process of its own.

A file may hold a graph that never ends, that takes all memory, or that brings ONNX Runtime down,
and nothing tells but to run it. So a child process, `imagette.inference.try_bundle`, opens it and
asks it about a few pictures, within limits of time and memory; a model that does not stand that is
refused, and whoever asked for it goes on. A model that did well is remembered by its content, so
that the trial, a third of a second for a file of 5 MB, is paid once for each file on a machine.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from threading import Timer

import onnxruntime

from imagette.errors import ImagetteError
from imagette.files import SHARED_VARIABLE, cache_folder, shared_folder

SECONDS = 20
"""Of a processor, for a small file."""
BYTES = 1_000_000_000
"""Of memory, for a small file."""
_BYTES_A_SECOND = 20_000_000
_COPIES = 4
"""How many times its size a file may take in memory besides: while it is opened, its weights are
there as they came and as they are computed with."""
_WAIT = 5
"""A busy machine takes so many times as long as a processor of its own would."""

_VERSION = 1
"""Raised when a model is asked more than before, so that none counts as tried by less."""
_REFUSED_FOR = 60
"""Seconds that a refusal holds for the other workers of a server, told to load the same file."""
_OUT_OF_TIME = getattr(signal, "SIGXCPU", 0)  # Windows has none
_REMEDY = "Use another model; if this one is yours, see what its graph computes."

_done_well: set[str] = set()
"""Digests of what this process has tried out, or made."""


def try_out(content: bytes, path: Path, checksum: str) -> None:
    """See that a model opens and answers within the limits, unless that is known.

    Args:
        content: of its file.
        path: the file, as it is named where something is wrong.
        checksum: the SHA-256 of the content, in hexadecimal.

    Raises:
        ImagetteError: it is not a bundle this version can use, or does not keep to the limits.
    """
    digest = _digest(checksum)
    if _is_known(digest):
        return
    with _one_at_a_time(digest):
        if _is_known(digest):  # another process has tried it meanwhile
            return
        _raise_what_others_found(digest)
        try:
            _run_trial(content, path)
        except ImagetteError as error:
            _tell_others(digest, error)
            raise
        _remember(digest)


def remember(checksum: str) -> None:
    """Let a model, by the SHA-256 of its file, count as tried: this program has made it."""
    _remember(_digest(checksum))


def share(folder: Path) -> None:
    """Let the processes that this one starts know what it has tried, and each other.

    Args:
        folder: which is there.
    """
    os.environ[SHARED_VARIABLE] = str(folder)
    for digest in _done_well:
        (folder / digest).touch()


def _digest(checksum: str) -> str:
    """By what a model is known: another ONNX Runtime may fail where this one does not."""
    start = f"{_VERSION} {onnxruntime.__version__} ".encode()
    return sha256(start + bytes.fromhex(checksum)).hexdigest()


def _folders() -> list[Path]:
    """Where it is noted what did well."""
    shared = shared_folder()
    return [*([shared] if shared else []), cache_folder() / "tried"]


def _is_known(digest: str) -> bool:
    return digest in _done_well or any((folder / digest).exists() for folder in _folders())


def _remember(digest: str) -> None:
    _done_well.add(digest)
    for folder in _folders():
        with suppress(OSError):  # a cache that cannot be written, as in many containers
            folder.mkdir(parents=True, exist_ok=True)
            (folder / digest).touch()


@contextmanager
def _one_at_a_time(digest: str) -> Iterator[None]:
    """Let one worker of a server try a model, and the others wait for what it finds."""
    shared = shared_folder()
    if not shared:
        yield
        return
    from filelock import FileLock  # imported only here: most files are known

    with FileLock(shared / f"{digest}.lock"):
        yield


def _refusal(digest: str) -> Path | None:
    shared = shared_folder()
    return shared / f"{digest}.refused" if shared else None


def _raise_what_others_found(digest: str) -> None:
    refusal = _refusal(digest)
    if refusal and refusal.exists() and time.time() - refusal.stat().st_mtime < _REFUSED_FOR:
        raise ImagetteError(*json.loads(refusal.read_text(encoding="utf-8")))


def _tell_others(digest: str, error: ImagetteError) -> None:
    if refusal := _refusal(digest):
        with suppress(OSError):
            refusal.write_text(json.dumps([error.problem, error.remedy]), encoding="utf-8")


def _run_trial(content: bytes, path: Path) -> None:
    seconds = SECONDS + len(content) // _BYTES_A_SECOND
    most = BYTES + _COPIES * len(content)
    words = [str(path), str(seconds), str(most)]
    # -P: no file of the working folder takes the place of a module.
    command = [sys.executable, "-P", "-m", "imagette.inference.try_bundle", *words]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
    assert child.stdin is not None
    assert child.stdout is not None
    too_late = Timer(_WAIT * seconds, child.kill)
    too_late.daemon = True  # a worker that stops does not wait for it
    too_late.start()
    try:
        with suppress(BrokenPipeError):  # it ended before it had read all
            child.stdin.write(len(content).to_bytes(8, "big") + content)
            child.stdin.flush()
        # Its other end stays open meanwhile: where this process is gone, the child goes too.
        verdict = child.stdout.readline()
        is_late = not too_late.is_alive()
    finally:
        too_late.cancel()
        child.kill()
        child.communicate()
    if verdict:
        problem, remedy = json.loads(verdict)
        if problem:
            raise ImagetteError(problem, remedy)
    elif is_late or child.returncode == -_OUT_OF_TIME:
        raise ImagetteError(
            f"{path} does not answer about a few pictures within {seconds} s, so it was stopped.",
            _REMEDY,
        )
    else:
        raise ImagetteError(
            f"{path} crashes the process that tests it (exit status {child.returncode}).",
            _REMEDY,
        )
