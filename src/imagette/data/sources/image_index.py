"""A dataset of files, before they are decoded: which images there are, and of which classes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imagette.data.data_source import DataSource, RawSplit, Skipped
from imagette.data.dataset import Dataset, Split
from imagette.data.decode import decode
from imagette.errors import ImagetteError
from imagette.images.views import ViewName


@dataclass(frozen=True)
class ImageRef:
    """An image that was found.

    Attributes:
        image: its file, or a function that gives the bytes of one.
        class_name: the name of its class.
        path: what to call it: its path relative to the dataset, with forward slashes.
        stamp: belongs to this image alone, and changes when it does.
        size: bytes of its file.
    """

    image: Path | Callable[[], bytes]
    class_name: str
    path: str
    stamp: str
    size: int


def file_stamp(file: Path) -> tuple[str, int]:
    """What changes when a file does, and its size in bytes."""
    status = file.stat()
    # Archives give files the times they had elsewhere, which may all be the same: the whole path,
    # and `ctime`, when this file came to be, tell them apart (a folder that moved is decoded anew).
    stamp = f"{file.absolute()} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return stamp, status.st_size


def file_ref(file: Path, class_name: str, path: str) -> ImageRef:
    """An image in a file of its own."""
    return ImageRef(file, class_name, path, *file_stamp(file))


@dataclass(frozen=True)
class ImageIndex(DataSource):
    """Images that were found, by split.

    Attributes:
        train: those of the train split.
        test: those of the test split, or None where there is none, or where it has no labels: all
            of it is of one class, as Keras calls it `unknown`, that the train split does not have.
        validation: those of the validation split likewise.

    Raises:
        ImagetteError: there are fewer than two classes, or another split has one that the train
            split does not have.
    """

    train: tuple[ImageRef, ...]
    test: tuple[ImageRef, ...] | None = None
    validation: tuple[ImageRef, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for split in ("validation", "test"):
            classes = {ref.class_name for ref in getattr(self, split) or ()}
            unknown = classes - set(self.class_names)
            if getattr(self, split) is not None and unknown == classes and len(unknown) < 2:
                told = (f"the {split} split", "no picture in it has a class that is learned.")
                object.__setattr__(self, split, None)
                object.__setattr__(self, "skipped", (*self.skipped, told))
            elif unknown:
                raise ImagetteError(
                    f"{self.source} has a class {min(unknown)} in its {split} split that its train"
                    " split does not have.",
                    f"Use the same classes in train and {split}.",
                )

    @property
    def count(self) -> int:
        return len(self.refs)

    @property
    def refs(self) -> tuple[ImageRef, ...]:
        """The images of all splits."""
        return self.train + (self.validation or ()) + (self.test or ())

    @property
    def raw_train(self) -> RawSplit:
        return self._raw(self.train)

    @property
    def raw_validation(self) -> RawSplit | None:
        return None if self.validation is None else self._raw(self.validation)

    @property
    def raw_test(self) -> RawSplit | None:
        return None if self.test is None else self._raw(self.test)

    def _raw(self, refs: tuple[ImageRef, ...]) -> RawSplit:
        labels = {name: label for label, name in enumerate(self.class_names)}
        return RawSplit(
            [ref.image for ref in refs],
            np.array([labels[ref.class_name] for ref in refs], np.int64),
            tuple(ref.path for ref in refs),
        )

    def load(self, size: int, view: ViewName = "whole", test_only: bool = False) -> Dataset:
        self.check_classes(self.raw_train.labels)  # before they are decoded, which takes a while
        wanted = {"train": self.train, "validation": self.validation, "test": self.test}
        there = [split for split, refs in wanted.items() if refs is not None]
        splits: dict[str, Split] = {}
        skipped: Skipped = ()
        for split in there[-1:] if test_only else there:
            splits[split], more = self._decode(wanted[split] or (), size, view)
            skipped += more
        return Dataset.from_source(self, splits, skipped)

    def _decode(
        self, refs: tuple[ImageRef, ...], size: int, view: ViewName
    ) -> tuple[Split, Skipped]:
        raw = self._raw(refs)
        images, unreadable = decode(
            raw.images,
            size,
            stamp=[ref.stamp for ref in refs],
            total_bytes=sum(ref.size for ref in refs),
            view=view,
        )
        kept = [place for place in range(len(refs)) if place not in unreadable]
        skipped = tuple((refs[place].path, reason) for place, reason in unreadable.items())
        return Split(images, raw.labels[kept], tuple(refs[place].path for place in kept)), skipped
