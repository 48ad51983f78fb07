"""The list of all pictures, in numbered parts; written once, so that a later run resumes the same.

It is a file in Arrow's IPC format, with a record batch for each part: a part is read without the
others, so ten million paths are never in memory together.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imagette.cluster.file_systems import stamp_of, unreachable
from imagette.cluster.picture_sources import Entry
from imagette.files import replacing, write_json

_LIST, _ABOUT = "pictures.arrow", "about.json"
_FIRST, _MOST, _AS_LARGE = 128, 1024, 16
"""Pictures of a part: sixteen parts each of 128, 256 and 512, then 1,024. Small parts first, so
that few pictures are shared among many machines; then large ones, as each costs some time."""
_BYTES, _CONTENT_BYTES = 256_000_000, 16_000_000
"""Of the files of a part, as far as is known, and of what is copied into the list."""
_COLUMNS = ("name", "root", "place", "how", "start", "size", "content")


@dataclass(frozen=True)
class PictureList:
    """A list that is written.

    Attributes:
        path: its file.
        about: what it was made of.
        counts: how many pictures each part has.
        roots: the buckets that its pictures lie in.
        files: the archives and lists it was made of, as of `PictureSources`.
    """

    path: Path
    about: dict[str, Any]
    counts: tuple[int, ...]
    roots: tuple[str, ...]
    files: list[Any]

    @property
    def changed(self) -> str | None:
        """The name of an archive or a list that has changed since; None if there is none.

        Raises:
            ImagetteError: a bucket does not answer.
        """
        for name, root, place, stamp in self.files:
            try:
                now = stamp_of(self.roots[root] if root >= 0 else None, place)
            except OSError as error:
                raise unreachable(name, error) from error
            if list(now or ()) != (stamp or []):
                return str(name)
        return None

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(self.counts)


def open_list(folder: Path) -> PictureList | None:
    """The list in a folder; None where there is none that was completed."""
    try:
        found = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        counts, roots = tuple(found.pop("counts")), tuple(found.pop("roots"))
        files = found.pop("files")
    except (FileNotFoundError, ValueError, KeyError):
        return None
    return PictureList(folder / _LIST, found, counts, roots, files)


def remove_list(folder: Path) -> None:
    """Remove a list, and nothing else that is in the folder."""
    for name in (_ABOUT, _LIST):
        (folder / name).unlink(missing_ok=True)


def write_list(
    folder: Path,
    entries: Iterable[Entry],
    roots: list[str],
    files: list[Any],
    about: dict[str, Any],
) -> None:
    """Write all pictures; `open_list` finds the list only once all are written.

    Args:
        folder: where to.
        entries: the pictures.
        roots: the buckets, complete after the last picture.
        files: the archives and lists, likewise.
        about: what the list is made of.

    Raises:
        ImagetteError: it cannot be written, or what `entries` raises.
    """
    import pyarrow as pa
    from pyarrow import ipc

    schema = pa.schema([
        ("name", pa.binary()), ("root", pa.int32()), ("place", pa.binary()), ("how", pa.string()),
        ("start", pa.int64()), ("size", pa.int64()), ("content", pa.binary()),
    ])  # fmt: skip
    counts = []
    options = ipc.IpcWriteOptions(compression="zstd")
    with (
        replacing(folder / _LIST) as temporary,
        temporary.open("wb") as file,  # of Python's, whose errors are in plain words
        ipc.new_file(file, schema, options=options) as writer,
    ):
        for part in _parts(entries):
            columns: list[Any] = list(zip(*part, strict=True))
            columns[0] = map(os.fsencode, columns[0])
            columns[2] = map(os.fsencode, columns[2])
            arrays = [
                pa.array(values, kind) for values, kind in zip(columns, schema.types, strict=True)
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            counts.append(len(part))
    write_json(folder / _ABOUT, {**about, "counts": counts, "roots": roots, "files": files})


def _parts(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    part: list[Entry] = []
    known = copied = number = 0
    for entry in entries:
        part.append(entry)
        known += entry.size if entry.how in ("file", "bytes", "zip") else 0
        copied += len(entry.content or b"")
        most = min(_MOST, _FIRST << (number // _AS_LARGE))
        if len(part) >= most or known >= _BYTES or copied >= _CONTENT_BYTES:
            yield part
            part, known, copied, number = [], 0, 0, number + 1
    if part:
        yield part


def packed_parts(path: Path, numbers: Iterable[int]) -> Iterator[bytes]:
    """Parts of a list, each in a form that travels to a worker."""
    import pyarrow as pa
    from pyarrow import ipc

    with pa.memory_map(str(path)) as file:
        parts = ipc.open_file(file)
        for number in numbers:
            batch = parts.get_batch(number)
            sink = pa.BufferOutputStream()
            with ipc.new_stream(sink, batch.schema) as writer:
                writer.write_batch(batch)
            yield sink.getvalue().to_pybytes()


def unpacked(part: bytes) -> list[Entry]:
    """The pictures of a part that `packed_parts` gave."""
    from pyarrow import ipc

    [batch] = ipc.open_stream(part)
    columns = [batch.column(name).to_pylist() for name in _COLUMNS]
    columns[0] = list(map(os.fsdecode, columns[0]))
    columns[2] = list(map(os.fsdecode, columns[2]))
    return list(map(Entry._make, zip(*columns, strict=True)))
