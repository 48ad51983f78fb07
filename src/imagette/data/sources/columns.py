"""Which column of a table is the picture's, the class's, the split's: one rule for all tables.

Names are compared without capitals, accents, plurals and what is no letter: `Image_Paths` is
`imagepath`. Where no name is a usual one, what stands in the columns decides, and where that leaves
more than one, the error asks.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from unicodedata import combining, normalize

from imagette.data.sources.split_names import SplitName, split_named
from imagette.errors import ImagetteError
from imagette.wording import listed

IMAGE_NAMES = (
    "path", "filepath", "imagepath", "imgpath", "picturepath", "photopath", "imagefilepath",
    "filename", "imagefilename", "imagefile", "imgfile", "file", "fname", "imagename", "imgname",
    "image", "img", "picture", "photo", "pic", "chemin", "fichier", "nomfichier",
    "uri", "imageuri", "url", "imageurl", "imageid", "imgid", "idcode", "name", "nom", "id",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labelname", "class", "classname", "category", "categoryname", "target", "targetname",
    "classlabel", "lbl", "etiquette", "classe", "categorie",
    "labelid", "classid", "categoryid", "targetid", "labelindex", "classindex", "classidx",
    "species", "breed", "variety", "espece", "race",
)  # fmt: skip
SPLIT_NAMES = (
    "split", "set", "dataset", "datasplit", "splitname", "subset", "partition", "part", "usage",
    "fold",
)  # fmt: skip
"""Each column's usual names, the first that is there being the one."""

_SURE_SPLIT_NAMES = ("split", "datasplit", "splitname", "partition")
"""What hardly another column is called."""
_FRACTION = re.compile(r"[+-]?\d*\.\d*[1-9]\d*(e[+-]?\d+)?")
_TRUE, _FALSE = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")

Values = Callable[[], Sequence[Any]]
"""Gives the values of a column, which may take a while."""


def rank(column: str, names: tuple[str, ...]) -> int | None:
    """The place of a column's name among usual ones; None where it is none of them."""
    letters = normalize("NFKD", column.casefold())
    plain = "".join(letter for letter in letters if letter.isalnum() and not combining(letter))
    known = next((name for name in (plain, plain.removesuffix("s")) if name in names), None)
    return None if known is None else names.index(known)


def usual(columns: Iterable[str], names: tuple[str, ...]) -> list[str]:
    """The columns with usual names, the most usual first."""
    ranks = {column: rank(column, names) for column in columns}
    known = {column: place for column, place in ranks.items() if place is not None}
    return sorted(known, key=known.__getitem__)


def find_label(
    candidates: Mapping[str, Values], where: str, there: Sequence[str], layout: str
) -> tuple[str, tuple[str, ...]]:
    """The column that tells the classes.

    Args:
        candidates: the columns that it may be.
        where: what to call the table.
        there: the names of all its columns.
        layout: how to lay out such a table.

    Returns:
        Its name, and what to know of the choice.

    Raises:
        ImagetteError: none would do, or several, and none has a usual name.
    """
    known = usual(candidates, LABEL_NAMES)
    if known:
        if len(known) == 1:
            return known[0], ()
        return known[0], (f"Classes are those of the column {known[0]}, not of {known[1]}.",)
    would_do = [column for column, values in candidates.items() if _classifies(values())]
    if len(would_do) == 1:
        return would_do[0], (f"The column {would_do[0]} is taken for the classes.",)
    if would_do:
        raise ImagetteError(
            f"Several columns of {where} could tell the classes: {listed(would_do, 'en')}.",
            "Rename the right one to `label`.",
        )
    raise ImagetteError(
        f"{where} has no column of classes: it has {listed(there, 'en')}, and none of them sorts"
        " the pictures into a few classes.",
        layout,
    )


def _classifies(values: Sequence[Any]) -> bool:
    """Whether values repeat as classes do: a third of them or more have been there before."""
    filled = [value for value in values if value is not None and value != ""]
    different = set(filled)
    if any(_FRACTION.fullmatch(str(value)) for value in different):
        return False
    return len(different) > 1 and 3 * len(different) <= 2 * len(filled)


def find_splits(
    columns: Mapping[str, Values], where: str
) -> tuple[list[str], list[SplitName | None]] | None:
    """The columns that tell the splits, and the split of each row; None where none does.

    Either one column of names, or some that say yes or no, such as `is_valid`. A row of which
    nothing is said is one to train with; what is said and not known is None.

    Raises:
        ImagetteError: a column called `split` or `partition` names nothing that is known as one.
    """
    flags = {}
    for column in columns:
        split = _flagged(column)
        values = [_text(value).lower() for value in columns[column]()] if split else []
        if split and any(values) and all(value in (*_TRUE, *_FALSE, "") for value in values):
            flags[column] = (split, [value in _TRUE for value in values])
    if flags:
        return list(flags), list(_by_flags(dict(flags.values())))
    known = usual(columns, SPLIT_NAMES)
    for column in known + [column for column in columns if column not in known]:
        values = [_text(value) for value in columns[column]()]
        named = {value: split_named(value) for value in set(values) - {""}}
        sure = any(named.values()) if column in known else len(named) > 1 and all(named.values())
        if sure:
            return [column], [named[value] if value else "train" for value in values]
        if rank(column, _SURE_SPLIT_NAMES) is not None and named:
            raise ImagetteError(
                f"The column {column} of {where} says {listed(sorted(named), 'en', most=5)}, which"
                " names no splits.",
                "Write train, validation or test there, or give the column another name.",
            )
    return None


def may_split(column: str) -> bool:
    """Whether a column's name says that it may tell the splits."""
    return rank(column, SPLIT_NAMES) is not None or _flagged(column) is not None


def _flagged(column: str) -> SplitName | None:
    """The split of which a column says yes or no, by its name: `is_valid`, `test`."""
    return split_named(re.sub("^is(?=[_A-Z ])", "", column.strip()))


def _by_flags(flags: dict[SplitName, list[bool]]) -> Iterable[SplitName | None]:
    """The split of each row that says yes to one; else the one that no column asks about."""
    order: tuple[SplitName, ...] = ("train", "test", "validation")
    otherwise = next((split for split in order if split not in flags), None)
    for row in zip(*flags.values(), strict=True):
        yes = dict(zip(flags, row, strict=True))
        yield next((split for split in reversed(order) if yes.get(split)), otherwise)


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
