"""Locks on files, by which the processes of a server tell each other what is under way.

They are the operating system's (flock), which lets go of them when the last process that has
inherited the open file is gone: none can be left behind.
"""

from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

AVAILABLE = fcntl is not None
"""Whether this operating system has such locks."""


def share_lock(path: Path) -> IO[bytes]:
    """The file, locked together with all who share it, until it is closed or the process ends."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_SH)
    return file


def wait_for_lock(path: Path) -> IO[bytes]:
    """The file, locked until it is closed, as soon as no other has it locked."""
    file = path.open("ab")
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


def try_lock(path: Path) -> IO[bytes] | None:
    """The file, locked until it is closed here and wherever it was inherited; None if it is."""
    file = path.open("ab")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError:
        file.close()
        raise
    return file


def is_locked(path: Path) -> bool:
    """Whether any process has the file locked; one that was deleted, folder and all, is not."""
    try:
        file = try_lock(path)
    except FileNotFoundError:
        return False
    if file:
        file.close()
    return file is None
