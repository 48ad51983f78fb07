"""Labelled images: CIFAR-10, the digits that scikit-learn carries, or one's own."""

from pathlib import Path

from imagette.data.data_source import DataSource
from imagette.data.dataset import Dataset, Split
from imagette.data.sources import BUILT_IN, open_source
from imagette.data.splits import split_validation, train_and_validation
from imagette.images.views import ViewName

__all__ = [
    "BUILT_IN",
    "SIZE",
    "DataSource",
    "Dataset",
    "Split",
    "load_dataset",
    "open_source",
    "split_validation",
    "train_and_validation",
]

SIZE = 32
"""The side in pixels that images are brought to where nothing else is asked for."""


def load_dataset(
    source: str | Path = "cifar10",
    data_dir: str | Path | None = None,
    size: int | None = None,
    view: ViewName = "whole",
    test_only: bool = False,
) -> Dataset:
    """Load labelled images.

    Args:
        source: `cifar10` (the default), `digits` (needs no download), or your own pictures: a
            folder (FOLDER/<class>/pictures, or FOLDER/train/<class>/pictures with an optional
            FOLDER/val and FOLDER/test), a zip or tar file of one, a table of paths and labels (CSV,
            TSV or JSON lines), a Parquet file of images and labels, a folder of such files, or
            `hf:NAME` for a dataset of Hugging Face.
        data_dir: where to look for CIFAR-10 first.
        size: the side in pixels that each image is brought to; 32 if None.
        view: what of each image: all of it, squashed, or the largest square in its middle.
        test_only: load nothing but what a model is measured on: the test split or, where there is
            none, the validation split; without either, the train split.

    Returns:
        The dataset. Where it takes more than a gigabyte, its images are a memory-mapped file.

    Raises:
        ImagetteError: the data is absent, damaged, or not laid out as a dataset.
    """
    return open_source(source, data_dir).load(size or SIZE, view, test_only)
