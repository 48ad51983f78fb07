"""Any number of pictures to rows of answers, in order, on all cores and in constant memory.

`answer_pictures` is the core: from pictures to rows, within one process. `predict_files` gives it
to a process for each core, a few pictures at a time. Processes, because reading a small file is
mostly Python code, of which one process runs one line at a time; and each with a network of one
thread, because two such networks answer more pictures than one of two threads.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from imagette.errors import ImageError, ImagetteError
from imagette.images.batches import default_batch_size
from imagette.images.open_image import open_image
from imagette.inference.classifier import BATCH_SIZE, Classifier, Prediction, Views

Picture = tuple[str, str | bytes]
"""What a picture is called, and its path or the bytes of its file."""
Row = dict[str, Any]
"""An answer: `file`, then the fields of a `Prediction`, or `error` and `remedy` of a picture that
cannot be read; and `model`, what `model_digest` says."""

DECODING_BYTES = 1 << 30
"""What all processes together may take for decoding; a picture that takes more is decoded alone."""

# Small enough that answers come soon and little is lost by a kill, large enough for good batches.
_CHUNK_PICTURES, _CHUNK_BYTES = 32, 4_000_000
_CHUNKS_WORTH_PROCESSES = 8
"""With fewer, starting processes takes longer than they save."""
_CHUNKS_AHEAD = 4
"""For each process, so that one slow chunk keeps no other process waiting."""


class DecodingRoom:
    """How many bytes pictures that are being decoded take together, over several processes.

    Args:
        context: of the processes.
        size: bytes in all.
    """

    def __init__(self, context: BaseContext, size: int = DECODING_BYTES) -> None:
        self._size = size
        self._changed = context.Condition()
        self._taken = context.Value("q", 0, lock=False)

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait for room; what is larger than all of it waits until nothing else is decoded."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken.value + size <= max(self._size, size))
            self._taken.value += size
        try:
            yield
        finally:
            with self._changed:
                self._taken.value -= size
                self._changed.notify_all()


def model_digest(classifier: Classifier) -> str:
    """What tells the answers of one bundle from those of another: the SHA-256 of its file, in
    hexadecimal, the first 16 digits."""
    return classifier.sha256[:16]


def answer_pictures(
    classifier: Classifier,
    pictures: Iterable[Picture],
    model: str,
    room: DecodingRoom | None = None,
) -> Iterator[Row]:
    """Say what each picture shows, in batches across pictures and their views.

    No more views lie in memory than the network takes at once.

    Args:
        classifier: what answers.
        pictures: any number of them.
        model: what `model_digest` says of the classifier's bundle.
        room: shared with others that decode at the same time; None where nothing does.

    Yields:
        A row for each picture, in order.
    """
    most = default_batch_size(BATCH_SIZE, classifier.height, classifier.width)
    names: list[str] = []
    looks: list[Views | ImageError] = []
    views = 0
    for name, picture in pictures:
        look = _look_at(classifier, picture, room)
        more = 1 if isinstance(look, ImageError) else len(look)
        if looks and views + more > most:
            yield from _rows(classifier, names, looks, model)
            names, looks, views = [], [], 0
        names.append(name)
        looks.append(look)
        views += more
    yield from _rows(classifier, names, looks, model)


def to_row(name: str, answer: Prediction | ImageError, model: str) -> Row:
    """The row of a picture.

    Args:
        name: what the picture is called.
        answer: what it shows, or why it cannot be read.
        model: what `model_digest` says.
    """
    if isinstance(answer, ImageError):
        return {"file": name, "error": answer.problem, "remedy": answer.remedy, "model": model}
    return {"file": name, **vars(answer), "model": model}


def predict_files(
    classifier: Classifier, pictures: Sequence[Picture], processes: int | None = None
) -> Generator[list[Row], None, None]:
    """Say what each of many pictures shows, on all cores.

    A program of one's own that calls this must be importable, with what it does under
    `if __name__ == "__main__":`, as `multiprocessing` asks.

    Args:
        classifier: what answers; other processes open its bundle again.
        pictures: any number of them.
        processes: how many answer; if None one a core, or this one alone for few pictures.

    Yields:
        The rows of a few pictures at a time, all in order.

    Raises:
        ImagetteError: a process was killed.
    """
    model = model_digest(classifier)
    chunks = list(_chunks(pictures))
    if processes is None:
        processes = available_cores() if len(chunks) >= _CHUNKS_WORTH_PROCESSES else 1
    if processes == 1:
        for chunk in chunks:
            yield list(answer_pictures(classifier, chunk, model))
        return
    context = multiprocessing.get_context("spawn")
    # All that a process needs, given once.
    known = classifier.path, classifier.max_pixels, model, DecodingRoom(context)
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, context, _start_process, known)
    try:
        yield from _in_order(pool, chunks, processes)
    except BrokenProcessPool as error:
        raise ImagetteError(
            "A process that answered was killed, most likely for want of memory.",
            "Free some memory, then try again.",
        ) from error
    finally:  # whoever stops early does not wait for what is under way
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()


def available_cores() -> int:
    """How many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _in_order(
    pool: ProcessPoolExecutor, chunks: list[list[Picture]], processes: int
) -> Iterator[list[Row]]:
    ahead = processes * _CHUNKS_AHEAD
    with _ctrl_c_ignored():  # which the processes inherit: stopping is for this one to say
        waiting = deque(pool.submit(_answer_chunk, chunk) for chunk in chunks[:ahead])
    for chunk in chunks[ahead:]:
        yield waiting.popleft().result()
        waiting.append(pool.submit(_answer_chunk, chunk))
    while waiting:
        yield waiting.popleft().result()


@contextmanager
def _ctrl_c_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # where Python lets nobody say what a signal does
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """A few pictures at a time: less of large files."""
    chunk: list[Picture] = []
    total = 0
    for picture in pictures:
        chunk.append(picture)
        total += _file_size(picture[1])
        if len(chunk) == _CHUNK_PICTURES or total >= _CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _file_size(picture: str | bytes) -> int:
    if isinstance(picture, bytes):
        return len(picture)
    try:
        return os.stat(picture).st_size  # noqa: PTH116 (as quick as can be, for each of many)
    except (OSError, ValueError):  # which its row will tell
        return 0


_known: tuple[Path, int, str, DecodingRoom]
_classifier: Classifier | None = None


def _start_process(*known: Any) -> None:
    global _known
    _known = known  # type: ignore[assignment]
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Let no process outlive the one that started it, even where that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _answer_chunk(chunk: list[Picture]) -> list[Row]:
    global _classifier
    path, max_pixels, model, room = _known
    if _classifier is None:
        _classifier = Classifier(path, threads=1, max_pixels=max_pixels)
    return list(answer_pictures(_classifier, chunk, model, room))


def _look_at(
    classifier: Classifier, picture: str | bytes, room: DecodingRoom | None
) -> Views | ImageError:
    try:
        opened = open_image(picture, classifier.max_pixels)
        with room.take(opened.decoding_bytes) if room else nullcontext():
            return opened.views(classifier.height, classifier.width, classifier.metadata.view)
    except ImageError as error:
        return error


def _rows(
    classifier: Classifier, names: list[str], looks: list[Views | ImageError], model: str
) -> Iterator[Row]:
    readable = [look for look in looks if not isinstance(look, ImageError)]
    predictions = iter(classifier.predict(readable) if readable else ())
    for name, look in zip(names, looks, strict=True):
        answer = look if isinstance(look, ImageError) else next(predictions)
        yield to_row(name, answer, model)
