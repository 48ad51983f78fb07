"""Turns, fair between clients."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from support.running_server import wait_until

from imagette.serving.fair_queue import FairQueue, TooLongError


@pytest.fixture
def threads():
    with ThreadPoolExecutor(20) as pool:
        yield pool


def take(queue, client="a", amount=1, seconds=30.0, max_wait=1e9):
    return queue.take_turn(client, amount, time.monotonic() + seconds, max_wait)


def waiting(queue):
    return sum(len(one.waiting) for one in queue._clients.values())


def test_turns_take_no_more_than_the_capacity_together(threads):
    queue, second = FairQueue(10, at_once=5), None
    with take(queue, "a", 6):
        with take(queue, "b", 4):
            pass
        second = threads.submit(take, queue, "b", 5)
        wait_until(lambda: waiting(queue) == 1)
        assert not second.done()
        with pytest.raises(TimeoutError):
            take(queue, "c", 5, seconds=0.01)
    with second.result(10), pytest.raises(ZeroDivisionError), take(queue, "a", 5):
        raise ZeroDivisionError
    with take(queue, "a", 10):  # it was left, whatever happened inside
        pass


def test_a_client_does_not_have_the_last_turn(threads):
    queue = FairQueue(10, at_once=2)
    with take(queue, "a"):
        second = threads.submit(take, queue, "a")
        wait_until(lambda: waiting(queue) == 1)
        with take(queue, "b"):  # at once, though another waits already
            assert not second.done()
    with second.result(10):
        pass


def test_whoever_has_had_least_goes_next(threads):
    """One client asks for eight turns at a time, another for one after the other."""
    queue, done, order = FairQueue(1, at_once=1), Event(), []

    def work(client):
        with take(queue, client):
            order.append(client)
            time.sleep(0.01)

    def keep_working(client):
        while not done.is_set():
            work(client)

    asking = [threads.submit(keep_working, "many") for _ in range(8)]
    asking += [threads.submit(keep_working, "one")]
    wait_until(lambda: len(order) > 60)
    done.set()
    assert [each.result(10) for each in asking] == [None] * 9
    # Not one of nine: they differ by what each turn took more than another.
    assert 20 <= order[:60].count("one") <= 40


def test_time_away_is_not_saved_up(threads):
    queue, order = FairQueue(1, at_once=1), []

    def work(client):
        with take(queue, client):
            order.append(client)
            time.sleep(0.01)

    for _ in range(30):
        work("busy")
    with take(queue, "busy"):
        asking = [threads.submit(work, name) for name in ("new",) * 7 + ("busy",) * 2]
        wait_until(lambda: waiting(queue) == 9)
    assert [each.result(10) for each in asking] == [None] * 9
    assert "busy" in order[30:37]


def test_a_wait_that_would_be_too_long_is_told_at_once(threads):
    queue = FairQueue(1, at_once=1)
    with take(queue, "a"):  # it takes half a second, and so will the next, as far as one can tell
        time.sleep(0.5)
    with ExitStack() as stack:
        stack.enter_context(take(queue, "a"))
        kept = [threads.submit(take, queue, "a", 1, 30, 1e9) for _ in range(4)]
        wait_until(lambda: waiting(queue) == 4)
        with pytest.raises(TooLongError) as caught:
            take(queue, "a", max_wait=0.3)
        assert 0.3 < caught.value.seconds < 5
        # Another client's turn comes sooner than that of one who has five before.
        with pytest.raises(TooLongError) as sooner:
            take(queue, "b", max_wait=0)
        assert sooner.value.seconds < caught.value.seconds
    for each in kept:
        with each.result(10):
            pass
