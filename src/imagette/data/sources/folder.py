"""A folder of images, one folder inside it for each class, perhaps by split (see `layout.py`).

The name of a class's folder is the name of the class; images may lie deeper inside it.
"""

from pathlib import Path

from imagette.data.class_names import ClassNames, in_order, name_classes
from imagette.data.data_source import Skipped
from imagette.data.sources.image_index import ImageIndex, ImageRef, file_ref
from imagette.data.sources.layout import LAYOUT, Classes, Layout, find_layout, printable
from imagette.errors import ImagetteError
from imagette.images.formats import is_image


def open_folder(folder: Path) -> ImageIndex:
    """Find the images of a folder; what is left out is listed in `skipped`.

    Raises:
        ImagetteError: it has fewer than two classes, another split has a class that the train split
            lacks, it is not clear which folders are splits, or a folder's name is not UTF-8.
    """
    given = folder.resolve()
    _check_name(given)
    layout = find_layout(folder)
    found, skipped = {}, layout.skipped + _loose(layout)
    names = name_classes(printable(name) for some in layout.splits.values() for name in some)
    for split, classes in layout.splits.items():
        found[split], left_out = _list_split(layout.root, classes, names)
        skipped += left_out
    return ImageIndex(
        given.name,
        in_order({names.of[printable(name)] for name in layout.splits["train"]}),
        found["train"],
        found.get("test"),
        validation=found.get("validation"),
        source=str(given),
        skipped=skipped,
        notes=names.notes,
        layout=LAYOUT,
    )


def _check_name(path: Path) -> None:
    if not _is_utf8(path):
        raise ImagetteError(
            f"The name of the folder {printable(path)} is not UTF-8.",
            "Rename it, so that it can be shown and saved.",
        )


def _is_utf8(path: Path) -> bool:
    return printable(path) == str(path)


def _list_split(
    root: Path, classes: Classes, names: ClassNames
) -> tuple[tuple[ImageRef, ...], Skipped]:
    """Every image of every class, and what is left out, that which is no image in one line.

    Paths are relative to `root`.
    """
    found, skipped, others = [], [], []
    for name, folders in classes.items():
        for folder in folders:
            _check_name(folder)
            for path in sorted(folder.rglob("*")):
                if not is_image(path):
                    others.append(path)
                elif _is_utf8(path):
                    relative = path.relative_to(root).as_posix()
                    found.append(file_ref(path, names.of[name], relative))
                else:
                    skipped.append((path, "its name is not UTF-8."))
    others = [path for path in others if path.name[0] != "." and path.is_file()]
    if others:
        more = f", like {len(others) - 1:,} more" if len(others) > 1 else ""
        skipped.append((min(others), f"is no picture by its name{more}."))
    told = tuple((printable(path.relative_to(root)), reason) for path, reason in skipped)
    return tuple(found), told


def _loose(layout: Layout) -> Skipped:
    """Images beside the folders of classes, which belong to none."""
    return tuple(
        (printable(path.relative_to(layout.root)), "lies in no class's folder.")
        for folder in layout.loose_in
        for path in sorted(folder.iterdir())
        if is_image(path)
    )
