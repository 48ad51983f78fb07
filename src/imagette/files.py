"""Writing files so that a crash, a kill or a full disk never leaves half of one."""

import csv
import io
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from imagette.errors import ImagetteError

MARK = ".imagette"
"""The file that says of a folder that Imagette made it."""
SOFTWARE = "Imagette"
"""What the field `Software` of the PNG files says that Imagette writes."""
SHARED_VARIABLE = "IMAGETTE_SHARED_DIR"
"""How a server names the folder of `shared_folder` to the processes that it starts."""
COPIES = (
    "Imagette copies pictures into this folder, sorted. Where they came from they lie as well.\n"
)
"""What `MARK` holds in a folder of which nothing is read but where it is asked for by its name."""
_MARKED = "Imagette made this folder. Unless pictures of yours lie in it, it is no class of them.\n"


def make_private_folder(folder: Path, option: str) -> None:
    """Make a folder that only its owner may look into, or find that one that is there can be used.

    Args:
        folder: its path.
        option: which option of the command line names another one.

    Raises:
        ImagetteError: it cannot be made, or written to.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ImagetteError(
            f"The folder {folder} cannot be used: {error.strerror}.",
            f"Name another one with {option}.",
        ) from error


@contextmanager
def replacing(path: Path, folder: Path | None = None) -> Iterator[Path]:
    """Give a temporary path; on success it takes `path`'s place in one step.

    It lies beside `path`, or in another `folder` of the same disk, to be removed with that if the
    program is killed. When the body fails, it goes, and an earlier `path` stays as it was.

    Raises:
        ImagetteError: the file could not be written (a full disk, say).
    """
    # The ending stays, because savers choose the format by it.
    # Two that write the same file at once do not share it.
    temporary = (folder or path.parent) / f".writing-{secrets.token_hex(4)}-{path.name}"
    try:
        make_folder(path.parent)
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        raise ImagetteError(
            f"{path} could not be written: {error.strerror or error}.",
            "Free some space or choose a folder you may write to, then run the command again.",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """The folder named by the environment variable `IMAGETTE_CACHE_DIR`, or the user's cache."""
    if chosen := os.environ.get("IMAGETTE_CACHE_DIR"):
        return Path(chosen).expanduser()
    import platformdirs

    return platformdirs.user_cache_path("imagette")


def shared_folder() -> Path | None:
    """Where the processes of one server tell each other what they have found; None elsewhere."""
    shared = os.environ.get(SHARED_VARIABLE)
    return Path(shared) if shared and Path(shared).is_dir() else None


def make_folder(folder: Path) -> None:
    """Make a folder for what Imagette writes, and those above it that are missing.

    Each new one is marked, so that it is never taken for a class of pictures.

    Raises:
        OSError: it cannot be made.
    """
    new = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in new:
        (one / MARK).write_text(_MARKED, encoding="utf-8")


def remove_if_empty(folder: Path) -> None:
    """Remove a folder that holds nothing, and those above it that were made for it alone."""
    inside = {path.name for path in folder.iterdir()}
    while inside <= {MARK}:
        (folder / MARK).unlink(missing_ok=True)
        try:
            folder.rmdir()
        except OSError:  # something has come into it
            return
        folder = folder.parent
        inside = {path.name for path in folder.iterdir()} or {"not made for it"}


def _flush_to_disk(path: Path) -> None:
    """Make sure the bytes are on the disk before the name points at them (survives power loss)."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, all of it or nothing."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_csv(path: Path, rows: list[dict[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, as `csv_text` has them."""
    write_text(path, csv_text(rows, columns))


def csv_text(rows: list[dict[str, Any]], columns: Sequence[str] | None = None) -> str:
    """Rows as CSV under a line of their keys.

    Words that a spreadsheet would take for a formula have an apostrophe before them there: a class
    or a file may be called `=HYPERLINK(…)`.

    Args:
        rows: of values by key.
        columns: the keys; those of the first row if None, which must then be there.
    """
    columns = list(columns or rows[0])
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(without_formula, columns))
    writer.writerows([without_formula(row.get(key, "")) for key in columns] for row in rows)
    return text.getvalue()


# What begins so is a formula (OWASP, "CSV Injection"), also after what separates the cells where
# semicolons do, as in French.
_FORMULA = re.compile("(^|[;\t\r\n])(?=[=+@\t\r＝＋－＠-])")


def without_formula(cell: Any) -> Any:
    """What a cell of CSV may hold: words as in `csv_text`, all else as it is."""
    if not isinstance(cell, str):
        return cell
    try:
        float(cell)
    except ValueError:
        return _FORMULA.sub(r"\1'", cell)
    return cell
