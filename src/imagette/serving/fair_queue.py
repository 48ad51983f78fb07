"""Turns, shared fairly between clients.

Whoever has had the least time goes next, so that a client who asks for much gets its share, and no
more than that while others wait; as schedulers of processes do (start-time fair queueing).
"""

import time
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from threading import Event, Lock

_FIRST_GUESS = 0.05
"""Seconds that a turn takes, before one was measured."""

_MOST_CLIENTS = 1000
"""How many clients that neither wait nor have a turn are remembered."""


class TooLongError(Exception):
    """A turn would come later than whoever asks would wait.

    Args:
        seconds: how long it would take, about.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s")
        self.seconds = seconds


@dataclass(eq=False)
class _Client:
    """A client of the queue.

    Attributes:
        used: seconds of turns that it has had; of one who was away, as many as the others have.
        mean: seconds that one of its turns takes.
        running: turns that it has now.
        waiting: turns that it waits for.
    """

    used: float
    mean: float
    running: int = 0
    waiting: "deque[Turn]" = field(default_factory=deque)

    @property
    def is_idle(self) -> bool:
        return not self.running and not self.waiting

    @property
    def pending(self) -> float:
        """Seconds that its turns will take, about."""
        return (self.running + len(self.waiting)) * self.mean


class FairQueue:
    """So many turns at once, which together take no more than a capacity.

    No client has the last of the turns that there may be at once, where there may be several, so
    that another who comes does not wait for those to end.

    Args:
        capacity: the most that the turns under way may take together, in bytes, say.
        at_once: the most turns under way.
        while_waiting: a context that each wait for a turn is in.
    """

    def __init__(
        self,
        capacity: int,
        at_once: int,
        while_waiting: AbstractContextManager[object] | None = None,
    ) -> None:
        self._while_waiting = while_waiting or nullcontext()
        self.capacity = capacity
        self._free = capacity
        self._at_once = at_once
        self._of_one_client = max(1, at_once - 1)
        self._running = 0
        self._clients: dict[str, _Client] = {}
        self._floor = 0.0
        self._mean = _FIRST_GUESS
        self._lock = Lock()

    def take_turn(self, client: str, amount: int, deadline: float, max_wait: float) -> "Turn":
        """Wait for a turn.

        Args:
            client: who asks.
            amount: how much of the capacity the turn takes, at most all of it.
            deadline: until when to wait, by `time.monotonic`.
            max_wait: seconds that whoever asks would wait.

        Returns:
            The turn, which lasts until the block ends that it is a context of.

        Raises:
            TooLongError: the turn would come later than `max_wait`. This is told at once.
            TimeoutError: the deadline passed before the turn came.
        """
        with self._lock:
            one = self._find(client)
            if (expected := self._expected_wait(one)) > max_wait:
                raise TooLongError(expected)
            turn = Turn(self, one, amount)
            one.waiting.append(turn)
            self._call_next()
        if not turn.called.is_set():
            with self._while_waiting:
                self._wait(turn, deadline)
        return turn

    def _wait(self, turn: "Turn", deadline: float) -> None:
        if turn.called.wait(max(0.0, deadline - time.monotonic())):
            return
        with self._lock:
            if turn.called.is_set():  # at the last moment
                return
            turn.client.waiting.remove(turn)
            self._call_next()  # it may have been this one that did not fit
        raise TimeoutError

    def _find(self, name: str) -> _Client:
        one = self._clients.get(name)
        if one is None:
            if len(self._clients) > _MOST_CLIENTS:
                self._clients = {n: c for n, c in self._clients.items() if not c.is_idle}
            one = self._clients[name] = _Client(self._floor, self._mean)
        if one.is_idle:  # time away is not saved up
            one.used = max(one.used, self._floor)
        return one

    def _call_next(self) -> None:
        """Give turns to those whose turn it is, as far as there is room."""
        while self._running < self._at_once:
            ready = [
                one
                for one in self._clients.values()
                if one.waiting and one.running < self._of_one_client
            ]
            if not ready:
                return
            one = min(ready, key=lambda each: each.used)
            # Others that would fit do not overtake it, or it might wait for ever.
            if one.waiting[0].amount > self._free:
                return
            turn = one.waiting.popleft()
            one.running += 1
            self._running += 1
            self._free -= turn.amount
            self._floor = max(self._floor, one.used)
            turn.began = time.monotonic()
            turn.called.set()

    def end(self, turn: "Turn") -> None:
        """End a turn; `Turn` does it."""
        seconds, one = time.monotonic() - turn.began, turn.client
        with self._lock:
            one.running -= 1
            self._running -= 1
            self._free += turn.amount
            one.used += seconds
            one.mean += (seconds - one.mean) / 4
            self._mean += (seconds - self._mean) / 16
            self._call_next()

    def _expected_wait(self, one: _Client) -> float:
        """Seconds until a client's next turn would come, about."""
        # Of each other client no more goes ahead than this one will have had by then.
        share = one.pending + one.mean
        others = sum(
            min(each.pending, max(share, each.mean))
            for each in self._clients.values()
            if each is not one and not each.is_idle
        )
        if self._running < self._at_once and one.running < self._of_one_client and not one.waiting:
            return 0.0
        return one.pending / self._of_one_client + others / self._at_once


@dataclass(eq=False)
class Turn:
    """A turn, waited for or under way; it ends with the block that it is a context of.

    Attributes:
        queue: what gave it.
        client: whose turn it is.
        amount: how much of the queue's capacity it takes.
        called: set once it has come.
        began: when that was, by `time.monotonic`.
    """

    queue: FairQueue
    client: _Client
    amount: int
    called: Event = field(default_factory=Event)
    began: float = 0.0

    def __enter__(self) -> None:
        """Nothing: the turn has come."""

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.queue.end(self)
