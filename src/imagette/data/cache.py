"""Where what was downloaded, unpacked or decoded once is kept for the next time."""

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

from imagette.files import cache_folder

_DAYS_KEPT = 30


def keras_folder() -> Path:
    """Where Keras keeps what it downloads."""
    return Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))


def kept_folder(kind: str) -> Path:
    """The cache's folder for things of one kind, made where it is missing.

    What nothing has used for a month is deleted from it; `touch` what is used.
    """
    folder = cache_folder() / kind
    folder.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - _DAYS_KEPT * 86_400
    for path in folder.iterdir():
        with suppress(OSError):  # another process deletes it, too, or it may only be read
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder
