"""Many pictures at once: decoded in parallel, kept on disk, and mapped from there when large.

What was decoded is kept in the user's cache where decoding it took a while. A file of raw pixels
grows a batch at a time, with a line about each batch beside it, so that decoding that was
stopped goes on where it was.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from imagette.data.cache import kept_folder
from imagette.errors import ImageError
from imagette.images.batches import batches
from imagette.images.formats import MAX_PIXELS
from imagette.images.open_image import PREPROCESS_VERSION, open_image
from imagette.images.views import REDUCING_GAP, ViewName
from imagette.terminal import local

LARGE = 1_000_000_000
"""Arrays of more bytes than this are mapped from a file instead of being read into memory."""

_KEPT_FROM_IMAGES = 1_000
_KEPT_FROM_BYTES = 100_000_000
_BATCH = 512
_MAX_PIXELS_OF_OWN = 178_956_970
"""Own pictures may be those of the largest cameras; of more, Pillow suspects an attack."""

_ONE_LARGE = Lock()

Source = Path | Callable[[], bytes] | NDArray[np.uint8]
"""A file, a function that gives the bytes of one, or pixels `(height, width, 3)`."""
Unreadable = dict[int, str]
"""By position: why a picture could not be decoded."""


def decode(
    sources: Sequence[Source],
    size: int,
    stamp: Sequence[str],
    total_bytes: int,
    view: ViewName = "whole",
) -> tuple[NDArray[np.uint8], Unreadable]:
    """Decode pictures, or take what an earlier call has decoded.

    Args:
        sources: files, or functions that give the bytes of one.
        size: the side in pixels that each is brought to.
        stamp: a text for each, which changes when the picture does.
        total_bytes: of all the files together.
        view: what of each picture.

    Returns:
        uint8 `(n, size, size, 3)` of those that can be read, in order, and the reasons of the
        others. More than `LARGE` bytes are a memory-mapped file.
    """
    many = len(sources) >= _KEPT_FROM_IMAGES or total_bytes >= _KEPT_FROM_BYTES
    if not many and len(sources) * size**2 * 3 <= LARGE:
        images = [np.empty((0, size, size, 3), np.uint8)]
        unreadable: Unreadable = {}
        for start, batch in _decode_from(sources, 0, size, view):
            images.append(_keep_readable(batch, start, size, unreadable))
        return np.concatenate(images), unreadable
    key = blake2b(
        json.dumps([PREPROCESS_VERSION, size, view, *stamp]).encode(), digest_size=16
    ).hexdigest()
    pixels = kept_folder("pictures") / f"{key}.rgb"
    unreadable = _decode_into(pixels, sources, size, view)
    return _open(pixels, size), unreadable


def map_rows(images: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The pictures at `rows`; many are copied to a file that goes when nothing uses it any more."""
    if len(rows) * images[:1].nbytes <= LARGE:
        return images[rows]
    mapped = allocate((len(rows), *images.shape[1:]))
    for batch in batches(len(rows), _BATCH):
        mapped[batch] = images[rows[batch]]
    return mapped


