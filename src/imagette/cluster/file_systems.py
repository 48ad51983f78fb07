"""Buckets and other remote storage: by PyArrow's file systems, or by fsspec's where it has none."""

import os
import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from imagette.errors import ImagetteError, first_line

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

_DENIED = re.compile(r"ACCESS_?DENIED|PERMISSION_?DENIED|HTTP status 403|Forbidden", re.IGNORECASE)
"""What services say where a file may not be read; PyArrow has only their texts."""


def is_address(name: str) -> bool:
    """Whether a name is an address, such as `s3://bucket/photos`, and no path of this machine."""
    return bool(_ADDRESS.match(name))


def split_address(address: str, has_options: bool = False) -> tuple[str, str]:
    """Cut an address into what is connected to, and where in it something lies.

    Args:
        address: such as `s3://bucket/photos/1.png`.
        has_options: whether a `?` begins options, as in `s3://bucket/photos?region=eu-west-3`; it
            may be in the name of a file, too.

    Raises:
        ImagetteError: it holds a password, or is of the web.
    """
    scheme, _, rest = address.partition("://")
    if scheme.lower() in ("http", "https"):  # which may lead into private networks
        raise ImagetteError(
            f"On a Ray cluster nothing is fetched from the web, as {address} would be.",
            "Download it and name the file, or leave out --ray.",
        )
    options = ""
    if has_options and "?" in rest:
        rest, _, options = rest.partition("?")
        options = f"?{options}"
    host, _, path = rest.partition("/")
    if "@" in host:
        raise ImagetteError(
            f"The address {scheme}://… holds a user name or a password, which would stand in every"
            " answer.",
            "Leave it out, and give it as its service has it, such as AWS_ACCESS_KEY_ID and"
            " AWS_SECRET_ACCESS_KEY in the environment.",
        )
    return f"{scheme}://{host}{options}", path


@cache
def connect(root: str) -> "tuple[FileSystem, str]":
    """The file system of a root that `split_address` gave, and where its paths begin.

    Raises:
        ImagetteError: there is no such file system, or it cannot be reached.
    """
    import pyarrow as pa
    from pyarrow.fs import FileSystem, FSSpecHandler, PyFileSystem

    try:
        try:
            # Its own path is the root: `file://` would have none.
            bare = root if urlsplit(root).netloc else f"{root}/"
            system, base = FileSystem.from_uri(bare)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            from fsspec.core import url_to_fs

            other, base = url_to_fs(root)
            system = PyFileSystem(FSSpecHandler(other))
    except Exception as error:  # each file system has errors of its own
        raise unreachable(root, error) from error
    return system, str(base).rstrip("/")


def place_in(root: str, path: str) -> str:
    """The path of something below a root, as its file system has it."""
    base = connect(root)[1]
    return f"{base}/{path}" if path else base or "/"


class Stamp(NamedTuple):
    """By which a file is known to be the same: bytes, and nanoseconds since 1970."""

    size: int
    modified: int


def stamp_of(root: str | None, place: str) -> Stamp | None:
    """That of a file in a bucket or, without a root, on this machine; None where there is none.

    Raises:
        OSError: it cannot be asked for.
    """
    if root is None:
        try:
            found = os.stat(place)  # noqa: PTH116
        except FileNotFoundError:
            return None
        return Stamp(found.st_size, found.st_mtime_ns)
    info = connect(root)[0].get_file_info(place)
    return None if info.size is None else Stamp(info.size, info.mtime_ns or 0)


def unreachable(root: str, error: Exception) -> ImagetteError:
    """What there is to say of a bucket that does not answer."""
    return ImagetteError(
        f"{root.partition('?')[0]} cannot be read: {first_line(error)}.",
        "Check the address, that it can be reached, and that you may read it; then run the same"
        " command again, which goes on where it stopped.",
    )


def is_missing_or_denied(error: Exception) -> bool:
    """Whether an error is of one file, and would be the same if the file were asked for again."""
    if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
        return True
    return bool(_DENIED.search(str(error)))
