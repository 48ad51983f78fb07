"""What every source of labelled images offers, wherever the images come from."""

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from imagette.data.decode import Source
from imagette.errors import ImagetteError
from imagette.images.views import ViewName

if TYPE_CHECKING:
    from imagette.data.dataset import Dataset

Skipped = tuple[tuple[str, str], ...]
"""Files and folders that were left out, each with the reason, which does not repeat the path."""


class RawSplit(NamedTuple):
    """One split of a source, its images as they were found.

    Attributes:
        images: files, functions that give the bytes of one, or pixels `(height, width, 3)`.
        labels: int64 `(n,)`, positions in the source's `class_names`.
        paths: what to call each image; None where they do not come from files.
    """

    images: list[Source]
    labels: NDArray[np.int64]
    paths: tuple[str, ...] | None


@dataclass(frozen=True)
class DataSource(ABC):
    """A dataset that was found, before its images are decoded.

    Attributes:
        name: what to call it in titles and file names, such as `cifar10`.
        class_names: English names, in the order of the labels.
        class_names_fr: French names, in the same order; the English ones by default.
        source: what to give `load_dataset` to get it again, a name or a full path; `name` by
            default.
        licence: under what terms the images may be used, in a few words; empty if unknown.
        skipped: files and folders that were left out, by their paths within the dataset, each with
            the reason, which does not repeat the path.
        notes: what to know of how it was read, a sentence or two each.
        layout: how to lay out such a source, for whoever gave one with too few classes.

    Raises:
        ImagetteError: there are fewer than two classes, or their names do not fit one another.
    """

    name: str
    class_names: tuple[str, ...]
    _: KW_ONLY
    class_names_fr: tuple[str, ...] = ()
    source: str = ""
    licence: str = ""
    skipped: Skipped = ()
    notes: tuple[str, ...] = ()
    layout: str = "Give pictures of two classes or more."

    def __post_init__(self) -> None:
        object.__setattr__(self, "class_names_fr", self.class_names_fr or self.class_names)
        object.__setattr__(self, "source", self.source or self.name)
        classes = len(self.class_names)
        if classes < 2:
            few = "a single class" if classes else "no class"
            name = f", {self.class_names[0]}" if classes else ""
            problem = f"{self.source} holds {few} of pictures{name}; at least two are needed."
            if self.skipped:
                problem = f"{problem[:-1]} ({left_out(self.skipped)})."
            raise ImagetteError(problem, self.layout)
        if len(set(self.class_names)) != classes:
            twice = next(name for name in self.class_names if self.class_names.count(name) > 1)
            raise ImagetteError(
                f"Two classes are called {twice!r}.", "Give each class its own name."
            )
        if len(self.class_names_fr) != classes:
            raise ImagetteError(
                f"There are {classes} English class names but {len(self.class_names_fr)} French"
                " ones.",
                "Give a French name for each class, or none at all.",
            )

    @property
    @abstractmethod
    def count(self) -> int:
        """How many images there are in all splits, unreadable ones included."""

    @property
    @abstractmethod
    def raw_train(self) -> RawSplit:
        """The train split, its images as they were found."""

    @property
    def raw_validation(self) -> RawSplit | None:
        """The validation split that comes with the source, or None where there is none."""
        return None

    @property
    @abstractmethod
    def raw_test(self) -> RawSplit | None:
        """The test split likewise, or None where there is none."""

    @property
    def raw_splits(self) -> dict[str, RawSplit]:
        """The splits there are, by name: train, validation, test."""
        named = {
            "train": self.raw_train, "validation": self.raw_validation, "test": self.raw_test,
        }  # fmt: skip
        return {name: split for name, split in named.items() if split is not None}

    @property
    def decoded(self) -> "Dataset | None":
        """The dataset in the size that it has, where its images need no decoding."""
        return None

    @abstractmethod
    def load(self, size: int, view: ViewName = "whole", test_only: bool = False) -> "Dataset":
        """Decode all images.

        Args:
            size: the side in pixels that each is brought to.
            view: what of each image: all of it, squashed, or the largest square in its middle.
            test_only: load nothing but what a model is measured on: the test split or, where there
                is none, the validation split; without either, the train split.

        Raises:
            ImagetteError: a class has no readable image to learn from, or another split none.
        """

    def check_classes(self, labels: NDArray[np.int64], unreadable: Skipped = ()) -> None:
        """Make sure that each class has an image to learn from.

        Args:
            labels: of the images of the train split that can be read, `(n,)`.
            unreadable: the others.

        Raises:
            ImagetteError: a class has none.
        """
        counts = np.bincount(labels, minlength=len(self.class_names))
        if counts.all():
            return
        raw, empty = self.raw_train, int(counts.argmin())
        chosen = raw.labels == empty if len(labels) else np.full(len(raw.labels), True)
        where = f"in {self.source}"
        if len(labels):
            where = f"of the class {self.class_names[empty]} {where}"
        paths = {path for path, its in zip(raw.paths or (), chosen, strict=False) if its}
        why = [f"{path}: {reason}" for path, reason in unreadable if path in paths]
        problem = f"No readable picture {where}."
        if len(why) == 1:
            problem = f"The only picture {where} cannot be read: {why[0]}"
        elif why:
            problem = f"None of the {len(why):,} pictures {where} can be read: {why[0]}"
        remedy = "Add pictures of it, or remove the class."
        if not len(labels):
            remedy = "Replace them with the pictures themselves."
        raise ImagetteError(problem, remedy)


def left_out(skipped: Skipped) -> str:
    """How many files and folders were left out, with the first one and why."""
    path, reason = skipped[0]
    more = f"; {len(skipped) - 1:,} more left out" if len(skipped) > 1 else ""
    return f"left out: {path}: {reason.rstrip('.')}{more}"
