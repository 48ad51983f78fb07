"""A folder of pictures, one folder inside it for each class.

Either `train/<class>/*` with an optional `test/<class>/*`, or just `<class>/*`. The name of a
class's folder is the name of the class; pictures may lie deeper inside it. `training` and
`testing` do as well, in capitals or not.
"""

import os
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
    """Load a folder of pictures; what is left out is listed in `skipped`.

    Raises:
        ImagetteError: there is no such folder, it has fewer than two classes, a class has no
            readable picture, the test part has a class that the train part lacks, two folders
            could be the same part, or a folder's name is not UTF-8.
    """
    if not folder.is_dir():
        raise ImagetteError(
            f"There is no dataset or folder called {_printable(folder)}.",
            "Give `cifar10`, `digits`, or the path of a folder of pictures.",
        )
    _check_name(folder.resolve())
    train_folder, test_folder, skipped = _find_parts(folder)
    class_names = _class_names(train_folder)
    if len(class_names) < 2:
        raise ImagetteError(
            f"{train_folder} holds {len(class_names)} folders of pictures; at least two classes"
            " are needed.",
            _LAYOUT,
        )
    train, train_skipped = _load_part(folder, train_folder, class_names)
    skipped += train_skipped
    empty = [name for i, name in enumerate(class_names) if i not in train.labels]
    if empty:
        raise ImagetteError(
            f"No readable picture in {train_folder / empty[0]}.",
            "Put pictures there, or remove the folder.",
        )
    test = None
    if test_folder is not None:
        test, test_skipped = _load_test(folder, test_folder, class_names)
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


def _printable(path: Path) -> str:
    """A path that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_parts(folder: Path) -> tuple[Path, Path | None, list[tuple[str, str]]]:
    """The folders of the train part and of the test part, and those that are neither."""
    inside = _folders(folder)
    train = _named(inside, ("train", "training"))
    # A class may well be called "train"; its folder then holds pictures, not class folders.
    if train is None or not _folders(train):
        return folder, None, []
    test = _named(inside, ("test", "testing"))
    others = [path for path in inside if path not in (train, test)]
    return train, test, [(_printable(path), "is neither train nor test.") for path in others]


def _named(folders: list[Path], names: tuple[str, str]) -> Path | None:
    found = [path for path in folders if path.name.lower() in names]
    if len(found) > 1:
        raise ImagetteError(
            f"{found[0]} and {found[1].name} could both be the {names[0]} part.",
            "Keep one of them, or put them together.",
        )
    return found[0] if found else None


def _load_test(
    folder: Path, test_folder: Path, class_names: tuple[str, ...]
) -> tuple[Part, list[tuple[str, str]]]:
    unknown = sorted(set(_class_names(test_folder)) - set(class_names))
    if unknown:
        raise ImagetteError(
            f"{test_folder / unknown[0]} is a class that the train part does not have.",
            "Use the same class folders in train and test.",
        )
    test, skipped = _load_part(folder, test_folder, class_names)
    if not len(test):
        raise ImagetteError(
            f"{test_folder} holds no readable picture.",
            "Put pictures there, or remove the folder.",
        )
    return test, skipped


def _folders(folder: Path) -> list[Path]:
    """The folders inside `folder`, by name; hidden ones left out."""
    inside = (path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")
    return sorted(inside)


def _class_names(folder: Path) -> tuple[str, ...]:
    folders = _folders(folder)
    for path in folders:
        _check_name(path)
    return tuple(path.name for path in folders)


def _check_name(path: Path) -> None:
    if not _is_utf8(path):
        raise ImagetteError(
            f"The name of the folder {_printable(path)} is not UTF-8.",
            "Rename it, so that it can be shown and saved.",
        )


def _is_utf8(path: Path) -> bool:
    return _printable(path) == str(path)


def _load_part(
    folder: Path, part_folder: Path, class_names: tuple[str, ...]
) -> tuple[Part, list[tuple[str, str]]]:
    """Decode every picture of every class; also list the files that were left out.

    Args:
        folder: the dataset's folder, which paths are relative to.
        part_folder: where the class folders are.
        class_names: names of the class folders.
    """
    found = [
        (path, label)
        for label, name in enumerate(class_names)
        for path in find_pictures(part_folder / name)
    ]
    files = [(path, label) for path, label in found if _is_utf8(path)]
    skipped = [
        (_printable(path), "its name is not UTF-8.") for path, _ in found if not _is_utf8(path)
    ]
    images, labels, paths = [], [], []
    for (path, label), result in zip(files, _decode([path for path, _ in files]), strict=True):
        if isinstance(result, PictureError):
            skipped.append((str(path), result.problem.removeprefix(f"{path} ")))
        else:
            images.append(result)
            labels.append(label)
            paths.append(path.relative_to(folder).as_posix())
    pixels = np.array(images, np.uint8).reshape(-1, SIZE, SIZE, 3)
    return Part(pixels, np.array(labels, np.int64), tuple(paths)), skipped


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
