"""A folder of pictures, one folder inside it for each class.

Either `train/<class>/*` with an optional `test/<class>/*`, or just `<class>/*`. The name of a
class's folder is the name of the class; pictures may lie deeper inside it. `training` and
`testing` do as well, in capitals or not.
"""

import os
from pathlib import Path

from imagette.data.sources.image_index import (
    ImageIndex,
    ImageRef,
    Skipped,
    check_classes,
    found_file,
)
from imagette.errors import ImagetteError
from imagette.images.open import is_image

_TRAIN, _TEST = ("train", "training"), ("test", "testing")
_LAYOUT = (
    "Lay it out as FOLDER/<class>/pictures, or as FOLDER/train/<class>/pictures with an optional"
    " FOLDER/test/<class>/pictures."
)


def find_folder(folder: Path) -> ImageIndex:
    """Find the pictures of a folder; what is left out is listed in `skipped`.

    Where it holds nothing but another folder of folders, as what comes out of an archive often
    does, that one is meant.

    Raises:
        ImagetteError: it has fewer than two classes, the test split has a class that the train
            split lacks, two folders could be the same split, or a folder's name is not UTF-8.
    """
    _check_name(folder.resolve())
    name, source = folder.resolve().name, str(folder.resolve())
    folder = _only_folder(folder)
    train_folder, test_folder, skipped = _find_parts(folder)
    class_names = _class_names(train_folder)
    check_classes(list(class_names), str(train_folder), _LAYOUT)
    train, left_out = _find_part(folder, train_folder, class_names)
    skipped += left_out
    test = None
    if test_folder is not None:
        unknown = sorted(set(_class_names(test_folder)) - set(class_names))
        if unknown:
            raise ImagetteError(
                f"{test_folder / unknown[0]} is a class that the train split does not have.",
                "Use the same class folders in train and test.",
            )
        test, left_out = _find_part(folder, test_folder, class_names)
        skipped += left_out
    return ImageIndex(
        name=name,
        source=source,
        class_names=class_names,
        train=train,
        test=test,
        skipped=skipped,
    )


def _only_folder(folder: Path) -> Path:
    """Down through folders that hold nothing but one other; `train` alone is a split, not such."""
    inside = _folders(folder)
    alone = len(inside) == 1 and not any(map(is_image, folder.iterdir()))
    if alone and inside[0].name.lower() not in _TRAIN and _folders(inside[0]):
        return _only_folder(inside[0])
    return folder


def _printable(path: Path) -> str:
    """A path that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_parts(folder: Path) -> tuple[Path, Path | None, Skipped]:
    """The folders of the train split and of the test split, and those that are neither."""
    inside = _folders(folder)
    train = _named(inside, _TRAIN)
    # A class may well be called "train"; its folder then holds pictures, not class folders.
    if train is None or not _folders(train):
        return folder, None, ()
    test = _named(inside, _TEST)
    others = [path for path in inside if path not in (train, test)]
    return (
        train,
        test,
        tuple(
            (_printable(path.relative_to(folder)), "is neither train nor test.") for path in others
        ),
    )


def _named(folders: list[Path], names: tuple[str, str]) -> Path | None:
    found = [path for path in folders if path.name.lower() in names]
    if len(found) > 1:
        raise ImagetteError(
            f"{found[0]} and {found[1].name} could both be the {names[0]} split.",
            "Keep one of them, or put them together.",
        )
    return found[0] if found else None


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


def _find_part(
    folder: Path, part_folder: Path, class_names: tuple[str, ...]
) -> tuple[tuple[ImageRef, ...], Skipped]:
    """Every picture of every class, and what is left out, that which is no picture in one line.

    Args:
        folder: the dataset's folder, which paths are relative to.
        part_folder: where the class folders are.
        class_names: names of the class folders.
    """
    found, skipped, others = [], [], []
    for label, name in enumerate(class_names):
        for path in sorted((part_folder / name).rglob("*")):
            if not is_image(path):
                others.append(path)
            elif _is_utf8(path):
                found.append(found_file(path, label, path.relative_to(folder).as_posix()))
            else:
                skipped.append((path, "its name is not UTF-8."))
    loose = sorted(path for path in part_folder.iterdir() if is_image(path))
    skipped += [(path, "lies in no class's folder.") for path in loose]
    others = [path for path in others if path.name[0] != "." and path.is_file()]
    if others:
        more = f", like {len(others) - 1:,} more" if len(others) > 1 else ""
        skipped.append((min(others), f"is no picture by its name{more}."))
    told = tuple((_printable(path.relative_to(folder)), reason) for path, reason in skipped)
    return tuple(found), told
