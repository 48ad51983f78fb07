"""A dataset of Hugging Face's library `datasets`, where that is installed."""

from functools import partial
from pathlib import Path
from typing import Any

from imagette.data.sources.image_index import ImageIndex, ImageRef, check_classes
from imagette.errors import ImageError, ImagetteError

PREFIX = "hf:"
"""What a source begins with that names such a dataset: `hf:beans`, `hf:user/name`."""

_LAYOUT = "Choose a dataset for classification: one with a column of images and one of classes."


def find_hub(source: str) -> ImageIndex:
    """Find the pictures of a dataset on the Hugging Face Hub, or one saved by `save_to_disk`.

    It is downloaded on first use, by `datasets`, into that library's own cache. The split `test` is
    the test split; where there is none, `validation` is.

    Raises:
        ImagetteError: `datasets` is not installed, the dataset cannot be had, or it has no column
            of images or of classes.
    """
    name = source.removeprefix(PREFIX)
    splits = _load(name)
    if "train" not in splits:
        raise ImagetteError(f"{name} has no split called train.", _LAYOUT)
    train = splits["train"]
    test = splits.get("test") or splits.get("validation") or splits.get("valid")
    image, label = _columns(train, name)
    class_names = _class_names(train, label)
    check_classes(class_names, name, _LAYOUT)
    return ImageIndex(
        name=Path(name).name,
        source=source,
        class_names=tuple(class_names),
        train=_found(train, "train", image, label, class_names),
        test=None if test is None else _found(test, "test", image, label, class_names),
        licence=train.info.license or "",
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
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ImagetteError(
            f"The dataset {name} cannot be loaded: {reason}.",
            "Check its name at huggingface.co/datasets and the connection, or name a folder that"
            " `save_to_disk` wrote.",
        ) from error
    return loaded if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}


def _columns(rows: Any, name: str) -> tuple[str, str]:
    """The names of the column of images and of the column of classes."""
    import datasets

    kinds = rows.features.items()
    image = next((column for column, kind in kinds if isinstance(kind, datasets.Image)), None)
    label = next((column for column, kind in kinds if isinstance(kind, datasets.ClassLabel)), None)
    if label is None:  # some have plain words or numbers
        label = next(
            (
                column
                for column, kind in kinds
                if isinstance(kind, datasets.Value) and column in ("label", "labels", "class")
            ),
            None,
        )
    if image is None or label is None:
        missing = "images" if image is None else "classes"
        raise ImagetteError(f"{name} has no column of {missing}.", _LAYOUT)
    return image, label


def _class_names(rows: Any, label: str) -> list[str]:
    names = getattr(rows.features[label], "names", None)
    if names:
        return list(names)
    return [str(one) for one in sorted(one for one in rows.unique(label) if one is not None)]


def _found(
    rows: Any, split: str, image: str, label: str, class_names: list[str]
) -> tuple[ImageRef, ...]:
    import datasets

    encoded = rows.cast_column(image, datasets.Image(decode=False)).select_columns([image])
    is_position = isinstance(rows.features[label], datasets.ClassLabel)
    positions = {name: position for position, name in enumerate(class_names)}
    values = rows[label]
    if not is_position:
        unknown = {value for value in values if value is not None and str(value) not in positions}
        if unknown:
            raise ImagetteError(
                f"The class {min(map(str, unknown))} of the {split} split is not in train.",
                "Use the same classes in train and test.",
            )
    # None and -1 mark a picture whose class is not known or kept secret.
    labels = [
        -1 if value is None else value if is_position else positions[str(value)] for value in values
    ]

    def read(number: int) -> bytes:
        entry = encoded[number][image]
        if entry is None or not (entry["bytes"] or entry["path"]):
            raise ImageError("There is no picture.", "Choose another one.")
        return entry["bytes"] or Path(entry["path"]).read_bytes()

    stamp = rows._fingerprint  # documented as what changes with the rows
    found = []
    for number, value in enumerate(labels):
        if value >= 0:
            name = f"{split}/{number}"
            found.append(ImageRef(partial(read, number), value, name, f"{stamp} {name}", 0))
    return tuple(found)
