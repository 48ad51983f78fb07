"""The memory that a server has: how much there is, and giving back what is not used any more."""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")
_GROUP_OF_THIS = Path("/proc/self/cgroup")

# What a server holds when nothing is asked of it, and what requests hold beside the decoding of
# their pictures: measured with `python experiments/memory_under_attack.py`.
_OF_SERVER = 120_000_000
_OF_WORKER = 230_000_000
_SHARE = 0.9  # of what there is: threads, sockets, and what the kernel keeps for them
_FOR_DECODING = 0.87  # the rest is for the bodies of requests (`body_room.py`)
_FOR_PAGE = 1 / 8  # 1 GB of 8 GB: thirty times ten photos
_LEAST = 24_000_000
_IF_UNKNOWN = 2_000_000_000

_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of malloc.h
_LARGE_BLOCK = 1 << 20


def default_decoding_bytes(workers: int) -> int:
    """The memory that each of some workers may take to decode pictures, in bytes.

    That is its part of what this process may use, less what it takes besides.
    """
    limits = list(_limits())
    # Without one, others run on the same machine.
    usable = min(limits) * _SHARE if limits else (_machine_memory() or _IF_UNKNOWN) / 2
    of_worker = (usable - _OF_SERVER) / workers - _OF_WORKER
    return max(_LEAST, int(of_worker * _FOR_DECODING))


def page_upload_bytes() -> int:
    """The memory that what visitors send to the page may take there, in bytes."""
    return int(min(_limits(), default=_machine_memory() or _IF_UNKNOWN) * _FOR_PAGE)


def hand_back_freed_memory() -> None:
    """Have the C library hand large blocks back to the operating system once they are freed.

    glibc keeps what each thread has freed for that thread to use again: with many threads that
    decode pictures, each keeps those of its own. Other C libraries do without it.
    """
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).mallopt(_MMAP_THRESHOLD, _LARGE_BLOCK)


def _limits() -> Iterator[int]:
    """What containers, service managers and AWS Lambda set as the most that may be used."""
    with suppress(KeyError, ValueError):
        yield int(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]) * 1024**2
    machine = _machine_memory()
    for file in _limit_files():
        with suppress(OSError, ValueError):  # no such file, or `max`
            limit = int(file.read_text(encoding="ascii"))
            if machine is None or limit < machine:  # "no limit" is a large number
                yield limit


def _limit_files() -> Iterator[Path]:
    """The files that hold the limits of the control groups this process is in, if they exist."""
    try:
        lines = _GROUP_OF_THIS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        # Version 1 has a tree for memory alone, version 2 one for all.
        root = _GROUPS / "memory" if controllers else _GROUPS
        name = "memory.limit_in_bytes" if controllers else "memory.max"
        # In a container its own group is the root, whatever its path outside is.
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(root):
                yield folder / name


def _machine_memory() -> int | None:
    """Bytes of the machine; None where that is not told (Windows)."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
