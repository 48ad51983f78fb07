"""Answers about any number of pictures, on all cores of a Ray cluster, and gone on with.

The driver lists the pictures in parts (`picture_list.py`); Ray Data hands the parts to whatever
core is free, and again where a worker or a machine is lost; the driver writes each part that comes
back, whole or not at all. A part that is written is done, whatever is killed. In the end all parts
become one file.

The workers are tasks and no pool of actors: a task that was on a lost machine goes to another one,
where an actor would wait for a machine like the lost one.
"""

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imagette.cluster.answer_part import AnswerParts
from imagette.cluster.connection import cluster
from imagette.cluster.file_systems import is_address
from imagette.cluster.join_answers import Counts, join_answers, read_about
from imagette.cluster.parts_source import parts_source
from imagette.cluster.picture_list import PictureList, open_list, write_list
from imagette.cluster.picture_sources import PictureSources
from imagette.errors import ImagetteError
from imagette.files import make_folder, write_bytes

if TYPE_CHECKING:
    from imagette.inference.classifier import Classifier

ENDINGS = (".parquet", ".csv", ".jsonl")
_VERSION = 1
"""Raised when what is kept in the folder of parts changes."""


class ClusterPrediction:
    """One file of answers, begun or gone on with.

    Args:
        classifier: what answers.
        names: folders, lists, archives, Parquet files, buckets, or pictures.
        out: the file; beside it lies the folder of parts, until it is whole.

    Attributes:
        folder: of the parts.

    Raises:
        ImagetteError: the file has another ending, or is there already.
    """

    def __init__(self, classifier: "Classifier", names: list[str], out: Path) -> None:
        if out.suffix.lower() not in ENDINGS:
            raise ImagetteError(
                f"Answers cannot be written to {out}.",
                "Give a file that ends in .parquet, .csv or .jsonl (JSON Lines).",
            )
        self._classifier, self._names, self._out = classifier, names, out
        self.folder = out.with_name(f"{out.name}.parts")
        self._about = {
            "version": _VERSION,
            "sources": [one if is_address(one) else os.path.abspath(one) for one in names],  # noqa: PTH100  # no links
            "model": classifier.sha256,
        }
        self._list: PictureList | None = None
        self.done = 0

    @property
    def is_finished(self) -> bool:
        """Whether the file is there, whole, from this very command."""
        return not self.folder.exists() and read_about(self._out) == json.dumps(self._about)

    @contextmanager
    def opened(self) -> Iterator[PictureSources]:
        """List the pictures, or find the list of before, and keep others from doing the same.

        Yields:
            The sources, which tell what was left out.

        Raises:
            ImagetteError: a source cannot be read, has no picture, or the folder of parts is of
                other pictures or of another model.
        """
        if self._out.exists() and not self.folder.exists():
            raise ImagetteError(
                f"{self._out} is there already.",
                "Give another file, or delete this one to answer anew.",
            )
        sources = PictureSources(self._names)
        with ExitStack() as stack:
            try:
                make_folder(self.folder)
                _lock(stack, self.folder)
            except OSError as error:
                raise ImagetteError(
                    f"The folder {self.folder} cannot be used: {error.strerror or error}.",
                    "Free some space, or give a file in another folder to --out.",
                ) from error
            found = open_list(self.folder)
            if found is None:
                self._write_list(sources)
                found = open_list(self.folder)
                assert found is not None
            elif found.about != self._about:
                raise ImagetteError(
                    f"{self.folder} holds answers about other pictures, or of another model.",
                    "Give another file to --out, or delete that folder to start over.",
                )
            self._list = found
            yield sources

    def _write_list(self, sources: PictureSources) -> None:
        try:
            write_list(self.folder, sources, sources.roots, self._about)
            found = open_list(self.folder)
            if found is None or not found.pictures:
                left_out = sources.first_left_out
                raise ImagetteError(
                    f"There are no pictures in {', '.join(self._names)}"
                    f"{left_out and f' ({left_out})'}.",
                    "Name what holds some.",
                )
        except ImagetteError:  # nothing is answered yet, so there is nothing to go on with
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def total(self) -> int:
        """How many pictures there are."""
        assert self._list is not None
        return self._list.pictures

    def _parts(self) -> list[int]:
        """The parts that are not done; `done` counts the pictures of the others."""
        assert self._list is not None
        written = {path.name for path in self.folder.iterdir()}
        missing = [
            part for part in range(len(self._list.counts)) if _part_name(part) not in written
        ]
        self.done = self.total - sum(self._list.counts[part] for part in missing)
        return missing

    def answered_before(self) -> int:
        """How many pictures an earlier run has answered."""
        self._parts()
        return self.done

    def answers(self, address: str | None) -> Iterator[int]:
        """Answer what is not answered yet, on a cluster.

        Args:
            address: as of `imagette.cluster.connection.cluster`.

        Yields:
            For each part that is written, how many pictures it has.

        Raises:
            ImagetteError: a part cannot be written, a bucket or a machine's disk cannot be read,
                or the cluster is lost.
        """
        missing = self._parts()
        if not missing:
            return
        with cluster(address):
            for row in self._computed(missing):
                if row["problem"]:
                    raise ImagetteError(row["problem"], row["remedy"])
                write_bytes(self.folder / _part_name(row["part"]), row["answers"])
                yield row["pictures"]

    def _computed(self, missing: list[int]) -> Iterator[dict[str, Any]]:
        """The rows of `AnswerParts`, as they come."""
        import ray
        from ray.exceptions import RayError

        assert self._list is not None
        classifier = self._classifier
        answer = AnswerParts(
            ray.put(classifier.path.read_bytes()), str(classifier.path), classifier.sha256,
            classifier.max_pixels, self._list.roots,
        )  # fmt: skip
        parts = parts_source(self._list.path, missing)
        answered = parts.map_batches(answer, batch_size=None, batch_format="pyarrow", num_cpus=1)
        try:
            blocks = answered.iter_batches(batch_size=None, batch_format="pyarrow")
            with closing(iter(blocks)) as found:  # type: ignore[type-var]
                for block in found:
                    yield from block.to_pylist()
        except RayError as error:
            raise ImagetteError(
                f"The Ray cluster gave up: {type(error).__name__}.",
                "Look whether its machines have enough memory; then run the same command again,"
                " which goes on where it stopped.",
            ) from error

    def finish(self) -> Counts:
        """Make one file of all parts, and remove them.

        Returns:
            How often each answer was given.
        """
        assert self._list is not None
        counts = join_answers(
            (self.folder / _part_name(part) for part in range(len(self._list.counts))),
            self._out,
            self._classifier.class_names,
            self._classifier.class_names_fr,
            self._classifier.sha256[:16],
            json.dumps(self._about),
        )
        # In one step: half a folder of parts would be gone on with.
        old = self.folder.with_name(f".done-{secrets.token_hex(4)}-{self.folder.name}")
        self.folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
        return counts

    def sweep(self) -> None:
        """Remove what an earlier run was killed in the middle of removing."""
        for old in self.folder.parent.glob(f".done-*-{self.folder.name}"):
            shutil.rmtree(old, ignore_errors=True)


def _part_name(part: int) -> str:
    return f"{part:06}.parquet"


def _lock(stack: ExitStack, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    file = stack.enter_context((folder / ".lock").open("wb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ImagetteError(
            f"Another program is answering into {folder}.", "Wait for it, or give another file."
        ) from None
