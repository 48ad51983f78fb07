"""A folder whose pictures lie in no folders of classes, but which holds a table that tells them."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from imagette.data.class_names import in_order
from imagette.data.sources.csv_file import open_csv
from imagette.data.sources.folder import open_folder
from imagette.data.sources.image_index import ImageIndex, ImageRef
from imagette.data.sources.split_names import SplitName, split_named
from imagette.data.sources.table_beside import check_for_parts, with_tables_beside
from imagette.errors import ImagetteError
from imagette.images.find_images import folders_in
from imagette.wording import listed

_ENDINGS = (".csv", ".tsv", ".jsonl")


def open_folder_or_table(folder: Path) -> ImageIndex:
    """Find the images of a folder: by its folders of classes or, without, by the table in it.

    Tables of one split each, as `train/metadata.csv` and `test/metadata.csv`, are read together.

    Raises:
        ImagetteError: it has neither, several tables that could be meant, or one that contradicts
            the folders.
    """
    try:
        found = open_folder(folder)
        check_for_parts(found, _tables_beside(folder))
    except ImagetteError as error:
        places = (folder, *folders_in(folder))  # not where Imagette wrote tables of its own
        tables = [path for place in places for path in place.iterdir() if _is_table(path)]
        if not tables:
            raise
        return _open_tables(folder, sorted(tables), error)
    return with_tables_beside(found, _tables_beside(folder))


def _tables_beside(folder: Path) -> list[Path]:
    """The tables in a folder or, where it holds but another one, in that."""
    tables = sorted(path for path in folder.iterdir() if _is_table(path))
    inside = folders_in(folder)
    return tables or (_tables_beside(inside[0]) if len(inside) == 1 else [])


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in _ENDINGS and path.name[0] != "." and path.is_file()


def _open_tables(folder: Path, tables: list[Path], error: ImagetteError) -> ImageIndex:
    opened, failed = {}, {}
    for table in tables:
        name = table.relative_to(folder).as_posix()
        try:
            opened[name] = _within(open_csv(table), name)
        except ImagetteError as problem:
            failed[name] = problem
    if not opened:
        name, reason = next(iter(failed.items()))
        raise ImagetteError(
            f"{error.problem} The table {name} in it cannot be used either: {reason.problem}",
            f"{error.remedy} Or mend the table: {reason.remedy}",
        ) from error
    splits = {split: index for name, index in opened.items() if (split := _split_of(name))}
    if len(opened) == 1:
        [index] = opened.values()
    elif len(splits) == len(opened) and "train" in splits:
        index = _together(splits)
    else:
        raise ImagetteError(
            f"{folder} has no folders of classes, and several tables: {listed([*opened], 'en')}.",
            "Name the table to use, or leave only that one in the folder.",
        ) from error
    told = f"There are no folders of classes; those of {listed([*opened], 'en')} are taken."
    return replace(
        index,
        name=folder.resolve().name,
        source=str(folder.resolve()),
        skipped=index.skipped + tuple((name, one.problem) for name, one in failed.items()),
        notes=(told, *index.notes),
    )


def _within(index: ImageIndex, table: str) -> ImageIndex:
    """What a table lists, with paths from the folder around it on."""
    inside = Path(table).parent

    def moved(path: str) -> str:
        return (inside / path).as_posix()

    def all_moved(refs: Iterable[ImageRef]) -> tuple[ImageRef, ...]:
        return tuple(replace(ref, path=moved(ref.path)) for ref in refs)

    return replace(
        index,
        train=all_moved(index.train),
        validation=index.validation and all_moved(index.validation),
        test=index.test and all_moved(index.test),
        skipped=tuple((moved(path), reason) for path, reason in index.skipped),
    )


def _split_of(table: str) -> SplitName | None:
    """The split that a table is of, by its own name or that of its folder."""
    path = Path(table)
    return split_named(path.stem) or split_named(path.parent.name)


def _together(splits: dict[SplitName, ImageIndex]) -> ImageIndex:
    """One dataset of tables of one split each."""
    refs = {split: index.refs for split, index in splits.items()}
    return replace(
        splits["train"],
        class_names=in_order({ref.class_name for ref in refs["train"]}),
        class_names_fr=(),
        train=refs["train"],
        validation=refs.get("validation"),
        test=refs.get("test"),
        skipped=tuple(one for index in splits.values() for one in index.skipped),
        notes=tuple(dict.fromkeys(note for index in splits.values() for note in index.notes)),
    )
