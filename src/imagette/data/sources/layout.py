"""How the folders of a dataset are laid out: which are splits, and which are classes.

Understood are `<class>/…`, `<split>/<class>/…` and `<class>/<split>/…`, each of them also where it
lies alone in another folder, as what comes out of an archive often does. What looks like splits
and is not understood is an error, because a split that is taken for a class would be learned.
"""

from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from imagette.data.data_source import Skipped
from imagette.data.sources.layout_questions import (
    ask_about_classes,
    ask_about_lone_train,
    ask_about_masks,
    ask_about_splits_inside,
    ask_for_classes,
)
from imagette.data.sources.split_names import SplitName, is_plain, split_named
from imagette.errors import ImagetteError
from imagette.images.find_images import folders_in, holds_images, holds_only_texts, look_in
from imagette.wording import printable

LAYOUT = (
    "Lay it out as FOLDER/<class>/pictures, or as FOLDER/train/<class>/pictures with an optional"
    " FOLDER/val/<class>/pictures and FOLDER/test/<class>/pictures."
)

Classes = dict[str, list[Path]]
"""The folders of each class, by its name."""


class Layout(NamedTuple):
    """What the folders of a dataset mean.

    Attributes:
        root: the folder that the splits or the classes lie in.
        splits: the classes of each split; without splits all are of `train`.
        loose_in: folders in which pictures lie that belong to no class: those of the splits or, of
            classes alone, `root`.
        skipped: folders that are no part of it, each with the reason.
    """

    root: Path
    splits: dict[SplitName, Classes]
    loose_in: list[Path]
    skipped: Skipped


def find_layout(folder: Path) -> Layout:
    """Tell splits from classes.

    Raises:
        ImagetteError: folders look like splits, and it is not clear which of them is which.
    """
    root = _only_folder(folder, lambda name: split_named(name) == "train")
    inside = picture_folders(root)
    texts = tuple((path, _NO_PICTURE) for path in _beside_pictures(folder, root))
    by_split = {name: found for name in _SPLITS if (found := _named(inside, name))}
    if "train" in by_split and _are_splits(root, inside, by_split):
        layout = _split_layout(root, inside, by_split)
    elif per_class := _splits_of_classes(inside):
        for path in inside:
            ask_about_splits_inside(path, picture_folders)
        layout = Layout(root, per_class, [root, *inside], ())
    else:
        ask_about_classes(root, inside, lambda path: picture_folders(_only_folder(path)))
        layout = Layout(root, {"train": {path.name: [path] for path in inside}}, [root], ())
    ask_about_masks(root, layout.splits["train"])
    return layout._replace(skipped=layout.skipped + texts)


_NO_PICTURE = "holds no picture."
_SPLITS: tuple[SplitName, ...] = ("train", "validation", "test")


def _only_folder(folder: Path, meant: Callable[[str], bool] = lambda name: False) -> Path:
    """Down through folders that hold nothing but one other folder of folders, unless its name says
    that it is meant for itself."""
    inside = picture_folders(folder)
    if len(inside) != 1 or not folders_in(inside[0]) or look_in(folder).images:
        return folder
    return folder if meant(inside[0].name) else _only_folder(inside[0], meant)


def picture_folders(folder: Path) -> list[Path]:
    """The folders inside a folder but for those of texts alone, such as programs or lists."""
    return [path for path in folders_in(folder) if not holds_only_texts(path)]


def _beside_pictures(folder: Path, root: Path) -> list[str]:
    """The folders of texts alone from a folder down to `root`."""
    between = [folder, *(one for one in reversed(root.parents) if folder in one.parents), root]
    return [
        printable(path.relative_to(root) if one == root else path.name)
        for one in dict.fromkeys(between)
        for path in folders_in(one)
        if holds_only_texts(path)
    ]


def _named(folders: list[Path], split: SplitName) -> list[Path]:
    """The folders that could be a split; where a name says nothing else, that one alone."""
    found = [path for path in folders if split_named(path.name) == split]
    return [path for path in found if is_plain(path.name)] or found


def _are_splits(root: Path, inside: list[Path], by_split: dict[SplitName, list[Path]]) -> bool:
    """Whether folders called like splits are splits: a class may well be called "train"."""
    train, several = by_split["train"], len(by_split) > 1
    if not any(folders_in(path) for path in train):
        plain = all(is_plain(path.name) for found in by_split.values() for path in found)
        if (several and plain) or all(split_named(path.name) for path in inside):
            ask_for_classes(train[0])
        return False
    if several or len(inside) == 1:
        return True
    if not is_plain(train[0].name):
        return False
    ask_about_lone_train(root, train[0], [path for path in inside if path not in train])
    return True


def _split_layout(root: Path, inside: list[Path], by_split: dict[SplitName, list[Path]]) -> Layout:
    splits: dict[SplitName, Classes] = {}
    skipped = []
    loose_in = []
    for name, found in by_split.items():
        if len(found) > 1:
            raise ImagetteError(
                f"{printable(found[0])} and {printable(found[1].name)} could both be the {name}"
                " split.",
                "Keep one of them, or put them together.",
            )
        top = _only_folder(found[0], splits.get("train", {}).__contains__)
        classes = {path.name: [path] for path in picture_folders(top)}
        if name == "train" or len(classes) > 1 or classes.keys() & splits["train"].keys():
            splits[name] = classes
            loose_in.append(top)
        elif holds_images(top):
            where = printable(found[0].relative_to(root))
            skipped.append((where, _without_labels(found[0])))
    parts = list(chain.from_iterable(by_split.values()))
    skipped += [
        (printable(path.relative_to(root)), "is neither train, validation nor test.")
        for path in inside
        if path not in parts
    ]
    return Layout(root, splits, loose_in, tuple(skipped))


def _without_labels(folder: Path) -> str:
    return (
        "its pictures lie in no folders of the classes, so they are neither learned nor measured"
        f" on. To know what the model says of them: imagette predict {printable(folder)} --model"
        " BUNDLE."
    )


def _splits_of_classes(inside: list[Path]) -> dict[SplitName, Classes]:
    """The classes of each split where every class has folders of splits; else none."""
    splits: dict[SplitName, Classes] = {}
    for path in inside:
        parts = folders_in(path)
        names = [split_named(part.name) for part in parts]
        if "train" not in names or None in names:
            return {}
        for part, name in zip(parts, names, strict=True):
            if name:
                splits.setdefault(name, {}).setdefault(path.name, []).append(part)
    return splits
