"""The work of one Ray task: answer about the pictures of a part, as a small Parquet file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imagette.errors import ImageError


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
class SharedModel:
    """A bundle in Ray's object store, from where each worker fetches it once.

    Attributes:
        content: a reference (`ray.ObjectRef`) to the bytes of its file.
        path: of its file, for error messages.
        checksum: the SHA-256 of its file.
        max_pixels: as of `Classifier`.
    """

    content: Any
    path: str
    checksum: str
    max_pixels: int


_opened: dict[SharedModel, Any] = {}
"""The classifier of this process."""


def open_model(model: SharedModel) -> None:
    """Load a model into this process, which keeps it.

    Raises:
        ImagetteError: this version cannot use it.
    """
    _classifier(model)


def answer_part(model: SharedModel, roots: tuple[str, ...], part: bytes) -> bytes:
    """Answer about the pictures of a part.

    Args:
        model: what answers.
        roots: the buckets that the pictures lie in.
        part: as of `imagette.cluster.picture_list.packed_parts`.

    Returns:
        The bytes of a Parquet file with the columns of `answer_schema`, a row a picture.

    Raises:
        ImagetteError: a bucket, or a file that many of the pictures lie in, cannot be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    from imagette.cluster.picture_list import unpacked
    from imagette.cluster.picture_reading import read_pictures

    classifier = _classifier(model)
    answers = _Answers(classifier)
    for name, picture in read_pictures(unpacked(part), roots):
        answers.add(name, picture)
    table = answers.table(answer_schema(classifier.class_names, model.checksum[:16]))
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _classifier(model: SharedModel) -> Any:
    """The classifier, loaded once in each process."""
    if model not in _opened:
        import ray

        from imagette.inference.answering_processes import loading_quickly

        with loading_quickly():
            from imagette.inference.bundle import load_bundle
            from imagette.inference.classifier import Classifier
        content = ray.get(model.content)
        bundle = load_bundle(content, Path(model.path), threads=1, checksum=model.checksum)
        _opened.clear()
        _opened[model] = Classifier(bundle, max_pixels=model.max_pixels)
    return _opened[model]


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
            pa.array(map(as_text, self._names), pa.string()),
            spread(labels),
            spread(pa.array(confidence)),
            spread(lists),
            nulls if familiarity is None else spread(pa.array(familiarity)),
            nulls.cast(pa.bool_()) if known is None else spread(pa.array(known)),
            pa.array([one and one.problem for one in self._problems], pa.string()),
            pa.array([one and one.remedy for one in self._problems], pa.string()),
        ]
        return pa.Table.from_arrays(columns, schema=schema)


def as_text(name: str) -> str:
    """A name as text: bytes that are no UTF-8 become escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
