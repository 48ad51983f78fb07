"""A folder of images, one folder inside it for each class.

Either `train/<class>/*` with an optional `test/<class>/*`, or just `<class>/*`. The name of a
class's folder is the name of the class; images may lie deeper inside it. `training` and
`testing` do as well, in capitals or not.
"""

import os
from pathlib import Path

from imagette.data.data_source import Skipped
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
from imagette.errors import ImagetteError
from imagette.images.find_images import find_images, folders_in, images_in
from imagette.images.signatures import UNPACK, first_bytes, what_else

_TRAIN, _TEST = ("train", "training"), ("test", "testing")
_LAYOUT = (
    "Lay it out as FOLDER/<class>/pictures, or as FOLDER/train/<class>/pictures with an optional"
    " FOLDER/test/<class>/pictures."
)


def open_folder(folder: Path) -> ImageIndex:
    """Find the images of a folder; what is left out is listed in `skipped`.

    Where it holds nothing but another folder of folders, as what comes out of an archive often
    does, that one is meant.

    Raises:
        ImagetteError: it has fewer than two classes, the test split has a class that the train
            split lacks, two folders could be the same split, or a folder's name is not UTF-8.
    """
    given = folder.resolve()
    _check_name(given)
    folder = _only_folder(folder)
    train_folder, test_folder, skipped = _find_splits(folder)
    _check_for_folders(given, train_folder)
    train, left_out = _list_split(folder, train_folder)
    test, more = _list_split(folder, test_folder) if test_folder else (None, ())
    return ImageIndex(
        given.name,
        tuple(path.name for path in folders_in(train_folder)),
        train,
        test,
        source=str(given),
        skipped=skipped + left_out + more,
        layout=_LAYOUT,
    )


def _only_folder(folder: Path) -> Path:
    """Down through folders that hold nothing but one other; `train` alone is a split, not such."""
    inside = folders_in(folder)
    alone = len(inside) == 1 and not images_in(folder)
    if alone and inside[0].name.lower() not in _TRAIN and folders_in(inside[0]):
        return _only_folder(inside[0])
    return folder


def printable(path: str | Path) -> str:
    """A path that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_splits(folder: Path) -> tuple[Path, Path | None, Skipped]:
    """The folders of the train split and of the test split, and those that are neither."""
    inside = folders_in(folder)
    train = _named(inside, _TRAIN)
    # A class may well be called "train"; its folder then holds images, not class folders.
    if train is None or not folders_in(train):
        return folder, None, ()
    test = _named(inside, _TEST)
    others = (printable(path.relative_to(folder)) for path in inside if path not in (train, test))
    return train, test, tuple((path, "is neither train nor test.") for path in others)


def _named(folders: list[Path], names: tuple[str, str]) -> Path | None:
    found = [path for path in folders if path.name.lower() in names]
    if len(found) > 1:
        raise ImagetteError(
            f"{found[0]} and {found[1].name} could both be the {names[0]} split.",
            "Keep one of them, or put them together.",
        )
    return found[0] if found else None


def _check_name(path: Path) -> None:
    if not _is_utf8(path):
        raise ImagetteError(
            f"The name of the folder {printable(path)} is not UTF-8.",
            "Rename it, so that it can be shown and saved.",
        )


def _is_utf8(path: Path) -> bool:
    return printable(path) == str(path)


def _check_for_folders(given: Path, folder: Path) -> None:
    """Say what there is instead where there is no folder of a class."""
    if folders_in(folder):
        return
    if images := images_in(folder):
        tables = [path for path in sorted(folder.iterdir()) if path.suffix.lower() == ".csv"]
        table = f", or give the table {tables[0]}" if tables else ""
        number = f"{len(images):,} pictures, such as" if len(images) > 1 else "one picture,"
        raise ImagetteError(
            f"{given} holds {number} {images[0].name}, but no folder for each class.",
            f"Put the pictures of each class into a folder that is named after it{table}.",
        )
    for path in sorted(folder.iterdir()):
        if path.is_file() and (told := what_else(first_bytes(path))):
            what, do = told
            if do == UNPACK:
                do = "unpack what belongs to a class into a folder that is named after it"
            raise ImagetteError(
                f"{given} holds no folder of pictures; {path.name} is {what}.",
                f"{do[0].upper()}{do[1:]}.",
            )


def _list_split(folder: Path, split_folder: Path) -> tuple[tuple[ImageRef, ...], Skipped]:
    """Every image of every class, and what is left out; files beside the classes are not told.

    Paths are relative to `folder`, the dataset's.
    """
    classes = set(folders_in(split_folder))
    for class_folder in classes:
        _check_name(class_folder)
    found = find_images(split_folder)
    images, skipped = [], []
    for path in found.images:
        class_name = path.relative_to(split_folder).parts[0]
        if split_folder / class_name not in classes:
            skipped.append((path, "lies in no class's folder."))
        elif not _is_utf8(path):
            skipped.append((path, "its name is not UTF-8."))
        else:
            images.append(file_ref(path, class_name, path.relative_to(folder).as_posix()))
    skipped += found.told(beside=split_folder)
    return tuple(images), tuple((printable(path.relative_to(folder)), why) for path, why in skipped)
