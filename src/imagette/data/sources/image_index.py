"""A dataset before its pictures are decoded: which there are, and of which class each is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagette.data.dataset import Dataset, Split
from imagette.data.decode import decode
from imagette.errors import ImagetteError
from imagette.images.views import ViewName

Skipped = tuple[tuple[str, str], ...]
"""What was left out, each with the reason."""


@dataclass(frozen=True)
class ImageRef:
    """A picture that was found.

    Attributes:
        picture: its file, or a function that gives the bytes of one.
        label: the position of its class.
        path: what to call it: its path relative to the dataset, with forward slashes.
        stamp: belongs to this picture alone, and changes when it does.
        size: bytes of its file.
    """

    picture: Path | Callable[[], bytes]
    label: int
    path: str
    stamp: str
    size: int


def found_file(file: Path, label: int, path: str) -> ImageRef:
    """A picture in a file."""
    status = file.stat()
    # Archives give files the times they had elsewhere, which may all be the same: the whole path,
    # and `ctime`, when this file came to be, tell them apart (a folder that moved is decoded anew).
    stamp = f"{file.absolute()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return ImageRef(file, label, path, stamp, status.st_size)


@dataclass(frozen=True)
class ImageIndex:
    """Pictures that were found, by split.

    Attributes: as those of `Dataset`; `train` and `test` are what was found in place of `Split`.
    """

    name: str
    source: str
    class_names: tuple[str, ...]
    train: tuple[ImageRef, ...]
    test: tuple[ImageRef, ...] | None = None
    skipped: Skipped = ()
    licence: str = ""

    def load(self, size: int, view: ViewName = "whole", test_alone: bool = False) -> Dataset:
        """Decode all pictures.

        Args:
            size: the side in pixels that each is brought to.
            view: what of each picture.
            test_alone: leave the train split empty where there is a test split.

        Raises:
            ImagetteError: a class has no readable picture to learn from, or the test split none.
        """
        check_no_class_is_empty(self.class_names, {one.label for one in self.train}, self.source)
        learned = () if test_alone and self.test is not None else self.train
        train, skipped = _load_split(learned, size, view)
        if learned:
            check_no_class_is_empty(self.class_names, set(train.labels.tolist()), self.source)
        test = None
        if self.test is not None:
            test, test_skipped = _load_split(self.test, size, view)
            skipped += test_skipped
            check_test(test, self.source)
        return Dataset(
            name=self.name,
            source=self.source,
            class_names=self.class_names,
            class_names_fr=self.class_names,
            train=train,
            test=test,
            licence=self.licence,
            skipped=self.skipped + skipped,
        )


def check_no_class_is_empty(class_names: tuple[str, ...], labels: set[int], source: str) -> None:
    """Make sure that each class has a picture.

    Raises:
        ImagetteError: one has none.
    """
    for label, name in enumerate(class_names):
        if label not in labels:
            raise ImagetteError(
                f"No readable picture of the class {name} in {source}.",
                "Add pictures of it, or remove the class.",
            )


def check_test(test: Split, source: str) -> None:
    """Make sure that a test split has a picture.

    Raises:
        ImagetteError: it has none.
    """
    if not len(test):
        raise ImagetteError(
            f"The test split of {source} holds no readable picture.",
            "Add pictures to it, or remove it.",
        )


def check_classes(names: list[str], source: str, layout: str) -> None:
    """Make sure that there are classes to tell apart.

    Raises:
        ImagetteError: there are fewer than two.
    """
    if len(names) < 2:
        few = "a single class" if names else "no class"
        raise ImagetteError(f"{source} holds {few} of pictures; at least two are needed.", layout)


def _load_split(found: tuple[ImageRef, ...], size: int, view: ViewName) -> tuple[Split, Skipped]:
    images, unreadable = decode(
        [one.picture for one in found],
        size,
        stamp=[one.stamp for one in found],
        total_bytes=sum(one.size for one in found),
        view=view,
    )
    kept = [one for number, one in enumerate(found) if number not in unreadable]
    labels = np.array([one.label for one in kept], np.int64)
    skipped = tuple((found[number].path, reason) for number, reason in unreadable.items())
    return Split(images, labels, tuple(one.path for one in kept)), skipped
