"""Work that goes on beside a block of code."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event


@contextmanager
def beside(*works: Callable[[Event], object]) -> Iterator[None]:
    """Do each in a thread of its own until the block ends.

    Then the event that each was given is set, and all are waited for. An error in one of them is
    raised then, so that nothing is measured beside less work than there should be.
    """
    done = Event()
    with ThreadPoolExecutor(max(1, len(works))) as pool:
        under_way = [pool.submit(work, done) for work in works]
        try:
            yield
        finally:
            done.set()
    for one in under_way:
        one.result()
