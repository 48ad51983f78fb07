"""Pictures and their paths in lists, tables and Parquet files, read a few lines at a time."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, BinaryIO

from imagette.data.sources.columns import IMAGE_NAMES, usual
from imagette.data.sources.table_dialect import find_delimiter
from imagette.errors import ImagetteError
from imagette.images.formats import SUFFIXES

LISTS = (".txt", ".csv", ".tsv", ".tab", ".psv")
_HEAD = 100_000
"""Characters of a table by which its separator is told."""
_ROWS, _BYTES = 64, 32_000_000
"""Of encoded pictures that are read together."""


def paths_of_list(file: BinaryIO, name: str) -> Iterator[str]:
    """The paths in a `.txt` file, one a line, or in a table: in its column with a usual name, or
    the first that holds names of pictures.

    Raises:
        ImagetteError: the table has no such column.
    """
    text = io.TextIOWrapper(file, "utf-8-sig", "surrogateescape", newline="")
    if name.lower().endswith(".txt"):
        lines = (line.strip("\r\n") for line in text)
        yield from (line for line in lines if line.strip())
        return
    head = text.read(_HEAD)
    text.seek(0)
    rows: Iterable[list[str]] = csv.reader(
        text, delimiter=find_delimiter(head), skipinitialspace=True
    )
    rows = (row for row in rows if row)
    first = next(iter(rows), [])
    named = usual(first, IMAGE_NAMES)
    cells = [number for number, cell in enumerate(first) if _may_be_picture(cell)]
    if cells:
        column, rows = cells[0], chain([first], rows)
    elif named:
        column = first.index(named[0])
    else:
        raise ImagetteError(
            f"{name} has no column of pictures.",
            "Call the column with their paths `path` in its first line.",
        )
    found = (row[column].strip() for row in rows if len(row) > column)
    yield from (path for path in found if path)


def image_column(schema: Any) -> str | None:
    """The column of encoded pictures of a Parquet file: bytes, or structs that hold them."""
    names = [field.name for field in schema if _is_bytes(field.type)]
    return (usual(names, IMAGE_NAMES) or names or [None])[0]


def column_values(table: Any, group: int, column: str) -> Iterator[bytes]:
    """The pictures in a row group, a few at a time; no bytes where there is none."""
    about = table.metadata.row_group(group)
    chunks = [about.column(number) for number in range(about.num_columns)]
    size = sum(
        one.total_uncompressed_size
        for one in chunks
        if one.path_in_schema.partition(".")[0] == column
    )
    rows = max(1, min(_ROWS, _BYTES * about.num_rows // max(1, size)))
    for batch in table.iter_batches(rows, [group], [column]):
        for value in batch.column(0):
            content = value.as_py()
            yield (content.get("bytes") if isinstance(content, dict) else content) or b""


def paths_of_parquet(table: Any, name: str) -> Iterator[str]:
    """The paths in a Parquet file that has no pictures.

    Raises:
        ImagetteError: it has no column of paths.
    """
    from pyarrow import types

    texts = [
        field.name
        for field in table.schema_arrow
        if types.is_string(field.type) or types.is_large_string(field.type)
    ]
    named = usual(texts, IMAGE_NAMES)
    if not named:
        raise ImagetteError(
            f"{name} has no column of pictures or of their paths.",
            "Give it a column `image` of their bytes, or `path` of where they lie.",
        )
    for batch in table.iter_batches(10_000, columns=[named[0]]):
        yield from (text for text in batch.column(0).to_pylist() if text)


def _is_bytes(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0 and _is_bytes(kind.field("bytes").type)
    return types.is_binary(kind) or types.is_large_binary(kind)


def _may_be_picture(cell: str) -> bool:
    return cell.strip().lower().endswith(tuple(SUFFIXES))
