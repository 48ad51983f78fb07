"""Any number of pictures to rows of answers, in order, on all cores and in constant memory.

`answer_pictures` is the core: from pictures to rows, within one process. `predict_files` gives it
to a process for each core, a few pictures at a time. Processes, because reading a small file is
mostly Python code, of which one process runs one line at a time; and each with a network of one
thread, because two such networks answer more pictures than one of two threads.
"""

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import nullcontext
from heapq import nlargest
from itertools import chain, islice

from PIL.Image import Image

from imagette.errors import ImageError
from imagette.images.batches import default_batch_size
from imagette.images.open_image import open_image
from imagette.inference.answering_processes import (
    AnsweringProcesses,
    Picture,
    Row,
    available_cores,
)
from imagette.inference.classifier import BATCH_SIZE, Classifier, Prediction, Views
from imagette.inference.decoding_room import DecodingRoom

# Small enough that answers come soon and little is lost by a kill, large enough for good batches.
_CHUNK_PICTURES, _CHUNK_BYTES = 32, 4_000_000
_CHUNKS_WORTH_PROCESSES = 8
"""With fewer, starting processes takes longer than they save."""


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
        look = look_at(classifier, picture, room)
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


def likeliest(row: Row, number: int) -> list[tuple[str, float]]:
    """The most probable classes of a row, by English name, each with its probability."""
    probabilities = row["probabilities"]
    return nlargest(number, probabilities.items(), key=lambda item: item[1])


def predict_files(
    classifier: Classifier,
    pictures: Iterable[Picture],
    processes: int | AnsweringProcesses | None = None,
) -> Generator[list[Row], None, None]:
    """Say what each of many pictures shows, on all cores.

    A program of one's own that calls this must be importable, with what it does under
    `if __name__ == "__main__":`, as `multiprocessing` asks.

    Args:
        classifier: what answers; other processes open its bundle again.
        pictures: any number of them; where each comes slowly and is waited for, give them to
            `answer_pictures` one by one instead.
        processes: how many answer, or those that were begun for this call and end with it; if None
            one a core, or this one alone for few pictures.

    Yields:
        The rows of a few pictures at a time, all in order.

    Raises:
        ImagetteError: a process was killed.
    """
    model = model_digest(classifier)
    chunks = _chunks(pictures)
    if processes is None:
        first = list(islice(chunks, _CHUNKS_WORTH_PROCESSES))
        processes = available_cores() if len(first) == _CHUNKS_WORTH_PROCESSES else 1
        chunks = chain(first, chunks)
    if processes == 1:
        for chunk in chunks:
            yield list(answer_pictures(classifier, chunk, model))
        return
    if isinstance(processes, int):
        processes = AnsweringProcesses(processes)
    with processes:  # whoever stops early does not wait for what is under way
        yield from processes.answer(classifier.path, classifier.max_pixels, model, chunks)


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """A few pictures at a time: less of large files."""
    chunk: list[Picture] = []
    total = 0
    for picture in pictures:
        chunk.append(picture)
        total += _size(picture[1])
        if len(chunk) == _CHUNK_PICTURES or total >= _CHUNK_BYTES:
            yield chunk
            chunk, total = [], 0
    if chunk:
        yield chunk


def _size(picture: str | bytes | Image | ImageError) -> int:
    """About how many bytes it is given to another process as, or read there."""
    if isinstance(picture, str):
        try:
            return os.stat(picture).st_size  # noqa: PTH116 (as quick as can be, for each of many)
        except (OSError, ValueError):  # which its row will tell
            return 0
    if isinstance(picture, bytes):
        return len(picture)
    return 0 if isinstance(picture, ImageError) else 3 * picture.width * picture.height


def look_at(
    classifier: Classifier,
    picture: str | bytes | Image | ImageError,
    room: DecodingRoom | None = None,
) -> Views | ImageError:
    """The looks that are taken at a picture, or why it cannot be read.

    Args:
        classifier: what will answer.
        picture: a path, the bytes of a file, a PIL image, or why there is none.
        room: as of `answer_pictures`.
    """
    if isinstance(picture, ImageError):
        return picture
    try:
        opened = open_image(picture, classifier.max_pixels, classifier.at_least)
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
