"""Features of pictures, computed on all cores of a cluster by Ray Data."""

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from imagette.data.decode import Source
from imagette.errors import ImagetteError
from imagette.features.backbone import Backbone
from imagette.features.compute import Features, Found, compute_few, gather
from imagette.features.store import FeatureStore
from imagette.images.batches import batches
from imagette.images.views import ViewName

_AT_ONCE = 8
_MOST_IN_BLOCK = 256
_BLOCKS_A_WORKER = 16
_NOT_THERE = "is not there"


def compute_features_on(
    workers: int, sources: Sequence[Source], backbone: Backbone, view: ViewName
) -> Features:
    """Compute features as `imagette.features.compute.compute_features` does, on so many cores.

    Workers read the files themselves. Rows come back in any order and are put in that of the
    sources, so that all is the same whatever became of a worker meanwhile. Features that are known
    are those of the driver's cache, which keeps all that come.

    Raises:
        ImagetteError: the workers do not see the files, or the cluster gives up.
    """
    size = max(1, min(_MOST_IN_BLOCK, len(sources) // (workers * _BLOCKS_A_WORKER)))
    tables = [
        pa.table({
            "start": [block.start],
            "sources": [cloudpickle.dumps(list(sources[block]))],
        })
        for block in batches(len(sources), size)
    ]  # fmt: skip
    store = _store(backbone.key)
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    looked = ray.data.from_arrow(tables).map_batches(
        _Look,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=1, max_size=workers, initial_size=1),
        fn_constructor_args=(_with_content(backbone), view, store),
        num_cpus=1,
    )
    return gather(len(sources), _found(looked, sources))


def _store(key: str) -> Any:
    """The cache of the driver's machine, for all workers."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    options: dict[str, Any] = {"num_cpus": 0, "scheduling_strategy": here}
    return ray.remote(FeatureStore).options(**options).remote(key)


def _with_content(backbone: Backbone) -> Backbone:
    """The backbone with its graph, for machines that have no such file."""
    carried = Backbone(backbone.path, backbone.size)
    carried.content, carried.key  # noqa: B018  # they are kept, and go with it
    return carried


class _SharedStore:
    """The driver's cache, as a worker sees it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        return ray.get(self.actor.find.remote(keys))

    def keep(self, pairs: Any) -> None:
        self.actor.keep.remote(pairs)  # nothing waits for it


class _Look:
    """A worker's: from blocks of pictures to blocks of features."""

    def __init__(self, backbone: Backbone, view: ViewName, store: Any) -> None:
        self.backbone, self.view, self.store = backbone, view, _SharedStore(store)

    def __call__(self, block: pa.Table) -> pa.Table:
        starts, found = [], []
        for row in block.to_pylist():
            starts.append(row["start"])
            found.append(pickle.dumps(self._look(pickle.loads(row["sources"]))))
        return pa.table({"start": starts, "found": found})

    def _look(self, sources: list[Source]) -> Found:
        found: Found = []
        for few in batches(len(sources), _AT_ONCE):
            found += compute_few(sources[few], self.backbone, self.view, self.store)
        for place, source in enumerate(sources):
            if not found[place][0] and isinstance(source, Path) and not source.is_file():
                found[place] = b"", _NOT_THERE
        return found


def _found(looked: Any, sources: Sequence[Source]) -> Iterator[tuple[int, Found]]:
    """What was found of the pictures of each block, as the blocks come."""
    try:
        for table in looked.iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in table.to_pylist():
                found: Found = pickle.loads(row["found"])
                for place, (_, what) in enumerate(found, row["start"]):
                    if isinstance(what, str) and what == _NOT_THERE:
                        _check_there(sources[place])
                yield row["start"], found
    except ray.exceptions.RayError as error:
        raise ImagetteError(
            f"The cluster could not look at the pictures: {str(error).strip().splitlines()[-1]}",
            "See that its machines are up and have Imagette installed, and run the command again:"
            " what was computed is kept.",
        ) from error


def _check_there(source: Source) -> None:
    """Make sure that a file which a worker does not find is not there for the driver, either."""
    if isinstance(source, Path) and source.is_file():
        raise ImagetteError(
            f"A machine of the cluster does not find {source}, which is on this one.",
            "Put the pictures into a folder that all machines have under the same path.",
        )
