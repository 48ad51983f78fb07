"""Tables that lie beside folders of classes: the folders count, unless a table contradicts them."""

import re
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from imagette.data.sources.columns import LABEL_NAMES, usual
from imagette.data.sources.csv_file import open_csv
from imagette.data.sources.image_index import ImageIndex
from imagette.data.sources.table_dialect import read_lines
from imagette.errors import ImagetteError
from imagette.wording import listed

_PARTS = re.compile(r".*(part|batch|chunk|shard|folder|images?|imgs?|photos|pictures)[\W\d_]*\d")
"""Names of the folders that many pictures were divided into."""


def check_for_parts(index: ImageIndex, tables: list[Path]) -> None:
    """Make sure that the folders are not parts of one, whose classes a table beside them tells.

    Raises:
        ImagetteError: they are called so.
    """
    if tables and all(map(_PARTS.fullmatch, map(str.lower, index.class_names))):
        raise ImagetteError(
            f"The folders of {index.source} are named like parts of a dataset"
            f" ({listed(index.class_names, 'en', most=3)}), not like classes.",
            f"Give them names of classes, and move {tables[0].name} elsewhere.",
        )


def with_tables_beside(index: ImageIndex, tables: list[Path]) -> ImageIndex:
    """The same pictures, noting that tables beside their folders are not read.

    Raises:
        ImagetteError: a table has a column of classes, and these have nothing to do with the
            folders.
    """
    if not tables:
        return index
    folders = {ref.image: ref.class_name for ref in index.refs}
    for table in tables:
        told = _read(table)
        if _contradicts(Counter((folders[one], told[one]) for one in told.keys() & folders)):
            classes = listed(sorted(set(told.values())), "en", most=3)
            names = listed(index.class_names, "en", most=3)
            raise ImagetteError(
                f"{table} lists other classes ({classes}) than the folders beside it ({names}).",
                f"Give {table} in place of the folder if it is right; if not, move it elsewhere.",
            )
    files = listed([table.name for table in tables], "en", most=5)
    are = "is" if len(tables) == 1 else "are"
    note = f"Classes and splits are those of the folders; {files} beside them {are} not read."
    return replace(index, notes=(*index.notes, note))


def _read(table: Path) -> dict:
    """The class of each file, where a column with a usual name tells it; else nothing."""
    with suppress(ImagetteError):
        lines, _ = read_lines(table)
        if lines and usual(lines[0].cells, LABEL_NAMES):
            return {ref.image: ref.class_name for ref in open_csv(table).refs}
    return {}


def _contradicts(times: Counter[tuple[str, str]]) -> bool:
    """Whether two ways to sort the same pictures have nothing to do with one another.

    That is, neither helps to guess the other: Goodman and Kruskal's lambda is below a half, both
    ways. It is 1 where one only divides the other further, as species do families.
    """
    return bool(times) and all(_lambda(times, given) < 0.5 for given in (0, 1))


def _lambda(times: Counter[tuple[str, str]], given: int) -> float:
    total, alone, best = sum(times.values()), Counter[str](), dict[str, int]()
    for pair, number in times.items():
        alone[pair[1 - given]] += number
        best[pair[given]] = max(best.get(pair[given], 0), number)
    wrong = total - max(alone.values())
    return (sum(best.values()) - max(alone.values())) / wrong if wrong else 1.0
