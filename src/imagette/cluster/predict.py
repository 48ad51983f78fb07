"""Answers about any number of pictures, on all cores of a Ray cluster; started again, it goes on.

The driver lists the pictures in parts (`picture_list.py`). Each part is a task of Ray
(`picture_tasks.py`), which gives it to a free core, and to another one when a worker or a machine
is lost. The driver writes the answers of each part to a file of its own, in one step, so a part
that is there is done, whatever is killed. At the end it joins these files to one
(`join_answers.py`).

Tasks, and not actors: an actor is bound to a machine like the one that was lost, a task goes to
any. And not Ray Data, which takes twice as long to start, and more processes.
"""

import glob
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imagette.cluster.file_systems import is_address
from imagette.cluster.join_answers import Counts, join_answers, unreadable_in
from imagette.cluster.picture_list import PictureList, open_list, remove_list, write_list
from imagette.cluster.picture_sources import PictureSources
from imagette.errors import ImagetteError
from imagette.files import make_folder, remove_if_empty, write_bytes

if TYPE_CHECKING:
    from imagette.cluster.picture_tasks import PictureTasks
    from imagette.inference.classifier import Classifier

ENDINGS = (".parquet", ".csv", ".jsonl")
_LOCK = ".lock"
_VERSION = 1
"""Raised when what is kept in the folder of parts changes."""


class ClusterPrediction:
    """The prediction of one file of answers, started or resumed.

    Args:
        classifier: what answers.
        names: folders, lists, archives, Parquet files, buckets, or pictures.
        out: the file. Until it is whole, the folder of parts is beside it.

    Attributes:
        folder: of the parts.
        done: how many pictures earlier runs have answered.

    Raises:
        ImagetteError: the file has another ending, or is an address.
    """

    def __init__(self, classifier: "Classifier", names: list[str], out: Path) -> None:
        if re.match(r"[a-z][a-z0-9+.-]+:/", str(out), re.IGNORECASE):  # as a Path has it
            address = str(out).replace(":/", "://", 1)
            raise ImagetteError(
                f"Answers go to a disk, and not to {address}.",
                "Give the path of a file to --out, and copy it there when all is answered.",
            )
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
        self._tasks: PictureTasks | None = None
        self.done = 0

    def finished(self) -> int | None:
        """How many pictures cannot be read, where the file holds all answers about these pictures.

        Returns:
            Their number; None where not all pictures are answered.

        Raises:
            ImagetteError: the file is there and holds something else, or a source cannot be read.
        """
        if self.folder.exists() or not self._out.exists():
            return None
        names = (entry.name for entry in PictureSources(self._names))
        classifier = self._classifier
        model = classifier.sha256[:16]
        unreadable = unreadable_in(self._out, names, classifier.class_names, model)
        if unreadable is None:
            raise ImagetteError(
                f"{self._out} holds something else than this model's answers about these pictures.",
                "Give another file to --out, or delete this one to start over.",
            )
        return unreadable

    @contextmanager
    def opened(self) -> Iterator[PictureSources]:
        """List the pictures, or open the list of an earlier run; lock the folder of parts.

        Yields:
            The sources, which know what was left out.

        Raises:
            ImagetteError: a source cannot be read, has no picture, or the folder of parts is of
                other pictures or of another model.
        """
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
                self._refuse_parts_without_a_list()
                self._write_list(sources)
                found = open_list(self.folder)
                assert found is not None
            else:
                self._refuse_others(found)
            self._list = found
            yield sources

    def _write_list(self, sources: PictureSources) -> None:
        try:
            write_list(self.folder, sources, sources.roots, sources.files, self._about)
            found = open_list(self.folder)
            if found is None or not found.pictures:
                left_out = sources.first_left_out
                raise ImagetteError(
                    f"There are no pictures in {', '.join(self._names)}"
                    f"{left_out and f' ({left_out})'}.",
                    "Name a folder, a list, an archive or a bucket that holds some.",
                )
        except ImagetteError:  # nothing is answered yet, so there is nothing to resume
            remove_list(self.folder)
            (self.folder / _LOCK).unlink(missing_ok=True)
            remove_if_empty(self.folder)
            raise

    def _refuse_others(self, found: PictureList) -> None:
        """A list of an earlier run must be of the same pictures, and its answers of this model."""
        problem = ""
        if found.about != self._about:
            problem = f"{self.folder} holds answers about other pictures, or of another model."
        elif changed := found.changed:
            problem = f"{changed} has changed since its pictures were listed in {self.folder}."
        if problem:
            raise ImagetteError(
                problem, "Give another file to --out, or delete that folder to start over."
            )

    def _refuse_parts_without_a_list(self) -> None:
        """A new list may have other pictures in its parts than those that are answered."""
        if any(self.folder.glob("[0-9]*.parquet")):
            raise ImagetteError(
                f"{self.folder} holds answers, but no list of the pictures that they are about.",
                "Give another file to --out, or delete that folder to start over.",
            )

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

    def start_workers(self, cores: int) -> None:
        """Have a connected cluster load the model, while the pictures are listed.

        Args:
            cores: how many it has.
        """
        from imagette.cluster.picture_tasks import PictureTasks

        self._tasks = PictureTasks(self._classifier, cores)

    def wait_for_a_worker(self, on_waiting: Callable[[], None]) -> None:
        """Return when the first worker has loaded the model.

        Args:
            on_waiting: is called once where no core is free for some seconds.

        Raises:
            ImagetteError: it could not load it, or the cluster is lost.
        """
        assert self._tasks is not None
        self._tasks.wait_for_a_worker(on_waiting)

    def answers(self) -> Iterator[int]:
        """Answer what is not answered yet, on the cluster that `start_workers` was called on.

        Yields:
            For each part that is written, how many pictures it has.

        Raises:
            ImagetteError: a part cannot be written, a bucket or a machine's disk cannot be read,
                or the cluster is lost.
        """
        assert self._list is not None
        assert self._tasks is not None
        for part, answers in self._tasks.answers(self._list, self._parts()):
            write_bytes(self.folder / _part_name(part), answers)
            yield self._list.counts[part]

    def finish(self) -> Counts:
        """Make one file of all parts, and remove them.

        Returns:
            How often each answer was given.
        """
        assert self._list is not None
        counts = join_answers(
            (self.folder / _part_name(part) for part in range(len(self._list.counts))),
            self._out,
            self.folder,
            self._classifier.class_names,
            self._classifier.class_names_fr,
            self._classifier.sha256[:16],
        )
        # Renamed first: a run that is killed while files are removed would leave half a folder of
        # parts, which the next run would complete.
        old = self.folder.with_name(f".done-{secrets.token_hex(4)}-{self.folder.name}")
        self.folder.rename(old)
        shutil.rmtree(old, ignore_errors=True)
        return counts

    def sweep(self) -> None:
        """Remove what is left of folders of parts whose run was killed while it removed them."""
        for old in self.folder.parent.glob(f".done-*-{glob.escape(self.folder.name)}"):
            shutil.rmtree(old, ignore_errors=True)


def _part_name(part: int) -> str:
    return f"{part:06}.parquet"


def _lock(stack: ExitStack, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows
        return
    file = stack.enter_context((folder / _LOCK).open("wb"))
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ImagetteError(
            f"Another program is answering into {folder}.", "Wait for it, or give another file."
        ) from None
