"""Where it is not clear what the folders of a dataset mean, the error that asks."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import NoReturn

from imagette.data.sources.split_names import is_split_alone, split_named
from imagette.errors import ImagetteError
from imagette.images.find_images import holds_images, look_in
from imagette.wording import listed, printable

_PICTURES = frozenset(["images", "image", "imgs", "img", "jpegimages", "pictures"])
_DRAWN = frozenset([
    "annotations", "annotation", "groundtruth", "ground_truth", "gt", "labels", "mask", "masks",
    "segmentation", "segmentations", "segmentationclass", "segmentationobject",
])  # fmt: skip
"""What is drawn over pictures, for models that find where things are."""

FoldersIn = Callable[[Path], list[Path]]


def ask_about_classes(root: Path, inside: list[Path], folders_in: FoldersIn) -> None:
    """Stop where folders that would be classes look like something else.

    That is, where they are called like splits, none of them `train`; where one is called like a
    split beside classes; where one holds the others once more, or splits with classes of its own;
    and where the same folders, not numbered or dated ones, are in each.

    Raises:
        ImagetteError: they do.
    """
    for path in inside:
        ask_about_splits_inside(path, folders_in)
    parts = {path: {part.name for part in folders_in(path)} for path in inside}
    if len(inside) < 2:
        return
    times = Counter(chain.from_iterable(parts.values()))
    words = [name for name in times if re.search(r"[^\W\d_]", name)]
    shared = [name for name in words if times[name] > 1]
    alike = all(parts.values()) and len(shared) > 1 and len(shared) * 2 >= len(times)
    if alike or (any(parts.values()) and all(split_named(path.name) for path in inside)):
        _ask_which(root, inside, shared)
    for path in inside:
        if is_split_alone(path.name) and not _is_ending(path, inside):
            _ask_what(root, path, inside)
        twice = parts[path] & {other.name for other in inside if other != path}
        if len(twice) > 1 or (twice and twice == parts[path]):
            _ask_about_twice(root, path, twice)


def ask_about_splits_inside(path: Path, folders_in: FoldersIn) -> None:
    """Stop where a folder beside others is a dataset with splits itself.

    Raises:
        ImagetteError: it is, as the same folders are in two of its splits.
    """
    classes = [{one.name for one in folders_in(part)} for part in folders_in(path)
               if split_named(part.name)]  # fmt: skip
    times = Counter(chain.from_iterable(classes))
    shared = [name for name in sorted(times) if times[name] > 1]
    if len(shared) > 1:
        names = listed([printable(name) for name in shared], "en", most=3)
        raise ImagetteError(
            f"{printable(path)} has splits with classes of its own ({names}), and lies beside other"
            " folders.",
            f"Give {printable(path)} alone, or put the pictures of each class together.",
        )


def _is_ending(path: Path, others: Iterable[Path]) -> bool:
    """Whether it is one of a pair of classes, as `valid` is of `valid` and `invalid`."""
    name = path.name.lower()
    return any(one != path and one.name.lower().endswith(name) for one in others)


def _named(paths: Iterable[Path]) -> str:
    return listed([printable(path.name) for path in paths], "en", most=5)


def _ask_which(root: Path, inside: list[Path], shared: list[str]) -> NoReturn:
    both = listed([printable(name) for name in sorted(shared)], "en", most=3)
    same = f", with the same folders in them ({both})" if shared else ""
    raise ImagetteError(
        f"The folders of {printable(root)} look like splits of a dataset{same}, and none of them is"
        f" called train: {_named(inside)}.",
        "If they are splits, call them train, val and test. If they are classes, put the pictures"
        " of each directly into its folder.",
    )


def _ask_what(root: Path, path: Path, inside: list[Path]) -> NoReturn:
    others = [one for one in inside if one != path]
    raise ImagetteError(
        f"{printable(root)} holds a folder {printable(path.name)} beside {_named(others)}, so"
        f" {printable(path.name)} could be a split or a class.",
        f"If it is a split, put {_named(others)} into a folder train beside it. If it is a class,"
        " give it another name.",
    )


def _ask_about_twice(root: Path, path: Path, twice: set[str]) -> NoReturn:
    names = listed([printable(name) for name in sorted(twice)], "en", most=3)
    raise ImagetteError(
        f"{printable(root)} holds {names} twice: once directly, and once in"
        f" {printable(path.name)}.",
        f"If they are the same, move {printable(path.name)} elsewhere. If not, put those of each"
        " class together, or call the folders around them train and test.",
    )


def ask_about_lone_train(root: Path, train: Path, others: Iterable[Path]) -> None:
    """Stop where a folder `train` of folders, and no other split, lies beside other pictures.

    Raises:
        ImagetteError: it does.
    """
    if with_images := [path for path in others if holds_images(path)]:
        names = listed([printable(path.name) for path in with_images], "en", most=3)
        raise ImagetteError(
            f"{printable(root)} holds a folder {train.name} of folders beside {names}, so"
            f" {train.name} could be a split or a class.",
            f"Move {names} elsewhere if {train.name} is the train split; give it another name if it"
            " is a class.",
        )


def ask_about_masks(root: Path, classes: Iterable[str]) -> None:
    """Stop where the folders would be pictures, and masks or labels drawn over them.

    Raises:
        ImagetteError: their names say so.
    """
    by_name = {name.lower(): name for name in classes}
    if by_name.keys() & _PICTURES and by_name.keys() & _DRAWN:
        found = [by_name[name] for name in by_name if name in _PICTURES | _DRAWN]
        raise ImagetteError(
            f"{listed(sorted(found), 'en')} in {printable(root)} are named like pictures and"
            " their masks, not like classes.",
            "Put the pictures of each class into a folder that is named after it, and give the"
            " folder around those.",
        )


def ask_for_classes(train: Path) -> NoReturn:
    """Stop where the train split has no folders of classes.

    Raises:
        ImagetteError: always; it says which classes the names of the files tell of.
    """
    beginnings = Counter(
        found[1]
        for path in look_in(train).images
        if (found := re.match(r"([^\W\d_]+)[ ._-]*\d", path.name))
    )
    likely = [printable(name) for name, count in beginnings.items() if count > 1]
    told = ""
    if len(likely) > 1:
        told = f" By their names they show {listed(sorted(likely), 'en', most=5)}."
    raise ImagetteError(
        f"The pictures in {printable(train)} lie in no folders of classes.{told}",
        f"Put those of each class into a folder of its own ({train.name}/<class>/pictures), or list"
        " them in a CSV file with the columns path and label.",
    )
