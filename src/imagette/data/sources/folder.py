"""A folder of images, one folder inside it for each class, perhaps by split (see `layout.py`).

The name of a class's folder is the name of the class; images may lie deeper inside it.
"""

from pathlib import Path

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
from imagette.data.sources.layout import LAYOUT, Classes, Layout, find_layout
from imagette.errors import ImagetteError
from imagette.images.find_images import (
    LeftOut,
    find_images,
    folders_in,
    holds_images,
    in_short,
    look_in,
)
from imagette.images.signatures import UNPACK, first_bytes, what_else
from imagette.wording import has_controls, printable


def open_folder(folder: Path) -> ImageIndex:
    """Find the images of a folder; what is left out is listed in `skipped`.

    Raises:
        ImagetteError: it has fewer than two classes, another split has a class that the train split
            lacks, it is not clear which folders are splits, or a folder's name is not UTF-8.
    """
    given = folder.resolve()
    _check_name(given)
    layout = find_layout(folder)
    if not layout.splits["train"]:
        _check_for_folders(given, layout.root)
    names = name_classes(printable(name) for some in layout.splits.values() for name in some)
    found, left_out = {}, _loose(layout)
    for split, classes in layout.splits.items():
        found[split], more = _list_split(layout.root, classes, names)
        left_out += more
    told = [
        (printable(path.relative_to(layout.root)), reason) for path, reason in in_short(left_out)
    ]
    return ImageIndex(
        given.name,
        in_order({names.of[printable(name)] for name in layout.splits["train"]}),
        found["train"],
        found.get("test"),
        validation=found.get("validation"),
        source=str(given),
        skipped=(*layout.skipped, *told),
        notes=names.notes + _further_down(layout),
        layout=LAYOUT,
    )


def _check_name(path: Path) -> None:
    if not _is_utf8(path):
        raise ImagetteError(
            f"The name of the folder {printable(path)} is not UTF-8.",
            "Rename it, so that it can be shown and saved.",
        )
    if has_controls(path.name):
        raise ImagetteError(
            f"The name of the folder {path.name!a} has a line break or another control"
            " character in it.",
            "Rename it, so that it can be shown and saved.",
        )


def _is_utf8(path: Path) -> bool:
    return printable(path) == str(path)


def _check_for_folders(given: Path, root: Path) -> None:
    """Say what there is instead where there is no folder of a class."""
    if images := look_in(root).images:
        number = f"{len(images):,} pictures, such as" if len(images) > 1 else "one picture,"
        raise ImagetteError(
            f"{given} holds {number} {printable(images[0].name)}, but no folder for each class.",
            "Put the pictures of each class into a folder that is named after it.",
        )
    for path in sorted(root.iterdir()):
        if path.is_file() and (told := what_else(first_bytes(path))):
            what, do = told
            if do == UNPACK:
                do = "unpack what belongs to a class into a folder that is named after it"
            raise ImagetteError(
                f"{given} holds no folder of pictures; {printable(path.name)} is {what}.",
                f"{do[0].upper()}{do[1:]}.",
            )


def _list_split(
    root: Path, classes: Classes, names: ClassNames
) -> tuple[tuple[ImageRef, ...], LeftOut]:
    """Every image of every class, called by its path relative to `root`, and what is left out."""
    refs: list[ImageRef] = []
    left_out: LeftOut = []
    for name, folders in classes.items():
        for folder in folders:
            _check_name(folder)
            found = find_images(folder, root)
            left_out += found.left_out
            for path in found.images:
                if _is_utf8(path):
                    refs.append(file_ref(path, names.of[name], path.relative_to(root).as_posix()))
                else:
                    left_out.append((path, "its name is not UTF-8."))
    return tuple(refs), left_out


def _further_down(layout: Layout) -> tuple[str, ...]:
    """What class pictures are of that lie in folders inside those of the classes."""
    for name, folders in layout.splits["train"].items():
        inside = [path for folder in folders for path in folders_in(folder) if holds_images(path)]
        if len(inside) > 1:
            example = printable(inside[0].relative_to(layout.root))
            return (
                "Folders inside those of the classes are not classes of their own: pictures in"
                f" {example} are of the class {printable(name)}.",
            )
    return ()


def _loose(layout: Layout) -> LeftOut:
    """What lies beside the folders of splits and classes: images, and what Imagette wrote."""
    left_out: LeftOut = []
    for folder in dict.fromkeys((layout.root, *layout.loose_in)):
        found = look_in(folder)
        left_out += [(path, "lies in no class's folder.") for path in found.images]
        left_out += found.left_out
    return left_out
