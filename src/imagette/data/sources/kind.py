"""What the registry knows of each kind of source."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from imagette.data.data_source import DataSource, RawSplit
from imagette.data.dataset import Dataset, Split
from imagette.images.views import ViewName

DataDir = str | Path | None
"""Where to look first for what would otherwise be downloaded."""


@dataclass(frozen=True)
class SourceKind:
    """A kind of source.

    Attributes:
        words: what to give for one, as the sentences say it that list all of them.
        recognises: whether a text or path is of this kind.
        open: opens it, without decoding its images.
        by_name: whether it is given by a name, which means the same in every folder.
        built_in: the name of a dataset that needs no files of one's own; empty for other kinds.
    """

    words: str
    recognises: Callable[[str | Path], bool]
    open: Callable[[str | Path, DataDir], DataSource]
    by_name: bool = False
    built_in: str = ""


def built_in_kind(name: str, remark: str, opened: Callable[[DataDir], DataSource]) -> SourceKind:
    """A dataset that is known by its name."""
    return SourceKind(
        f"`{name}` ({remark})", lambda source: source == name, lambda _, folder: opened(folder),
        by_name=True, built_in=name,
    )  # fmt: skip


def path_kind(
    words: str, recognises: Callable[[Path], bool], opened: Callable[[Path], DataSource]
) -> SourceKind:
    """Files of one's own."""
    return SourceKind(
        words, lambda source: recognises(Path(source)), lambda source, _: opened(Path(source))
    )


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
        return Dataset.from_source(self, *self.read())

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
