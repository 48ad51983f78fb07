"""The tasks of Ray that answer about the parts of a list of pictures."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from imagette.cluster.answer_part import SharedModel, answer_part, open_model
from imagette.cluster.picture_list import PictureList, packed_parts, unpacked
from imagette.errors import ImagetteError, first_line

if TYPE_CHECKING:
    from imagette.inference.classifier import Classifier

_RETRIES = 10
"""How often a part is tried again after its worker was killed. Where that happens each time, its
pictures are the cause: they take too much memory, say."""
_MORE = 8
"""Parts that are handed out beyond two a core."""
_PATIENCE = 15.0
"""Seconds without a core, after which the user is told what the program waits for."""


class PictureTasks:
    """The work on a connected cluster, whose workers begin to load the model at once.

    Args:
        classifier: what answers.
        cores: how many the cluster has.
    """

    def __init__(self, classifier: "Classifier", cores: int) -> None:
        self._model = SharedModel(
            ray.put(classifier.path.read_bytes()),
            str(classifier.path),
            classifier.sha256,
            classifier.max_pixels,
        )
        load = ray.remote(num_cpus=1)(open_model)
        self._loading = [load.remote(self._model) for _ in range(max(1, cores))]

    def wait_for_a_worker(self, on_waiting: Callable[[], None]) -> None:
        """Return when the first worker has loaded the model.

        Args:
            on_waiting: is called once where no core is free for some seconds.

        Raises:
            ImagetteError: it could not load it, or the cluster is lost.
        """
        with told_errors():
            ready, _ = ray.wait(self._loading, timeout=_PATIENCE)
            if not ready:
                if _no_core_is_free():
                    on_waiting()
                ready, _ = ray.wait(self._loading)
            ray.get(ready)

    def answers(self, found: PictureList, parts: list[int]) -> Iterator[tuple[int, bytes]]:
        """Parts and their answers, in the order in which they are ready.

        Args:
            found: the pictures.
            parts: the numbers of those to answer.

        Raises:
            ImagetteError: a bucket or a machine's disk cannot be read, each worker that works on
                a part is killed, or the cluster is lost.
        """
        answer = ray.remote(num_cpus=1, max_retries=_RETRIES)(answer_part)
        waiting = zip(parts, packed_parts(found.path, parts), strict=True)
        pending: dict[Any, int] = {}
        while True:
            with told_errors():
                # Asked again each time, because a cluster may grow or shrink.
                cores = int(ray.cluster_resources().get("CPU", 0))
                for part, pictures in islice(waiting, to_hand_out(cores, len(pending))):
                    pending[answer.remote(self._model, found.roots, pictures)] = part
                if not pending:
                    return
                [ready], _ = ray.wait(list(pending))
                part = pending.pop(ready)
                try:
                    answers = ray.get(ready)
                except (NodeDiedError, OutOfMemoryError, WorkerCrashedError) as error:
                    raise _deadly(found, part) from error
            yield part, answers


def to_hand_out(cores: int, pending: int) -> int:
    """How many parts more to give to the cluster, of which so many are pending.

    Not all at once: millions of paths would lie in memory. More than the cluster has cores, so that
    no core waits and an autoscaler adds machines. None while more are pending than that, as after
    the loss of a machine.
    """
    return max(0, 2 * cores + _MORE - pending)


@contextmanager
def told_errors() -> Iterator[None]:
    """Turn errors of Ray into ones that say what to do.

    Raises:
        ImagetteError: in place of an error of Ray.
    """
    try:
        yield
    except RayTaskError as error:  # what was raised on a worker
        if isinstance(error.cause, ImagetteError):
            raise error.cause from error
        last = error.traceback_str.strip().splitlines()[-1].strip().rstrip(".")
        raise ImagetteError(
            f"A worker of the Ray cluster cannot answer: {last}.",
            "Check that all machines have the same versions of Imagette, Python and Ray; then run"
            " the same command again, which goes on where it stopped.",
        ) from error
    except RayError as error:
        raise ImagetteError(
            f"The Ray cluster could not finish the work: {first_line(error)}.",
            "Check with `ray status` that its machines are there and have enough memory; then run"
            " the same command again, which goes on where it stopped.",
        ) from error


def _no_core_is_free() -> bool:
    return float(ray.available_resources().get("CPU", 0)) < 1


def _deadly(found: PictureList, part: int) -> ImagetteError:
    """What there is to say of a part that kills each of its workers."""
    [pictures] = packed_parts(found.path, [part])
    first = unpacked(pictures)[0].name
    return ImagetteError(
        f"Each worker that answers about the {found.counts[part]:,} pictures from {first} on is"
        " killed.",
        "Give the machines more memory, or leave those pictures out; what is answered so far is"
        " kept.",
    )
