"""Datasets that are known by their names."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from imagette.data.data_source import DataSource, RawSplit
from imagette.data.dataset import Dataset, Split
from imagette.images.views import ViewName


@dataclass(frozen=True)
class BuiltIn(DataSource):
    """A dataset that is known by its name; its images are read when they are asked for.

    Attributes:
        total: how many images it has.
        read: gives its train split and its test split.
    """

    total: int
    read: Callable[[], tuple[Split, Split]]

    @cached_property
    def decoded(self) -> Dataset:  # type: ignore[override]
        train, test = self.read()
        return Dataset.from_source(self, {"train": train, "test": test})

    @property
    def count(self) -> int:
        return self.total

    @property
    def raw_train(self) -> RawSplit:
        return self.decoded.raw_train

    @property
    def raw_test(self) -> RawSplit | None:
        return self.decoded.raw_test

    def load(self, size: int, view: ViewName = "whole", test_only: bool = False) -> Dataset:
        return self.decoded.load(size, view, test_only)
