"""Clients that begin to send a body, and leave off."""

import itertools
import socket
import sys
from contextlib import ExitStack, contextmanager

import pytest


@contextmanager
def stalled_bodies(port: int, count: int, source: str, *heads: list[str]):
    """So many requests whose bodies do not come, from another address of this machine.

    Args:
        port: of the server.
        count: how many.
        source: the address.
        heads: lines of a head, of which each request has one in turn.
    """
    if sys.platform != "linux":
        pytest.skip("only Linux has all of 127.0.0.0/8")
    with ExitStack() as stack:
        for lines in itertools.islice(itertools.cycle(heads), count):
            one = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
            stack.enter_context(one)
            is_chunked = any("chunked" in line for line in lines)
            length = [] if is_chunked else ["Content-Length: 1000"]
            head = ("POST /predict HTTP/1.1", "Host: x", *length, *lines)
            one.sendall("\r\n".join((*head, "", "4" if is_chunked else "some", "")).encode())
        yield