def allocate(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Room for pictures: in memory or, for more than `LARGE` bytes, in a file that goes when
    nothing uses it any more."""
    if np.prod(shape, dtype=np.int64) <= LARGE:
        return np.empty(shape, np.uint8)
    with tempfile.TemporaryFile(dir=kept_folder("pictures")) as file:
        return np.memmap(file, np.uint8, "w+", shape=shape)


def _decode_into(pixels: Path, sources: Sequence[Source], size: int, view: ViewName) -> Unreadable:
    """Decode into a file of the cache, or go on where an earlier call was stopped."""
    from filelock import FileLock

    log, partial = pixels.with_suffix(".log"), pixels.with_suffix(".partial")
    with FileLock(pixels.with_suffix(".lock")):  # another process may be at the same pictures
        done, unreadable = _read_log(log)
        if done == len(sources) and pixels.is_file():
            pixels.touch()
            log.touch()
            return unreadable
        written = (done - len(unreadable)) * size**2 * 3
        if not partial.is_file() or partial.stat().st_size < written:
            log.unlink(missing_ok=True)
            partial.unlink(missing_ok=True)
            done, unreadable, written = 0, {}, 0
        with partial.open("ab") as file, log.open("a", encoding="utf-8") as lines:
            # What was written after the last line of the log belongs to no batch.
            file.truncate(written)
            for start, batch in _decode_from(sources, done, size, view):
                failed: Unreadable = {}
                file.write(_keep_readable(batch, start, size, failed).tobytes())
                file.flush()
                lines.write(json.dumps({"done": start + len(batch), "unreadable": failed}) + "\n")
                lines.flush()
                unreadable |= failed
        partial.replace(pixels)
    return unreadable


def _read_log(log: Path) -> tuple[int, Unreadable]:
    """How many pictures have been decoded, and which of them could not be."""
    done = 0
    unreadable: Unreadable = {}
    if log.is_file():
        whole, _, cut = log.read_text(encoding="utf-8").rpartition("\n")
        for line in whole.splitlines():
            entry = json.loads(line)
            done = entry["done"]
            unreadable |= {int(number): reason for number, reason in entry["unreadable"].items()}
        if cut:  # a line that a crash left unfinished
            log.write_text(f"{whole}\n" if whole else "", encoding="utf-8")
    return done, unreadable


def _open(pixels: Path, size: int) -> NDArray[np.uint8]:
    count = pixels.stat().st_size // (size**2 * 3)
    shape = (count, size, size, 3)
    if count * size**2 * 3 <= LARGE:
        return np.fromfile(pixels, np.uint8).reshape(shape)
    # Copy on write: what a program changes in its pictures never reaches the file.
    return np.memmap(pixels, np.uint8, "c", shape=shape)


def _decode_from(
    sources: Sequence[Source], first: int, size: int, view: ViewName
) -> Iterator[tuple[int, list[NDArray[np.uint8] | str]]]:
    """Decode a batch at a time, in parallel (Pillow lets go of the interpreter meanwhile).

    Yields:
        The position of the batch's first picture, and of each picture its pixels or the reason
        why it has none.
    """
    console = Console(stderr=True)
    bar = Progress(console=console, transient=True, disable=not console.is_terminal)
    with bar, ThreadPoolExecutor() as pool:
        task = bar.add_task(local("Reading pictures"), total=len(sources), completed=first)
        for start in range(first, len(sources), _BATCH):
            batch = sources[start : start + _BATCH]
            results = pool.map(lambda source: _decode_one(source, size, view), batch)
            decoded = []
            for result in results:
                decoded.append(result)
                bar.advance(task)
            yield start, decoded


def _decode_one(source: Source, size: int, view: ViewName) -> NDArray[np.uint8] | str:
    try:
        return decode_image(source, size, view)
    except ImageError as error:
        return error.problem.removeprefix(f"{source} ")
    except OSError as error:  # of a function that reads what is gone
        return f"cannot be read ({error.strerror or error})."


def decode_image(source: Source | bytes, size: int, view: ViewName) -> NDArray[np.uint8]:
    """The pixels of a picture, uint8 `(size, size, 3)`.

    Of pictures that take more than half a gigabyte to decode, one at a time is.

    Raises:
        ImageError: it cannot be read, or has too many pixels.
        OSError: the function that gives its bytes cannot.
    """
    content = source() if callable(source) else source
    opened = open_image(content, _MAX_PIXELS_OF_OWN, REDUCING_GAP * size)
    with _ONE_LARGE if opened.pixels > MAX_PIXELS else nullcontext():
        return opened.views(size, size, view)[0].pixels


def decode_whole(source: Source | bytes, at_least: int) -> Image.Image:
    """All of a picture, upright and RGB, in its proportions; raises as `decode_image` does.

    Args:
        source: the picture.
        at_least: how many pixels of its shorter side are enough, see `OpenedImage.to_rgb`.
    """
    opened = open_image(source() if callable(source) else source, _MAX_PIXELS_OF_OWN)
    with _ONE_LARGE if opened.pixels > MAX_PIXELS else nullcontext():
        return opened.to_rgb(at_least)


def _keep_readable(
    batch: list[NDArray[np.uint8] | str], start: int, size: int, unreadable: Unreadable
) -> NDArray[np.uint8]:
    """The pictures of a batch; the reasons of others go into `unreadable`."""
    unreadable |= {number: one for number, one in enumerate(batch, start) if isinstance(one, str)}
    return np.array([one for one in batch if not isinstance(one, str)], np.uint8).reshape(
        -1, size, size, 3
    )
