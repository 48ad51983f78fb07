"""What a worker does: a part of the list in, its answers out, as a small Parquet file."""

from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImageError, ImagetteError

_ATTEMPTS = 10
"""A part whose worker was lost so many times is to blame itself; Ray would try for ever."""


def answer_schema(class_names: tuple[str, ...], model: str) -> Any:
    """The columns of answers, and in the metadata the classes that the probabilities are of."""
    import json

    import pyarrow as pa

    return pa.schema(
        [
            ("path", pa.string()), ("label", pa.dictionary(pa.int32(), pa.string())),
            ("confidence", pa.float32()), ("probabilities", pa.list_(pa.float32())),
            ("familiarity", pa.float32()), ("known", pa.bool_()), ("problem", pa.string()),
            ("remedy", pa.string()),
        ],
        {"classes": json.dumps(class_names, ensure_ascii=False), "model": model},
    )  # fmt: skip


@dataclass(frozen=True)
class AnswerParts:
    """Answers parts of a list, as Ray Data gives them.

    Attributes:
        model: a reference to the bytes of the bundle, in Ray's object store.
        path: of the bundle, as it is named where something is wrong.
        checksum: of the bundle.
        max_pixels: as of `Classifier`.
        roots: the buckets that the pictures lie in.
    """

    model: Any
    path: str
    checksum: str
    max_pixels: int
    roots: tuple[str, ...]

    def __call__(self, block: Any) -> Any:
        """Answer some parts.

        Args:
            block: a table of `part` numbers and `pictures`, as `packed_parts` gives them.

        Returns:
            A table of `part`, the `answers` as bytes of a Parquet file and how many `pictures`
            those are of; or the `problem` and the `remedy` of what ends all.
        """
        import pyarrow as pa

        rows = []
        for number, part in zip(
            *(block.column(name) for name in ("part", "pictures")), strict=True
        ):
            row = {
                "part": number.as_py(), "answers": b"", "pictures": 0, "problem": "", "remedy": "",
            }  # fmt: skip
            try:
                row |= self._answer(part.as_py())
            except ImagetteError as error:
                row |= {"problem": error.problem, "remedy": error.remedy}
            rows.append(row)
        return pa.Table.from_pylist(rows)

    def _answer(self, part: bytes) -> dict[str, Any]:
        import pyarrow as pa
        from pyarrow import parquet

        from imagette.cluster.picture_list import unpacked
        from imagette.cluster.picture_reading import read_pictures

        entries = unpacked(part)
        if _attempt() >= _ATTEMPTS:
            raise ImagetteError(
                f"Each worker that answers about the {len(entries):,} pictures from"
                f" {entries[0].name} on is killed.",
                "Give the machines more memory, or leave those pictures out; what is answered so"
                " far is kept.",
            )
        classifier = _classifier(self)
        answers = _Answers(classifier)
        for name, picture in read_pictures(entries, self.roots):
            answers.add(name, picture)
        table = answers.table(answer_schema(classifier.class_names, self.checksum[:16]))
        sink = pa.BufferOutputStream()
        parquet.write_table(table, sink, compression="zstd")
        return {"answers": sink.getvalue().to_pybytes(), "pictures": table.num_rows}


def _attempt() -> int:
    """How often this task was tried before."""
    import ray

    with suppress(AttributeError):  # which is not of Ray's public parts, and may move
        worker: Any = ray._private.worker.global_worker
        return int(worker.core_worker.get_current_task_attempt_number())
    return 0


@lru_cache(1)
def _opened(checksum: str, max_pixels: int, content: "_Content") -> Any:
    from imagette.inference.answering_processes import loading_quickly

    with loading_quickly():
        from imagette.inference.bundle import load_bundle
        from imagette.inference.classifier import Classifier
    bundle = load_bundle(content.get(), Path(content.path), threads=1, checksum=checksum)
    return Classifier(bundle, max_pixels=max_pixels)


