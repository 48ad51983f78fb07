"""A folder of images, one folder inside it for each class.

Either `train/<class>/*` with an optional `test/<class>/*`, or just `<class>/*`. The name of a
class's folder is the name of the class; images may lie deeper inside it. `training` and
`testing` do as well, in capitals or not.
"""

import os
from pathlib import Path

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.data_source import Skipped
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
from imagette.errors import ImagetteError
from imagette.images.formats import is_image

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
    learned = [path.name for path in _folders(train_folder)]
    tested = [path.name for path in _folders(test_folder)] if test_folder else []
    classes = name_classes(printable(name) for name in learned + tested)
    train, left_out = _list_split(folder, train_folder, classes)
    test, more = _list_split(folder, test_folder, classes) if test_folder else (None, ())
    return ImageIndex(
        given.name,
        in_order({classes.of[printable(name)] for name in learned}),
        train,
        test,
        source=str(given),
        skipped=skipped + left_out + more,
        notes=classes.notes,
        layout=_LAYOUT,
    )


def _only_folder(folder: Path) -> Path:
    """Down through folders that hold nothing but one other; `train` alone is a split, not such."""
    inside = _folders(folder)
    alone = len(inside) == 1 and not any(map(is_image, folder.iterdir()))
    if alone and inside[0].name.lower() not in _TRAIN and _folders(inside[0]):
        return _only_folder(inside[0])
    return folder


def printable(path: str | Path) -> str:
    """A path that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _find_splits(folder: Path) -> tuple[Path, Path | None, Skipped]:
    """The folders of the train split and of the test split, and those that are neither."""
    inside = _folders(folder)
    train = _named(inside, _TRAIN)
    # A class may well be called "train"; its folder then holds images, not class folders.
    if train is None or not _folders(train):
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


def _folders(folder: Path) -> list[Path]:
    """The folders inside `folder`, by name; hidden ones left out."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._")


def _check_name(path: Path) -> None:
    if not _is_utf8(path):
        raise ImagetteError(
            f"The name of the folder {printable(path)} is not UTF-8.",
            "Rename it, so that it can be shown and saved.",
        )


def _is_utf8(path: Path) -> bool:
    return printable(path) == str(path)


def _list_split(
    folder: Path, split_folder: Path, classes: ClassNames
) -> tuple[tuple[ImageRef, ...], Skipped]:
    """Every image of every class, and what is left out, that which is no image in one line.

    Paths are relative to `folder`, the dataset's.
    """
    found, skipped, others = [], [], []
    for class_folder in _folders(split_folder):
        _check_name(class_folder)
        for path in sorted(class_folder.rglob("*")):
            if not is_image(path):
                others.append(path)
            elif _is_utf8(path):
                relative = path.relative_to(folder).as_posix()
                found.append(file_ref(path, classes.of[class_folder.name], relative))
            else:
                skipped.append((path, "its name is not UTF-8."))
    loose = sorted(path for path in split_folder.iterdir() if is_image(path))
    skipped += [(path, "lies in no class's folder.") for path in loose]
    others = [path for path in others if path.name[0] != "." and path.is_file()]
    if others:
        more = f", like {len(others) - 1:,} more" if len(others) > 1 else ""
        skipped.append((min(others), f"is no picture by its name{more}."))
    told = tuple((printable(path.relative_to(folder)), reason) for path, reason in skipped)
    return tuple(found), told
