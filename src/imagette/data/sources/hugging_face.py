"""A dataset of Hugging Face's library `datasets`, where that is installed."""

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any

from imagette.data.sources.image_index import (
    ImageIndex,
    ImageRef,
    first_line,
    known_rows,
    row_class_names,
)
from imagette.data.sources.split_names import SplitName, split_named
from imagette.errors import ImageError, ImagetteError

PREFIX = "hf:"
"""What a source begins with that names such a dataset: `hf:beans`, `hf:user/name`."""

_LAYOUT = "Choose a dataset for classification: one with a column of images and one of classes."


def open_hugging_face(source: str) -> ImageIndex:
    """Find the images of a dataset on the Hugging Face Hub, or one saved by `save_to_disk`.

    It is downloaded on first use, by `datasets`, into that library's own cache.

    Raises:
        ImagetteError: `datasets` is not installed, the dataset cannot be had, or it has no column
            of images or of classes.
    """
    name = source.removeprefix(PREFIX)
    loaded = _load(name)
    splits: dict[SplitName, Any] = {}
    for called, rows in loaded.items():  # the first of a kind, as in train, train_extra
        if (split := split_named(str(called))) is not None:
            splits.setdefault(split, rows)
    if "train" not in splits:
        raise ImagetteError(f"{name} has no split called train.", _LAYOUT)
    train = splits["train"]
    image, label = _columns(train, name)
    refs = {split: _list_split(rows, split, image, label) for split, rows in splits.items()}
    return ImageIndex(
        Path(name).name,
        row_class_names(getattr(train.features[label], "names", None), train.unique(label)),
        refs["train"],
        refs.get("test"),
        refs.get("validation"),
        source=source,
        licence=train.info.license or "",
        layout=_LAYOUT,
    )


def _load(name: str) -> Any:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ImagetteError(
            "Datasets of Hugging Face need the library datasets, which is not installed.",
            "Install it with: pip install datasets",
        ) from error
    try:
        loaded = (
            datasets.load_from_disk(name) if Path(name).is_dir() else datasets.load_dataset(name)
        )
    # It raises its own errors, those of requests, of fsspec, of pyarrow, and plain ones.
    except Exception as error:
        raise ImagetteError(
            f"The dataset {name} cannot be loaded: {first_line(error)}.",
            "Check its name at huggingface.co/datasets and the connection, or name a folder that"
            " `save_to_disk` wrote.",
        ) from error
    return loaded if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _columns(rows: Any, name: str) -> tuple[str, str]:
    """The names of the column of images and of the column of classes."""
    import datasets

    def first(kind: type, names: Collection[str] = rows.features) -> str | None:
        found = (name for name, one in rows.features.items() if isinstance(one, kind))
        return next((name for name in found if name in names), None)

    image = first(datasets.Image)
    # Some have plain words or numbers.
    label = first(datasets.ClassLabel) or first(datasets.Value, ("label", "labels", "class"))
    if image is None or label is None:
        missing = "images" if image is None else "classes"
        raise ImagetteError(f"{name} has no column of {missing}.", _LAYOUT)
    return image, label


def _list_split(rows: Any, split: str, image: str, label: str) -> tuple[ImageRef, ...]:
    import datasets

    encoded = rows.cast_column(image, datasets.Image(decode=False)).select_columns([image])
    names = getattr(rows.features[label], "names", None)

    def read(number: int) -> bytes:
        entry = encoded[number][image]
        if entry is None or not (entry["bytes"] or entry["path"]):
            raise ImageError("There is no picture.", "Choose another one.")
        return entry["bytes"] or Path(entry["path"]).read_bytes()

    stamp = rows._fingerprint  # documented as what changes with the rows
    found = []
    for number, class_name in known_rows(names, rows[label]):
        path = f"{split}/{number}"
        found.append(ImageRef(partial(read, number), class_name, path, f"{stamp} {path}", 0))
    return tuple(found)
