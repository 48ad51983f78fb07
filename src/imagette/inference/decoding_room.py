"""How much memory several processes take for decoding at the same time."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

_SHARES = 128
"""Few enough that a socket holds a byte for each, even where each byte came alone."""


class DecodingRoom:
    """How many bytes pictures that are being decoded take together, over several processes.

    What is free lies in a socket, a byte for each share, and whoever decodes takes some out. Unlike
    semaphores of `multiprocessing`, sockets leave nothing behind when processes are killed.

    Args:
        size: bytes in all. A picture that takes less than a share of them is not counted.
    """

    def __init__(self, size: int) -> None:
        self._share = size / _SHARES
        self._free = socket.socketpair()
        self._turn = socket.socketpair()
        self._free[0].sendall(bytes(_SHARES))
        self._turn[0].sendall(bytes(1))

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait for room; what is larger than all of it waits until nothing else is decoded."""
        shares = min(_SHARES, int(size / self._share))
        if shares:
            self._turn[1].recv(1)  # two that each hold a part would wait for each other
            missing = shares
            while missing:
                missing -= len(self._free[1].recv(missing))
            self._turn[0].sendall(bytes(1))
        try:
            yield
        finally:
            if shares:
                self._free[0].sendall(bytes(shares))

    def close(self) -> None:
        """Give the sockets back."""
        for end in (*self._free, *self._turn):
            end.close()
