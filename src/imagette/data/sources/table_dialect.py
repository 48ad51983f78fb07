"""The lines of a table, however a program has written it: encoding, separators, JSON."""

import codecs
import csv
import io
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from imagette.errors import ImagetteError

_JSON = (".json", ".jsonl", ".ndjson")
_SHEETS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")
ENDINGS = (".csv", ".tsv", ".tab", ".psv", ".txt", *_JSON, *_SHEETS)
_SAVE_AS_CSV = "Open it in the program that wrote it, save it as CSV (UTF-8), and give that file."
_BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How the files of spreadsheets begin."""


class Line(NamedTuple):
    """A line: its number in the file, counted from 1, and its cells without space around them."""

    number: int
    cells: list[str]


def read_lines(file: Path) -> tuple[list[Line], tuple[str, ...]]:
    """The lines of a table that are not blank, the names of the columns too where it has some.

    Returns:
        The lines, and what to know of how they were read.

    Raises:
        ImagetteError: it is no table, or it cannot be read as one.
    """
    content = file.read_bytes()
    if content.startswith(_BINARY) or file.suffix.lower() in _SHEETS:
        raise ImagetteError(f"{file} is a spreadsheet, which is not read.", _SAVE_AS_CSV)
    text, notes = _decode(content, file)
    if file.suffix.lower() in _JSON:
        return _read_json(text, file), notes
    told = re.match(r'"?sep=(.)"?\s*?\n', text)  # Excel's
    skipped = 1 if told else 0
    lines = text[told.end() :] if told else text
    delimiter = told[1] if told else find_delimiter(lines)
    reader = _reader(lines, delimiter)
    try:
        found = [Line(reader.line_num + skipped, _stripped(cells)) for cells in reader]
    except csv.Error as error:
        raise _unreadable(file, str(error)) from error
    return [line for line in found if any(line.cells)], notes


def _decode(content: bytes, file: Path) -> tuple[str, tuple[str, ...]]:
    notes: tuple[str, ...] = ()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif len(content) > 1 and 0 in content[:2] and any(content[:2]):  # no mark, but ASCII
        encoding = "utf-16-le" if content[1] == 0 else "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        try:
            text = content.decode("cp1252")
        except UnicodeDecodeError as error:
            raise _unreadable(file, str(error)) from error
        notes = (
            f"{file.name} is not UTF-8 and was read as Windows-1252: see that accents are right.",
        )
    if "\0" in text:
        raise _unreadable(file, "it is not text")
    return text, notes


def _reader(text: str, delimiter: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def find_delimiter(text: str) -> str:
    """What separates the cells: by it, most lines have the same number of them, and several."""
    lines = text[:200_000].splitlines()[:100]

    def quality(delimiter: str, lines: list[str] = lines) -> tuple[float, int]:
        try:
            rows = _reader("\n".join(lines), delimiter)
            widths = [len(_stripped(cells)) for cells in rows if cells]
        except csv.Error:
            return 0, 0
        [(width, times)] = Counter(widths).most_common(1) or [(0, 0)]
        return (times / len(widths), width) if width > 1 else (0, 0)

    best = max(",;\t|", key=quality)
    if quality(best) == (0, 0):
        # Lists as programs of research have them, `pictures/1.png 0`; the first line may be names.
        return " " if quality(" ", lines[1:])[0] == 1 else ","
    return best


def _stripped(cells: list[str]) -> list[str]:
    cells = [cell.strip() for cell in cells]
    return cells if len(cells) < 2 or cells[-1] else cells[:-1]  # a separator at the end


def _read_json(text: str, file: Path) -> list[Line]:
    """Objects, in lines or a list, or one with a label for each path: the columns' names first."""
    try:
        try:
            records = json.loads(text)
        except ValueError:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise _unreadable(file, str(error)) from error
    if isinstance(records, dict) and not any(
        isinstance(one, dict | list) for one in records.values()
    ):
        records = [{"path": path, "label": label} for path, label in records.items()]
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ImagetteError(
            f"{file} is not a list of pictures and their labels.",
            'Write an object for each, as {"file_name": "photos/tom.jpg", "label": "cat"},'
            " or a CSV file.",
        )
    names = list(dict.fromkeys(name for record in records for name in record))
    lines = [["" if cell is None else _plain(cell) for cell in map(record.get, names)]
             for record in records]  # fmt: skip
    return [Line(number, cells) for number, cells in enumerate([names, *lines])]


def _plain(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).strip()


def _unreadable(file: Path, reason: str) -> ImagetteError:
    return ImagetteError(
        f"{file} cannot be read as a table: {reason}.", "Save it again as CSV in UTF-8."
    )
