"""The answers of all parts, in order, in one file: Parquet, CSV or JSON Lines."""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagette.cluster.answer_part import answer_schema, as_text
from imagette.files import replacing
from imagette.inference.row_file import Csv, JsonLines

_ROWS, _BYTES = 32_768, 128_000_000
"""Of a row group: enough for what reads Parquet by columns, few enough to lie in memory."""
_AT_ONCE = 256
"""Rows as Python's objects, which take ten times the memory that they take in Arrow's columns."""


@dataclass
class Counts:
    """How often each answer was given.

    Attributes:
        labels: by English name of the class.
        unknown: pictures that look like none of the classes.
        unreadable: pictures that cannot be read.
    """

    labels: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    unreadable: int = 0

    def add(self, table: Any) -> None:
        """Count the answers of a table."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.unreadable += len(table) - table["problem"].null_count
        known = pc.fill_null(table["known"], pa.scalar(value=True))
        self.unknown += len(table) - pc.sum(known, min_count=0).as_py()
        labels = table["label"].cast(pa.string()).filter(known).drop_null()
        for one in labels.value_counts().to_pylist():
            self.labels[one["values"]] += one["counts"]


def join_answers(
    parts: Iterable[Path],
    out: Path,
    folder: Path,
    class_names: tuple[str, ...],
    class_names_fr: tuple[str, ...],
    model: str,
) -> Counts:
    """Write one file of what the files of all parts hold.

    CSV and JSON Lines are as `imagette predict` writes them elsewhere; Parquet has the columns of
    `answer_schema`.

    Args:
        parts: the files, in order.
        out: ends in `.parquet`, `.csv` or `.jsonl`.
        folder: of the parts, where it lies until it is whole.
        class_names: in English, in the classes' order.
        class_names_fr: in French.
        model: as of `model_digest`.

    Returns:
        How often each answer was given.

    Raises:
        ImagetteError: it cannot be written; the parts are left as they are.
    """
    counts = Counts()
    with replacing(out, folder) as temporary:
        if out.suffix.lower() == ".parquet":
            _write_parquet(temporary, _groups(parts, counts), class_names, model)
            return counts
        form = JsonLines() if out.suffix.lower() == ".jsonl" else Csv(class_names)
        with temporary.open("wb") as file:
            file.write(form.header)
            for table in _groups(parts, counts):
                rows = _rows(table, class_names, class_names_fr, model)
                file.writelines(map(form.to_bytes, rows))
    return counts


def unreadable_in(
    out: Path, names: Iterable[str], class_names: tuple[str, ...], model: str
) -> int | None:
    """How many pictures cannot be read, by a file that `join_answers` wrote.

    Args:
        out: the file.
        names: of the pictures, in order.
        class_names: in English, in the classes' order.
        model: as of `model_digest`.

    Returns:
        Their number; None where the file is of other pictures, of another model, or something else.
    """
    from pyarrow import ArrowException

    kinds = {".parquet": (str, _in_parquet), ".jsonl": (str, _in_json_lines)}
    written, read = kinds.get(out.suffix.lower(), (Csv(class_names).written, _in_csv))
    unreadable = 0
    try:
        for name, (held, problem) in zip(names, read(out, model), strict=True):
            if written(as_text(name)) != held:
                return None
            unreadable += bool(problem)
    except (OSError, ValueError, LookupError, TypeError, csv.Error, ArrowException):
        return None  # another kind of file, or more or fewer pictures
    return unreadable


_Held = tuple[str, str | None]
"""What a picture is called in a file of answers, and why it cannot be read."""


def _in_parquet(out: Path, model: str) -> Iterator[_Held]:
    from pyarrow import parquet

    with parquet.ParquetFile(out) as file:
        if file.schema_arrow.metadata[b"model"].decode() != model:
            raise ValueError("another model")
        for batch in file.iter_batches(columns=["path", "problem"]):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _in_json_lines(out: Path, model: str) -> Iterator[_Held]:
    with out.open(encoding="utf-8") as file:
        yield from _in_rows(map(json.loads, file), model)


def _in_csv(out: Path, model: str) -> Iterator[_Held]:
    with out.open(encoding="utf-8", newline="") as file:
        yield from _in_rows(csv.DictReader(file), model)


def _in_rows(rows: Iterable[dict[str, str]], model: str) -> Iterator[_Held]:
    for row in rows:
        if row["model"] != model:
            raise ValueError("another model")
        yield row["file"], row.get("error")


def _groups(parts: Iterable[Path], counts: Counts) -> Iterator[Any]:
    """The answers of some parts at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    tables: list[Any] = []
    rows = size = 0
    for part in parts:
        table = parquet.read_table(part)
        counts.add(table)
        tables.append(table)
        rows, size = rows + table.num_rows, size + table.nbytes
        if rows >= _ROWS or size >= _BYTES:
            yield pa.concat_tables(tables)
            tables, rows, size = [], 0, 0
    if tables:
        yield pa.concat_tables(tables)


def _write_parquet(
    path: Path, tables: Iterable[Any], class_names: tuple[str, ...], model: str
) -> None:
    from pyarrow import parquet

    schema = answer_schema(class_names, model)
    # By a file of Python's, whose errors are in plain words.
    with (
        path.open("wb") as file,
        parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):
        for table in tables:
            writer.write_table(table.unify_dictionaries().cast(schema))


def _rows(
    table: Any, class_names: tuple[str, ...], class_names_fr: tuple[str, ...], model: str
) -> Iterator[dict[str, Any]]:
    """The answers as `imagette.inference.batch.to_row` has them."""
    number = {name: index for index, name in enumerate(class_names)}
    batches = table.to_batches(max_chunksize=_AT_ONCE)
    for row in (row for batch in batches for row in batch.to_pylist()):
        if row["problem"] is not None:
            told = {"error": row["problem"], "remedy": row["remedy"]}
        else:
            index = number[row["label"]]
            probabilities = dict(zip(class_names, row["probabilities"], strict=True))
            told = {
                "label": row["label"], "label_fr": class_names_fr[index], "index": index,
                "confidence": row["confidence"], "probabilities": probabilities,
                "known": row["known"], "familiarity": row["familiarity"],
            }  # fmt: skip
        yield {"file": row["path"], **told, "model": model}
