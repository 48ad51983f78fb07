"""A training whose work is shared by the workers of a Ray cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray

from imagette.cluster.connection import result_of
from imagette.cluster.features import compute_features_on, reason
from imagette.data.dataset import Split
from imagette.data.decode import Source
from imagette.errors import ImagetteError
from imagette.features.backbone import Backbone
from imagette.features.compute import Features
from imagette.images.views import ViewName
from imagette.inference.answering_processes import available_cores
from imagette.training.recipe import Recipe
from imagette.training.workers import Workers

if TYPE_CHECKING:
    import keras

    from imagette.training.state import EpochProgress, State

_MOST_RETRIES = 10
"""Of a call whose worker is lost; a call that takes too much memory ends all its workers."""


class ClusterWorkers(Workers):
    """Shares the work among the workers of the cluster that this process is connected to.

    Args:
        cores: how many the cluster has.
        workers: how many share the work; None for one a core or, in a training by epochs, one a
            machine or GPU.
    """

    def __init__(self, cores: int, workers: int | None = None) -> None:
        self.cores, self.workers = cores, workers
        self.machines = (workers or cores) / available_cores()

    @property
    def device_type(self) -> Literal["cpu", "cuda"]:
        from imagette.cluster.epochs import trains_on_gpus

        return "cuda" if trains_on_gpus(self.workers) else "cpu"

    def compute_features(
        self, sources: Sequence[Source], backbone: Backbone, view: ViewName
    ) -> Features:
        return compute_features_on(self.workers or self.cores, sources, backbone, view)

    def spread(self, function: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        """As `map`, a core for each call; the calls of a worker that is lost are made again.

        Raises:
            ImagetteError: Ray gave up, or what the function raises.
        """
        call = ray.remote(_call).options(num_cpus=1, max_retries=_MOST_RETRIES)
        shared = ray.put(function)
        under_way: deque[Any] = deque()
        for arguments in zip(*items, strict=True):
            # No more than are soon needed: arguments and results take memory.
            if len(under_way) >= 2 * (self.workers or self.cores):
                yield _get(under_way.popleft())
            under_way.append(call.remote(shared, *arguments))
        while under_way:
            yield _get(under_way.popleft())

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


def _get(answer: Any) -> Any:
    return result_of(answer, _not_fitted)


def _not_fitted(error: Exception) -> ImagetteError:
    return ImagetteError(
        f"The cluster could not fit the last layer: {reason(error)}.",
        "See that its machines are up, have enough memory and the same Imagette, and run the"
        " command again: features are kept.",
    )


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