class _Content:
    """The bytes of a bundle, fetched only where they are needed; all are the same for a cache."""

    def __init__(self, reference: Any, path: str) -> None:
        self._reference, self.path = reference, path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Content)

    def __hash__(self) -> int:
        return 0

    def get(self) -> bytes:
        import ray

        content: bytes = ray.get(self._reference)
        return content


def _classifier(asked: AnswerParts) -> Any:
    """The classifier, opened once in each process of a worker."""
    return _opened(asked.checksum, asked.max_pixels, _Content(asked.model, asked.path))


class _Answers:
    """Answers of a part, in batches across its pictures and their views.

    Args:
        classifier: what answers.
    """

    def __init__(self, classifier: Any) -> None:
        from imagette.images.batches import default_batch_size
        from imagette.inference.classifier import BATCH_SIZE

        self._classifier = classifier
        self._most = default_batch_size(BATCH_SIZE, classifier.height, classifier.width)
        self._names: list[str] = []
        self._problems: list[ImageError | None] = []
        self._waiting: list[Any] = []
        self._views: list[int] = []
        self._probabilities: list[NDArray[np.float32]] = []
        self._familiarity: list[NDArray[np.float32]] = []

    def add(self, name: str, picture: str | bytes | ImageError) -> None:
        """Take in a picture, and answer about those that wait where they are enough."""
        from imagette.inference.batch import look_at

        look = look_at(self._classifier, picture)
        self._names.append(name)
        if isinstance(look, ImageError):
            self._problems.append(look)
            return
        self._problems.append(None)
        if self._waiting and len(self._waiting) + len(look) > self._most:
            self._run()
        self._waiting += [view.pixels for view in look]
        self._views.append(len(look))

    def _run(self) -> None:
        if not self._waiting:
            return
        found = self._classifier.predict_arrays(np.array(self._waiting))
        starts = np.cumsum([0, *self._views[:-1]])
        counts = np.array(self._views, np.float32)
        probabilities, familiarity = found
        if len(probabilities) > len(starts):
            probabilities = np.add.reduceat(probabilities, starts) / counts[:, np.newaxis]
            if familiarity is not None:
                familiarity = np.add.reduceat(familiarity, starts) / counts
        self._probabilities.append(probabilities)
        if familiarity is not None:
            self._familiarity.append(familiarity)
        self._waiting, self._views = [], []

    def table(self, schema: Any) -> Any:
        """All answers, as `answer_schema` has them."""
        import pyarrow as pa

        self._run()
        names = self._classifier.class_names
        readable = np.array([problem is None for problem in self._problems])
        probabilities = np.concatenate(
            [*self._probabilities, np.empty((0, len(names)), np.float32)]
        )
        indices = probabilities.argmax(axis=1).astype(np.int32)
        confidence = probabilities[np.arange(len(indices)), indices]
        familiarity = np.concatenate(self._familiarity) if self._familiarity else None
        threshold = self._classifier.metadata.familiarity_threshold
        known = (
            None
            if familiarity is None or threshold is None
            else familiarity.astype(np.float64) >= threshold
        )

        place = pa.array(np.where(readable, np.cumsum(readable) - 1, 0), mask=~readable)

        def spread(values: Any) -> Any:
            """A value for each picture, null for those that cannot be read."""
            return values.take(place)

        lists = pa.ListArray.from_arrays(
            np.arange(len(indices) + 1, dtype=np.int32) * len(names),
            pa.array(probabilities.ravel()),
        )
        labels = pa.DictionaryArray.from_arrays(pa.array(indices), pa.array(names, pa.string()))
        nulls = pa.nulls(len(readable), pa.float32())
        columns = [
            pa.array(map(_text, self._names), pa.string()),
            spread(labels),
            spread(pa.array(confidence)),
            spread(lists),
            nulls if familiarity is None else spread(pa.array(familiarity)),
            nulls.cast(pa.bool_()) if known is None else spread(pa.array(known)),
            pa.array([one and one.problem for one in self._problems], pa.string()),
            pa.array([one and one.remedy for one in self._problems], pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=schema)


def _text(name: str) -> str:
    """A name as text: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
