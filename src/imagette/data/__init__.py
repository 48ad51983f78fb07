"""Where pictures come from: CIFAR-10, the digits that scikit-learn carries, or one's own."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from imagette.data.dataset import Dataset, Split, split_validation
from imagette.data.sources.image_index import ImageIndex
from imagette.errors import ImagetteError
from imagette.images.views import ViewName

__all__ = ["BUILT_IN", "Dataset", "Split", "find_pictures", "load_dataset", "split_validation"]

BUILT_IN = ("cifar10", "digits")
"""Names that `load_dataset` knows; anything else is somebody's own pictures."""

SIZE = 32
"""The side in pixels that pictures are brought to where nothing else is asked for."""


def load_dataset(
    source: str | Path = "cifar10",
    data_dir: str | Path | None = None,
    size: int | None = None,
    view: ViewName = "whole",
    test_alone: bool = False,
) -> Dataset:
    """Load labelled pictures.

    Args:
        source: `cifar10`, `digits`, or one's own pictures as `find_pictures` takes them.
        data_dir: where to look for CIFAR-10 first.
        size: the side in pixels that each picture is brought to; 32 if None.
        view: what of each picture: all of it, squashed, or the largest square in its middle.
        test_alone: leave the train split empty where there is a test split, as who only measures
            needs no more.

    Returns:
        The dataset. Where it takes more than a gigabyte, its pictures are a memory-mapped file.

    Raises:
        ImagetteError: the data is absent, damaged, or not laid out as a dataset.
    """
    # Each source is imported when asked for, since each needs other libraries.
    if source == "cifar10":
        from imagette.data.sources.cifar import load_cifar10

        dataset = load_cifar10(data_dir)
    elif source == "digits":
        from imagette.data.sources.digits import load_digits

        dataset = load_digits()
    else:
        return find_pictures(source).load(size or SIZE, view, test_alone)
    if test_alone:
        dataset = replace(dataset, train=dataset.train.take(np.arange(0)))
    return dataset.resized(size or SIZE, view)


def find_pictures(source: str | Path) -> ImageIndex:
    """Find one's own pictures, without decoding them yet.

    Args:
        source: a folder (`train/<class>/*` and optional `test/<class>/*`, or just `<class>/*`), a
            zip or tar file of one, a CSV file of paths and labels, or `hf:` and the name of a
            dataset of Hugging Face's library `datasets`.

    Raises:
        ImagetteError: there is no such source, or it is not laid out as a dataset.
    """
    from imagette.data.sources.archive import ENDINGS, find_archive
    from imagette.data.sources.csv_file import find_table
    from imagette.data.sources.folder import find_folder
    from imagette.data.sources.hugging_face import PREFIX, find_hub

    path = Path(source)
    if str(source).startswith(PREFIX):
        return find_hub(str(source))
    if path.is_dir():
        return find_folder(path)
    if path.is_file() and path.name.lower().endswith(ENDINGS):
        return find_archive(path)
    if path.is_file() and path.suffix.lower() in (".csv", ".tsv"):
        return find_table(path)
    shown = os.fsencode(path).decode("utf-8", "backslashreplace")
    if path.is_file():
        raise ImagetteError(
            f"{shown} is not a dataset.",
            "Give a folder of pictures, a CSV file of paths and labels, or a zip or tar file.",
        )
    raise ImagetteError(
        f"There is no dataset or folder called {shown}.",
        "Give `cifar10`, `digits`, the path of a folder, CSV file or archive of pictures, or"
        " `hf:NAME` for one of Hugging Face's.",
    )
