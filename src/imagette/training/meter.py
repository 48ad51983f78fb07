"""Means over an epoch."""

import time
from collections.abc import Callable

from torch import Tensor

from imagette.training.state import EpochProgress


class Meter:
    """Means of loss and accuracy over an epoch, reported a few times a second.

    Sums stay tensors, so that a GPU is not made to wait for every batch.
    """

    REPORT_SECONDS = 0.2

    def __init__(self, epoch: int, total: int, report: Callable[[EpochProgress], None]) -> None:
        self.epoch, self.total, self.report = epoch, total, report
        self.start = self.reported = time.perf_counter()
        self.images = 0
        self.loss: Tensor | float = 0.0
        self.right: Tensor | float = 0.0

    def add(self, logits: Tensor, labels: Tensor, loss: Tensor, done: float, left: float) -> None:
        """Add a step. `done` and `left` are seconds by the warm-up: of the epoch's steps so far,
        and of all to come. How long the former really took corrects the latter."""
        self.images += len(labels)
        self.loss += loss * len(labels)
        self.right += (logits.argmax(1) == labels).sum()
        if time.perf_counter() - self.reported > self.REPORT_SECONDS:
            self.reported = time.perf_counter()
            self.report(self.now(left * (self.reported - self.start) / done if done else 0.0))

    def now(self, left: float = 0.0) -> EpochProgress:
        return EpochProgress(
            epoch=self.epoch,
            images=self.images,
            total_images=self.total,
            loss=float(self.loss) / self.images,
            accuracy=float(self.right) / self.images,
            seconds=time.perf_counter() - self.start,
            seconds_left=left,
        )
