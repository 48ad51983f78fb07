"""The Parquet files of a dataset: either one, or a folder of them, by split.

Their names tell the splits (`train-00000-of-00002.parquet`), or those of the folders that they lie
in (`train/0000.parquet`), in the folder itself or in one inside.
"""

from itertools import chain
from pathlib import Path

from imagette.data.data_source import Skipped
from imagette.data.sources.split_names import SplitName, split_named
from imagette.errors import ImagetteError
from imagette.images.find_images import folders_in


def is_parquet(path: Path) -> bool:
    """Whether a path is a Parquet file, or a folder of such files and not one of class folders."""
    if not path.is_dir():
        return path.suffix.lower() == ".parquet" and path.is_file()
    return bool(_files(path))


def _files(folder: Path) -> list[Path]:
    """Its Parquet files, and those in folders `data`, or of splits, or in another one around all;
    none where other folders are there."""
    own = [path for path in folder.glob("*.parquet") if path.name[0] != "."]
    inside = folders_in(folder)
    if not own and len(inside) == 1 and not _may_hold_files(inside[0]):
        return _files(inside[0])
    files = [_files(one) if _may_hold_files(one) else [] for one in inside]
    return sorted(chain(own, *files)) if all(files) else []


def _may_hold_files(folder: Path) -> bool:
    return folder.name == "data" or split_named(folder.name) is not None


def files_by_split(path: Path) -> tuple[dict[SplitName, list[Path]], Skipped]:
    """The files of each split, and those that are of none."""
    if path.is_file():
        return {"train": [path]}, ()
    found: dict[SplitName | None, list[Path]] = {}
    for file in _files(path):
        found.setdefault(split_named(file.stem) or split_named(file.parent.name), []).append(file)
    others = found.pop(None, [])
    if others and "train" not in found:
        found["train"], others = others, []
    if "train" not in found:
        raise ImagetteError(f"{path} has no file of the train split.", "Call it train.parquet.")
    skipped = tuple(
        (file.relative_to(path).as_posix(), "is neither train, validation nor test.")
        for file in others
    )
    return {name: files for name, files in found.items() if name}, skipped
