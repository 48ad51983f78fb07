"""A folder of pictures, one folder inside it for each class.

Either `train/<class>/*` with an optional `test/<class>/*`, or just `<class>/*`. The name of a
class's folder is the name of the class; pictures may lie deeper inside it.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from imagette.data.dataset import Dataset, Part
from imagette.errors import ImagetteError, PictureError
from imagette.inference.preprocess import find_pictures, to_pixels

SIZE = 32
"""Rows and columns that every picture is brought to."""

_LAYOUT = (
    "Lay it out as FOLDER/<class>/pictures, or as FOLDER/train/<class>/pictures with an optional"
    " FOLDER/test/<class>/pictures."
)


def load_folder(folder: Path) -> Dataset:
    """Load a folder of pictures; unreadable ones are left out and listed in `skipped`.

    Raises:
        ImagetteError: there is no such folder, it has fewer than two classes, a class has no
            readable picture, or the test part has a class that the train part lacks.
    """
    if not folder.is_dir():
        raise ImagetteError(
            f"There is no dataset or folder called {folder}.",
            "Give `cifar10`, `digits`, or the path of a folder of pictures.",
        )
    # A class may well be called "train"; its folder then holds pictures, not class folders.
    in_parts = (folder / "train").is_dir() and bool(_class_names(folder / "train"))
    train_folder = folder / "train" if in_parts else folder
    class_names = _class_names(train_folder)
    if len(class_names) < 2:
        raise ImagetteError(
            f"{train_folder} holds {len(class_names)} folders of pictures; at least two classes"
            " are needed.",
            _LAYOUT,
        )
    train, skipped = _load_part(train_folder, class_names)
    empty = [name for i, name in enumerate(class_names) if i not in train.labels]
    if empty:
        raise ImagetteError(
            f"No readable picture in {train_folder / empty[0]}.",
            "Put pictures there, or remove the folder.",
        )
    test = None
    if in_parts and (folder / "test").is_dir():
        test, test_skipped = _load_test(folder / "test", class_names)
        skipped += test_skipped
    return Dataset(
        name=folder.resolve().name,
        source=str(folder.resolve()),
        class_names=class_names,
        class_names_fr=class_names,
        train=train,
        test=test,
        skipped=tuple(skipped),
    )


def _load_test(folder: Path, class_names: tuple[str, ...]) -> tuple[Part, list[tuple[str, str]]]:
    unknown = sorted(set(_class_names(folder)) - set(class_names))
    if unknown:
        raise ImagetteError(
            f"{folder / unknown[0]} is a class that the train part does not have.",
            "Use the same class folders in train and test.",
        )
    test, skipped = _load_part(folder, class_names)
    if not len(test):
        raise ImagetteError(
            f"{folder} holds no readable picture.", "Put pictures there, or remove the folder."
        )
    return test, skipped


def _class_names(folder: Path) -> tuple[str, ...]:
    """The folders inside `folder`, hidden ones left out."""
    inside = (path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
    return tuple(sorted(path.name for path in inside))


def _load_part(folder: Path, class_names: tuple[str, ...]) -> tuple[Part, list[tuple[str, str]]]:
    """Decode every picture of every class; also list the files that are no readable pictures."""
    files = [
        (path, label)
        for label, name in enumerate(class_names)
        for path in find_pictures(folder / name)
    ]
    images, labels, skipped = [], [], []
    for (path, label), result in zip(files, _decode([path for path, _ in files]), strict=True):
        if isinstance(result, PictureError):
            skipped.append((str(path), result.problem))
        else:
            images.append(result)
            labels.append(label)
    pixels = np.array(images, np.uint8).reshape(-1, SIZE, SIZE, 3)
    return Part(pixels, np.array(labels, np.int64)), skipped


def _decode(paths: list[Path]) -> list[NDArray[np.uint8] | PictureError]:
    """Decode in parallel (Pillow lets go of the interpreter while it decodes), in order."""
    console = Console(stderr=True)
    with ThreadPoolExecutor() as pool:
        return list(
            track(
                pool.map(_decode_one, paths),
                "Reading pictures",
                total=len(paths),
                console=console,
                transient=True,
                disable=not console.is_terminal,
            )
        )


def _decode_one(path: Path) -> NDArray[np.uint8] | PictureError:
    try:
        return to_pixels(path, SIZE, SIZE)
    except PictureError as error:
        return error
