"""Features that were computed once, kept for the next time: ten pictures more cost ten pictures."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from imagette.data.cache import kept_folder
from imagette.models.efficientnet_lite import FEATURES

_MOST_BYTES = 4_000_000_000
_SECONDS_TO_WAIT = 30
"""While another process writes."""

Row = NDArray[np.float16]


class FeatureStore:
    """A file of features in the user's cache; without it, everything is computed anew.

    Args:
        backbone: what computes them; those of another are in another file.
    """

    def __init__(self, backbone: str) -> None:
        self._lock = Lock()
        self._file = _open(backbone)

    def find(self, keys: Sequence[bytes]) -> dict[bytes, Row]:
        """By its key the features of each picture, float16 `(1280,)`, that are known."""
        places = ",".join("?" * len(keys))
        with self._lock, suppress(sqlite3.Error):
            found = self._file.execute(
                f"SELECT key, value FROM features WHERE key IN ({places})", keys
            ).fetchall()
            return {
                key: np.frombuffer(value, np.float16)
                for key, value in found
                if len(value) == 2 * FEATURES
            }
        return {}

    def keep(self, pairs: Iterable[tuple[bytes, Row]]) -> None:
        """Keep features under their keys."""
        rows = [(key, row.astype(np.float16).tobytes()) for key, row in pairs]
        with self._lock, suppress(sqlite3.Error), self._file:  # as on a full disk
            self._file.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", rows)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._file.close()


def _open(backbone: str) -> sqlite3.Connection:
    """The file of a backbone; one in memory where the cache cannot be written."""
    try:
        path = kept_folder("features") / f"{backbone}.sqlite"
        if path.is_file() and path.stat().st_size > _MOST_BYTES:
            _remove(path)
        try:
            return _connect(path)
        except sqlite3.OperationalError:  # locked, or the disk is full
            raise
        except sqlite3.DatabaseError:  # damaged, or another program's
            _remove(path)
            return _connect(path)
    except (OSError, sqlite3.Error):
        return _connect(None)


def _connect(path: Path | None) -> sqlite3.Connection:
    file = sqlite3.connect(path or ":memory:", timeout=_SECONDS_TO_WAIT, check_same_thread=False)
    file.execute("PRAGMA journal_mode = WAL")
    file.execute("PRAGMA synchronous = OFF")  # it is a cache
    file.execute("CREATE TABLE IF NOT EXISTS features (key BLOB PRIMARY KEY, value BLOB)")
    file.commit()
    if path:
        path.touch()
    return file


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
