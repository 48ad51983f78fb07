"""Fetch what lies behind a network some items ahead of what is needed."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import Condition
from typing import TypeVar

_AT_ONCE = 16
"""Items that are fetched at the same time."""
_BYTES = 128_000_000
"""Of those that are fetched and not needed yet; of one larger one, where it is the next."""

Item = TypeVar("Item")
Content = TypeVar("Content")


class Room:
    """The memory for files that are fetched ahead, which are answered in the order of numbers."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._sizes: dict[int, int] = {}
        self._next = 0
        self._is_closed = False

    def enter(self, number: int, size: int) -> None:
        """Wait until a file has its place: until there is room, or it is the next."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._is_closed
                    or number == self._next
                    or number in self._sizes  # asked for again
                    or sum(self._sizes.values()) + size <= _BYTES
                )
            )
            self._sizes[number] = size

    def leave(self) -> None:
        """The next file is answered."""
        with self._changed:
            self._sizes.pop(self._next, None)
            self._next += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing is answered any more, so nothing is to wait."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


def read_ahead(
    fetch: Callable[[Item, int, Room], Content], items: Sequence[Item]
) -> Iterator[Content]:
    """Fetch some items at the same time, and give them in their order.

    Args:
        fetch: is called in threads with an item, its number, and the room, which it enters with
            the bytes that it is about to fetch.
        items: what to fetch.

    Raises:
        Exception: what `fetch` raises.
    """
    if not items:
        return
    room = Room()
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        waiting = enumerate(items)

        def submit(most: int) -> list[Future[Content]]:
            some = islice(waiting, most)
            return [threads.submit(fetch, one, number, room) for number, one in some]

        under_way = deque(submit(2 * _AT_ONCE))
        try:
            while under_way:
                content = under_way.popleft().result()
                under_way.extend(submit(1))
                yield content
                del content
                room.leave()
        finally:
            room.close()
            threads.shutdown(cancel_futures=True)
