"""A file of answers that grows a row at a time, and that a later run goes on with.

What is in it survives any end of the program: rows reach the system as they come, and a last one
that was cut short is taken away when the file is opened again.
"""

import csv
import io
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, Self

from imagette.errors import ImagetteError
from imagette.files import make_folder, without_formula
from imagette.inference.batch import Row

_COLUMNS = (
    "file", "label", "label_fr", "index", "confidence", "known", "familiarity", "error", "remedy",
    "explanation", "model",
)  # fmt: skip


class _Format(Protocol):
    @property
    def begins(self) -> bytes:
        """With what every file that is not empty begins."""

    @property
    def header(self) -> bytes: ...
    def to_bytes(self, row: Row) -> bytes: ...
    def to_row(self, record: bytes) -> Any: ...
    def written(self, name: str) -> str:
        """How the name of a picture stands in the file."""


class JsonLines:
    """A JSON object a line."""

    begins, header = b'{"file": ', b""

    def to_bytes(self, row: Row) -> bytes:
        """The line of a row."""
        # Bytes in a file's name that are no UTF-8 become escapes, which JSON knows too.
        return json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"

    def to_row(self, record: bytes) -> Any:
        """What a line holds; ValueError if it is no JSON."""
        return json.loads(record)

    def written(self, name: str) -> str:
        """The name itself."""
        return name


class Csv:
    """Comma-separated values, a column `probability_<class>` for each class.

    Args:
        class_names: in English, in the classes' order.
        top: of how many classes a row holds the probabilities, the most probable first; then there
            are `label_1`, `probability_1`, `label_2` and so on. None for all, in their order.
    """

    def __init__(self, class_names: Iterable[str], top: int | None = None) -> None:
        self._class_names = tuple(class_names)
        self._top = top and min(top, len(self._class_names))
        if self._top is None:
            more = [f"probability_{name}" for name in self._class_names]
        else:
            ranks = range(1, self._top + 1)
            more = [f"{what}_{rank}" for rank in ranks for what in ("label", "probability")]
        self.begins = self.header = self._line([*_COLUMNS, *more])

    def to_bytes(self, row: Row) -> bytes:
        """The line of a row; more than one where a file is called so."""
        probabilities: dict[str, float] = row.get("probabilities", {})
        values = [row.get(column) for column in _COLUMNS]
        if self._top is None:
            values += [probabilities.get(name) for name in self._class_names]
        elif probabilities:
            values += [cell for item in probabilities.items() for cell in item]
        else:
            values += [None] * (2 * self._top)
        return self._line(values)

    def to_row(self, record: bytes) -> Any:
        """The row, but for its probabilities."""
        text = io.StringIO(record.decode("utf-8", "surrogateescape"), newline="")
        values = next(csv.reader(text), [])
        return {name: value for name, value in zip(_COLUMNS, values, strict=False) if value}

    def written(self, name: str) -> str:
        """The name, with an apostrophe where a spreadsheet would take it for a formula."""
        return str(without_formula(name))

    @staticmethod
    def _line(values: list[Any]) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerow(map(without_formula, values))
        return text.getvalue().encode("utf-8", "surrogateescape")


class RowFile:
    """A file of rows, opened to begin it or to go on with it.

    Args:
        path: a file that ends in `.jsonl` or `.csv`.
        class_names: in English, in the classes' order.
        model: what `imagette.inference.batch.model_digest` says of the bundle that answers.
        top: as of `Csv`.

    Attributes:
        path: the file.
        done: the names of the pictures that it held when it was opened, as they stand there.
        unreadable: how many rows of it, the new ones too, are of pictures that cannot be read.

    Raises:
        ImagetteError: the file ends otherwise, holds something else, or answers of another model,
            cannot be opened, or another program is writing to it.
    """

    def __init__(
        self, path: Path, class_names: Iterable[str], model: str, top: int | None = None
    ) -> None:
        self._format: _Format
        if path.suffix.lower() == ".jsonl":
            self._format = JsonLines()
        elif path.suffix.lower() == ".csv":
            self._format = Csv(class_names, top)
        else:
            raise ImagetteError(
                f"Answers cannot be written to {path}.",
                "Give a file that ends in .jsonl (JSON Lines) or .csv; with --ray, also .parquet.",
            )
        self.path = path
        self.done: set[str] = set()
        self.unreadable = 0
        self._model = model
        try:
            make_folder(path.parent)
            self._file = path.open("a+b", buffering=0)
        except OSError as error:
            raise ImagetteError(
                f"{path} cannot be opened: {error.strerror or error}.",
                "Choose another file, or one that you may write to.",
            ) from error
        try:
            self._lock()
            self._size = self._read()
            self._file.truncate(self._size)
        except BaseException:
            self._file.close()
            raise
        if self._size == 0 and self._format.header:
            self._append(self._format.header)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def holds(self, name: str) -> bool:
        """Whether it held an answer about the picture when it was opened."""
        return self._format.written(name) in self.done

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows behind those that are there.

        Raises:
            ImagetteError: they cannot be written; the file ends with the last row before them.
        """
        rows = list(rows)
        self._append(b"".join(map(self._format.to_bytes, rows)))
        self.unreadable += sum("error" in row for row in rows)

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._size)
            raise ImagetteError(
                f"{self.path} could not be written: {error.strerror or error}.",
                "The answers so far are in it: free some space, then run the same command again,"
                " which goes on from there.",
            ) from error
        self._size += len(content)

    def _read(self) -> int:
        """Note what is done; return where the last whole row ends, in bytes."""
        size, number = 0, 1
        record, begins = b"", self._format.begins
        self._file.seek(0)
        with open(self._file.fileno(), "rb", closefd=False) as lines:  # buffered
            for line in lines:
                record += line
                # A value of CSV in quotation marks may go on in the next line.
                if line.endswith(b"\n") and not (self._format.header and record.count(b'"') % 2):
                    if size or not self._format.header:
                        self._note(record, number)
                    elif record != begins:
                        raise self._foreign(number, "names other columns")
                    size += len(record)
                    record = b""
                number += 1
        # What is left was cut short; it is taken away only where it is sure to be a row.
        cut = not size or not self._format.header
        if cut and record[: len(begins)] != begins[: len(record)]:
            raise self._foreign(number - 1, "is no answer of `imagette predict`")
        return size

    def _note(self, record: bytes, number: int) -> None:
        try:
            row = self._format.to_row(record)
            name, model = row["file"], row["model"]
        except (ValueError, KeyError, TypeError, csv.Error, RecursionError):
            raise self._foreign(number, "is no answer of `imagette predict`") from None
        if model != self._model:
            raise ImagetteError(
                f"{self.path} holds answers of another model ({model}; this one is {self._model}).",
                "Give another file, or delete this one to start over.",
            )
        self.done.add(name)
        self.unreadable += "error" in row

    def _foreign(self, number: int, what: str) -> ImagetteError:
        return ImagetteError(
            f"{self.path} holds something else: its line {number} {what}.",
            "Give another file; this one is left as it is.",
        )

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImagetteError(
                f"Another program is writing to {self.path}.", "Wait for it, or give another file."
            ) from None
        except OSError:  # a file system that knows no locks
            return
