"""The connections of this process' clients, as the operating system has them.

Granian, which holds them, says neither which there are nor how long a client leaves off in the
middle of a request, and waits for that one for ever. The system can be asked for both.
"""

import ctypes
import os
import socket
import stat
import struct
import sys
import time
from collections.abc import Generator
from contextlib import closing, suppress
from pathlib import Path

_SLOWEST = 10_000
"""Bytes a second: a large body that comes at least so fast may take its time."""

_MOST_CONNECTIONS = 8192
_OTHER_FILES = 512
"""Files that a worker may have open beside its connections."""


def allow_connections() -> int:
    """Let this process, and those that it starts, have many files open; how many connections."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _MOST_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_CONNECTIONS + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):  # macOS has a lower limit than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
            soft = limit
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MOST_CONNECTIONS
    return max(soft // 2, soft - _OTHER_FILES)


def has_clients(port: int) -> bool:
    """Whether anybody is connected to a port of this process."""
    with closing(_connections(port)) as found:
        return next(found, None) is not None


def stop_accepting(port: int) -> None:
    """Let nobody connect to a port any more, where the system can (Linux); all else goes on.

    When a socket that listens is closed, the system resets what has connected to it and was not
    taken yet, with the request that was sent. So it is told first to overlook those that begin to
    connect: they try again a second later, and find that nobody listens.
    """
    if sys.platform != "linux":
        return
    # In the language of packet filters: drop what has SYN among the flags of its TCP head.
    program = b"".join(
        struct.pack("HBBI", *one)
        for one in ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))
    )
    held = ctypes.create_string_buffer(program)
    attach = 26  # SO_ATTACH_FILTER
    for one in _sockets(port):
        if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            with suppress(OSError):  # a sandbox may not know it
                pointer = struct.pack("HL", len(program) // 8, ctypes.addressof(held))
                one.setsockopt(socket.SOL_SOCKET, attach, pointer)


def end_slow_requests(
    port: int, body_seconds: float, max_seconds: float, keep_alive_seconds: float, max_bytes: int
) -> None:
    """Watch the connections to a port for ever, and end requests that do not come (on Linux).

    Such a request is told to be at its end, as if the client had said so, and is answered. What is
    known of a connection is when bytes came and went last: a request under way had some come that
    nothing was answered to.

    Args:
        port: where clients connect.
        body_seconds: how long a request may take to come, and a second for each 10 kB.
        max_seconds: how long it may take from then on: it cannot be told when it had come whole.
        keep_alive_seconds: how long a connection may wait for another request.
        max_bytes: the largest body.
    """
    if sys.platform != "linux":
        return
    patience = body_seconds + max_seconds
    while True:
        time.sleep(min(5, body_seconds / 4))
        for one in _connections(port):
            with suppress(OSError):
                info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 136)
                # Of `struct tcp_info`: ms since bytes were sent and came last, bytes of both.
                sent_ago, came_ago = (struct.unpack_from("I", info, at)[0] / 1e3 for at in (44, 52))
                sent, came = struct.unpack_from("QQ", info, 120)
                stalls = came_ago > patience and (not sent or came_ago < sent_ago)
                may_idle = keep_alive_seconds if sent else 0
                may_take = patience + may_idle + min(came, max_bytes) / _SLOWEST
                if came and (stalls or sent_ago > may_take):
                    one.shutdown(socket.SHUT_RD)


def _connections(port: int) -> Generator[socket.socket]:
    for one in _sockets(port):
        with suppress(OSError):  # one that listens, or is closed already
            one.getpeername()
            yield one


def _sockets(port: int) -> Generator[socket.socket]:
    """Duplicates of this process' sockets on a port; each is closed before the next."""
    open_files = Path("/dev/fd")
    for file in list(open_files.iterdir()) if open_files.is_dir() else ():
        try:
            if not stat.S_ISSOCK(os.fstat(int(file.name)).st_mode):
                continue
            duplicate = os.dup(int(file.name))
        except OSError:  # closed meanwhile, or there are too many
            continue
        with socket.socket(fileno=duplicate) as one:
            is_of_port = one.family in (socket.AF_INET, socket.AF_INET6)
            if is_of_port and one.getsockname()[1] == port:
                yield one
