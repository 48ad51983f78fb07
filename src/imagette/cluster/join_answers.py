"""The answers of all parts, in order, in one file: Parquet, CSV or JSON Lines."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imagette.cluster.answer_part import answer_schema
from imagette.files import replacing
from imagette.inference.row_file import Csv, JsonLines

_ROWS = 32_768
"""Of a row group: enough for what reads Parquet by columns, few enough to lie in memory."""


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
    parts: Iterable[Path], out: Path, class_names: tuple[str, ...], class_names_fr: tuple[str, ...],
    model: str, about: str,
) -> Counts:  # fmt: skip
    """Write one file of what the files of all parts hold.

    CSV and JSON Lines are as `imagette predict` writes them elsewhere; Parquet has the columns of
    `answer_schema`.

    Args:
        parts: the files, in order.
        out: ends in `.parquet`, `.csv` or `.jsonl`.
        class_names: in English, in the classes' order.
        class_names_fr: in French.
        model: as of `model_digest`.
        about: what is noted in the metadata of Parquet.

    Returns:
        How often each answer was given.

    Raises:
        ImagetteError: it cannot be written; the parts are left as they are.
    """
    counts = Counts()
    with replacing(out) as temporary:
        if out.suffix.lower() == ".parquet":
            _write_parquet(temporary, _groups(parts, counts), class_names, model, about)
            return counts
        form = JsonLines() if out.suffix.lower() == ".jsonl" else Csv(class_names)
        with temporary.open("wb") as file:
            file.write(form.header)
            for table in _groups(parts, counts):
                rows = _rows(table, class_names, class_names_fr, model)
                file.writelines(map(form.to_bytes, rows))
    return counts


def read_about(out: Path) -> str | None:
    """What is noted in the metadata of a file of answers; None where it is no such file."""
    from pyarrow import ArrowException, parquet

    if out.suffix.lower() != ".parquet":
        return None
    try:
        about: bytes | None = (parquet.read_schema(out).metadata or {}).get(b"answers")
    except (OSError, ArrowException):
        return None
    return None if about is None else about.decode()


def _groups(parts: Iterable[Path], counts: Counts) -> Iterator[Any]:
    """The answers of some parts at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    tables: list[Any] = []
    rows = 0
    for part in parts:
        table = parquet.read_table(part)
        counts.add(table)
        tables.append(table)
        rows += table.num_rows
        if rows >= _ROWS:
            yield pa.concat_tables(tables)
            tables, rows = [], 0
    if tables:
        yield pa.concat_tables(tables)


def _write_parquet(
    path: Path, tables: Iterable[Any], class_names: tuple[str, ...], model: str, about: str
) -> None:
    from pyarrow import parquet

    schema = answer_schema(class_names, model)
    schema = schema.with_metadata({**schema.metadata, "answers": about})
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
    for row in table.to_pylist():
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
