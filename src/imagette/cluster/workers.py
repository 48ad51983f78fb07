"""A training whose work is shared by the workers of a Ray cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from threadpoolctl import threadpool_info, threadpool_limits

from imagette.cluster.features import compute_features_on
from imagette.data.dataset import Split
from imagette.data.decode import Source
from imagette.features.backbone import Backbone
from imagette.features.compute import Features
from imagette.images.views import ViewName
from imagette.inference.answering_processes import available_cores
from imagette.training.recipe import Recipe
from imagette.training.workers import Workers

if TYPE_CHECKING:
    import keras

    from imagette.training.state import EpochProgress, State


class ClusterWorkers(Workers):
    """Does it on the cluster that this process is connected to.

    Args:
        cores: of the cluster.
        workers: how many share the work; None for as many as suit the cluster.
    """

    def __init__(self, cores: int, workers: int | None = None) -> None:
        self.cores, self.workers = cores, workers
        self.machines = (workers or cores) / available_cores()

    def compute_features(
        self, sources: Sequence[Source], backbone: Backbone, view: ViewName
    ) -> Features:
        return compute_features_on(self.workers or self.cores, sources, backbone, view)

    def spread(self, function: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        """As `map`, on all cores; a call that a lost worker had is made again by another.

        NumPy computes with as many threads as here, because products in float32 round by them.
        """
        threads = _threads()
        cores = _fewest_cores(threads)
        call = ray.remote(_call).options(num_cpus=cores, max_retries=-1)
        at_once = 2 * max(1, (self.workers or self.cores) // cores)
        shared = ray.put(function)
        under_way: deque[Any] = deque()
        for arguments in zip(*items, strict=True):
            # No more than are soon needed: arguments and results take memory.
            if len(under_way) >= at_once:
                yield ray.get(under_way.popleft())
            under_way.append(call.remote(threads, shared, *arguments))
        while under_way:
            yield ray.get(under_way.popleft())

    def train_epochs(
        self,
        folder: Path,
        model: "keras.Model",
        train: Split,
        validation: Split,
        recipe: Recipe,
        state: "State",
        on_progress: "Callable[[EpochProgress], None]",
        on_eta: Callable[[float], None],
        teacher: "keras.Model | None",
    ) -> "Iterator[State]":
        from imagette.cluster.epochs import Work, train_epochs_on
        from imagette.training.weights import set_weights

        if state.finished(recipe):
            return
        work = Work.of(model, train, validation, recipe, state, teacher)
        for state in train_epochs_on(folder, self.workers, work, on_progress, on_eta):
            set_weights(model, state.weights)
            yield state


def _call(threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    with threadpool_limits(threads, "blas"):  # Ray allows one a core of the call
        return function(*arguments)


def _threads() -> int:
    """Of NumPy's products in this process."""
    return max((one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"),
               default=1)  # fmt: skip


def _fewest_cores(most: int) -> int:
    """Of the machines that have some, for a call to fit everywhere; not more than `most`."""
    cores = (int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"])
    return min([most, *(some for some in cores if some)])
