"""A training whose work is shared by the workers of a Ray cluster."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import ray

from imagette.cluster.features import compute_features_on
from imagette.data.decode import Source
from imagette.features.backbone import Backbone
from imagette.features.compute import Features
from imagette.images.views import ViewName
from imagette.training.workers import Workers


class ClusterWorkers(Workers):
    """Does it on the cluster that this process is connected to.

    Args:
        cores: of the cluster.
        workers: how many share the work; None for as many as suit the cluster.
    """

    def __init__(self, cores: int, workers: int | None = None) -> None:
        self.cores = cores
        self.workers = workers

    def compute_features(
        self, sources: Sequence[Source], backbone: Backbone, view: ViewName
    ) -> Features:
        return compute_features_on(self.workers or self.cores, sources, backbone, view)

    def spread(self, function: Callable[..., Any], *items: Iterable[Any]) -> Iterator[Any]:
        """As `map`, on all cores; a call that a lost worker had is made again by another."""
        call = ray.remote(_call).options(num_cpus=1, max_retries=-1)
        shared = ray.put(function)
        under_way: deque[Any] = deque()
        for arguments in zip(*items, strict=True):
            # No more than are soon needed: arguments and results take memory.
            if len(under_way) >= 2 * (self.workers or self.cores):
                yield ray.get(under_way.popleft())
            under_way.append(call.remote(shared, *arguments))
        while under_way:
            yield ray.get(under_way.popleft())


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
