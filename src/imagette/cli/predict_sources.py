"""What the words on the command line of `imagette predict` name, found before anything is
answered."""

import errno
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from imagette.cli.console import say
from imagette.errors import ImagetteError
from imagette.images.signatures import is_address
from imagette.wording import listed

if TYPE_CHECKING:
    from imagette.images.find_images import LeftOut
    from imagette.inference.answering_processes import AnsweringProcesses
    from imagette.inference.sources import Source

_MANY = 256
"""Files in a folder, from which on several processes answer; fewer are answered before those have
begun."""


def refuse_mistyped(names: list[str]) -> None:
    """Say so before anything is written; what cannot be read for another reason has a row."""
    for one in names:
        if is_address(one) and "@" in one[8:].partition("/")[0]:
            raise ImagetteError(
                f"The address {one[:8]}… holds a user name or a password, which would stand in"
                " every answer.",
                "Download the file yourself, then give its path.",
            )
    missing = [one for one in names if one != "-" and not is_address(one) and _is_missing(one)]
    if missing:
        raise ImagetteError(
            f"There is no file or folder {listed(missing, 'en', 3)}.",
            "Check how that is spelled, then run the command again; nothing was answered yet.",
        )


def camera_index(names: list[str]) -> int:
    """Which camera is meant by what stands beside `--camera`: nothing, or a number."""
    if not names:
        return 0
    if len(names) == 1 and names[0].isascii() and names[0].isdigit():
        return int(names[0])
    raise ImagetteError(
        f"--camera answers about what a camera sees, and not about {listed(names, 'en', 3)} too.",
        "Give either, or the number of a camera: --camera 1",
    )


def find_sources(names: list[str]) -> "Iterator[Source]":
    """What each word names, in order; of a folder the pictures in it."""
    from imagette.images.find_images import find_images
    from imagette.images.formats import SUFFIXES
    from imagette.images.video import SUFFIXES as VIDEOS
    from imagette.images.video import is_video, require_video
    from imagette.inference.sources import Address, Video

    for name in names:
        if name == "-":
            yield "stdin", sys.stdin.buffer.read()
        elif is_address(name):
            yield Address(name)
        elif os.path.isdir(name):  # noqa: PTH112 (as quick as can be, for each of many)
            found = find_images(Path(name))
            left_out = _count_left_out(found.left_out)
            if not found.images:
                raise ImagetteError(
                    f"There are no pictures in {name}{left_out and f' ({left_out})'}.",
                    "Name a folder that holds some.",
                )
            if left_out:
                say(f"In {name} {left_out}.")
            if videos := [path for path, _ in found.left_out if path.suffix.lower() in VIDEOS]:
                say(f"Videos are answered where they are named: imagette predict {videos[0]}")
            yield from ((str(path), str(path)) for path in found.images)
        elif os.path.splitext(name)[1].lower() not in SUFFIXES and is_video(name):  # noqa: PTH122
            require_video()
            yield Video(name)
        else:
            yield name, name


def begin_processes(pictures: list[str]) -> "AnsweringProcesses | None":
    """Processes that load their modules while this one loads its own and finds the pictures; None
    where it is not sure that several are worth while."""
    files = (file for one in pictures for _, _, names in os.walk(one) for file in names)
    if len(pictures) + len(list(islice(files, _MANY))) < _MANY:
        return None
    from imagette.inference.answering_processes import AnsweringProcesses, available_cores

    return AnsweringProcesses() if available_cores() > 1 else None


def _is_missing(path: str) -> bool:
    try:
        os.stat(path)  # noqa: PTH116 (which fails on names that cannot be one, too)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return True
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def _count_left_out(left_out: "LeftOut") -> str:
    """How many files were left out, with the first one and why; empty where none was."""
    if not left_out:
        return ""
    path, reason = left_out[0]
    number = "1 file was" if len(left_out) == 1 else f"{len(left_out):,} files were"
    first = "" if len(left_out) == 1 else ", the first"
    return f"{number} left out{first}: {path} {reason.rstrip('.')}"
