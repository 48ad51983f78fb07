"""The keys that clients may send, each with a name that may stand in logs.

A key is written `NAME:KEY` or `KEY`. A name is 1 to 32 of A-Z, a-z, 0-9, `_` and `-`; whatever
stands behind the first `:` after such a name is the key, so a key that holds a `:` needs a name.
Base64, hexadecimal digits and UUIDs hold none, and may stand alone.
"""

import logging
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from pydantic import SecretStr

from imagette.errors import ImagetteError
from imagette.files import write_text

_NAMED = re.compile(r"([A-Za-z0-9_-]{1,32}):(.*)", re.ASCII | re.DOTALL)

_FORM = "Write one key a line, as `KEY` or `NAME:KEY`; lines that begin with # are passed over."


def split_name(written: str) -> tuple[str, str]:
    """The name of a key, empty where it has none, and the key itself."""
    named = _NAMED.fullmatch(written.strip())
    return (named[1], named[2].strip()) if named else ("", written.strip())


def digest(key: str) -> bytes:
    """What is kept of a key: all are of one length, which a comparison in constant time needs."""
    return sha256(key.encode()).digest()


def check_keys(written: Iterable[str]) -> None:
    """See that these can be keys.

    Raises:
        ValueError: one of them cannot, or stands there twice; the message holds no key.
    """
    keys = [split_name(one)[1] for one in written]
    if not all(keys):
        raise ValueError("One of them is blank")
    if not all(key.isascii() and key.isprintable() for key in keys):
        raise ValueError("A key has letters, digits and signs of ASCII alone, as headers do")
    if len(set(keys)) < len(keys):
        raise ValueError("One of them stands there twice")


def read_keys(file: Path) -> list[str]:
    """The keys of a file as they are written there, one a line.

    Raises:
        ImagetteError: it cannot be read, holds no key, or something that cannot be one.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise ImagetteError(
            f"The file of keys {file} cannot be read: {reason}.",
            "Check its name and its permissions.",
        ) from error
    written = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if not written:
        raise ImagetteError(f"There is no key in the file {file}.", _FORM)
    try:
        check_keys(written)
    except ValueError as error:
        raise ImagetteError(f"The file of keys {file} cannot be used: {error}.", _FORM) from error
    return written


class KeyRing:
    """Knows every key by its digest, and its name; one without is `key-1`, `key-2` and so on.

    Args:
        keys: those of the settings.
        file: where there are more; None if nowhere.
        kept: where a worker leaves what it has read, without the keys themselves, for one that
            starts while `file` cannot be used; None for nowhere.

    Attributes:
        names: by digest.

    Raises:
        ImagetteError: the file cannot be used, and nothing is kept.
    """

    def __init__(
        self, keys: Iterable[SecretStr], file: Path | None = None, kept: Path | None = None
    ) -> None:
        self._given, self._file, self._kept = tuple(keys), file, kept
        try:
            self.reload()
        except ImagetteError as error:
            if kept is None or not kept.exists():
                raise
            logging.getLogger("imagette").error("The keys of before hold: %s", error)
            self.names = _unpack(kept.read_text(encoding="utf-8"))

    def reload(self) -> None:
        """Read the file again; from now on its keys are known, and no others of before.

        Raises:
            ImagetteError: it cannot be used; all stays as it was.
        """
        written = [key.get_secret_value() for key in self._given]
        written += read_keys(self._file) if self._file else []
        split = (split_name(one) for one in written)
        names = {digest(key): name or f"key-{n}" for n, (name, key) in enumerate(split, 1)}
        if self._file and self._kept:
            write_text(self._kept, _pack(names))
        self.names = names


def _pack(names: dict[bytes, str]) -> str:
    return "\n".join(f"{known.hex()} {name}" for known, name in names.items())


def _unpack(text: str) -> dict[bytes, str]:
    split = (line.split() for line in text.splitlines())
    return {bytes.fromhex(known): name for known, name in split}
