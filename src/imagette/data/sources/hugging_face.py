"""A dataset of Hugging Face's library `datasets`, where that is installed."""

from functools import partial
from pathlib import Path
from typing import Any

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.sources.columns import (
    IMAGE_NAMES,
    LABEL_NAMES,
    find_label,
    find_splits,
    may_split,
    usual,
)
from imagette.data.sources.image_index import ImageIndex, ImageRef
from imagette.data.sources.split_names import SplitName, split_named
from imagette.errors import ImageError, ImagetteError, first_line

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
    told = _split_columns(train, name) if len(splits) == 1 else None
    image, label, notes = _columns(train, name, told[0] if told else [])
    if told:
        splits = _by_column(train, told[1])
        train = splits["train"]
    given = getattr(train.features[label], "names", None)
    values = {value for rows in splits.values() for value in rows.unique(label)}
    classes = name_classes(values, given)
    refs = {
        split: _list_split(rows, split, image, label, classes) for split, rows in splits.items()
    }
    return ImageIndex(
        Path(name).name,
        classes.order if given else in_order({ref.class_name for ref in refs["train"]}),
        refs["train"],
        refs.get("test"),
        refs.get("validation"),
        source=source,
        licence=train.info.license or "",
        notes=notes + classes.notes,
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


def _columns(rows: Any, name: str, used: list[str]) -> tuple[str, str, tuple[str, ...]]:
    """The names of the column of images and of the column of classes, and notes on the choice."""
    import datasets

    def of(kind: type) -> list[str]:
        return [column for column, one in rows.features.items() if isinstance(one, kind)]

    images, labels = of(datasets.Image), of(datasets.ClassLabel)
    if not images:
        raise ImagetteError(f"{name} has no column of images.", _LAYOUT)
    image = (usual(images, IMAGE_NAMES) or images)[0]
    if labels:
        return image, (usual(labels, LABEL_NAMES) or labels)[0], ()
    # Some have plain words or numbers.
    plain = [column for column in of(datasets.Value) if column not in used]
    values = {column: partial(_values, rows, column) for column in plain}
    return image, *find_label(values, name, rows.column_names, _LAYOUT)


def _split_columns(rows: Any, name: str) -> tuple[list[str], list[SplitName | None]] | None:
    """The columns that tell the splits of a dataset that has a single one; see `find_splits`."""
    columns = filter(may_split, rows.column_names)
    return find_splits({column: partial(_values, rows, column) for column in columns}, name)


def _by_column(rows: Any, told: list[SplitName | None]) -> dict[SplitName, Any]:
    places: dict[SplitName, list[int]] = {"train": []}
    for place, split in enumerate(told):
        places.setdefault(split or "train", []).append(place)
    return {split: rows.select(some) for split, some in places.items()}


def _values(rows: Any, column: str) -> list[Any]:
    return list(rows[column])


def _list_split(
    rows: Any, split: str, image: str, label: str, classes: ClassNames
) -> tuple[ImageRef, ...]:
    import datasets

    encoded = rows.cast_column(image, datasets.Image(decode=False)).select_columns([image])

    def read(number: int) -> bytes:
        entry = encoded[number][image]
        if entry is None or not (entry["bytes"] or entry["path"]):
            raise ImageError("There is no picture.", "Choose another one.")
        return entry["bytes"] or Path(entry["path"]).read_bytes()

    stamp = rows._fingerprint  # documented as what changes with the rows
    found = []
    for number, value in enumerate(rows[label]):
        # None and, of numbers that have names, -1 mark a class that is kept secret.
        if class_name := classes.of.get(value):
            path = f"{split}/{number}"
            found.append(ImageRef(partial(read, number), class_name, path, f"{stamp} {path}", 0))
    return tuple(found)
