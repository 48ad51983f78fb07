"""Features of pictures, computed on all cores of a cluster by Ray Data."""

import logging
import pickle
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray import cloudpickle
from ray.data import ActorPoolStrategy, DataContext
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from imagette.data.decode import Source
from imagette.errors import ImageError, ImagetteError
from imagette.features.backbone import Backbone
from imagette.features.compute import Features, Found, compute_few, gather
from imagette.features.store import FeatureStore
from imagette.files import cache_folder
from imagette.images.batches import batches
from imagette.images.views import ViewName

_AT_ONCE = 16
_MOST_IN_BLOCK = 256
_BLOCKS_A_WORKER = 16
_MOST_PATHS = 1_000_000
_MOST_CONTENTS = 16_384
"""So many pictures are sent at a time: as paths or, where they have no file each, themselves."""


def compute_features_on(
    workers: int, sources: Sequence[Source], backbone: Backbone, view: ViewName
) -> Features:
    """Compute features as `imagette.features.compute.compute_features` does, on so many cores.

    Workers read the files themselves; what has no file of its own, as in Parquet, the driver reads.
    Rows come back in any order and are put in that of the sources, so that all is the same whatever
    became of a worker meanwhile. Features that are known are those of the driver's cache, which
    keeps all that come.

    Raises:
        ImagetteError: the workers do not see the files, or the cluster gives up.
    """
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    of_files = all(isinstance(source, Path) for source in sources)
    parts = batches(len(sources), _MOST_PATHS if of_files else _MOST_CONTENTS)
    home = _make_home(backbone)
    found = (_look_at(sources, part, workers, view, home) for part in parts)
    return gather(len(sources), chain.from_iterable(found))


def _look_at(
    sources: Sequence[Source], part: slice, workers: int, view: ViewName, home: Any
) -> Iterator[tuple[int, Found]]:
    """What is found of a part of the pictures, a block at a time, in any order."""
    count = len(sources[part])
    size = max(1, min(_MOST_IN_BLOCK, count // (workers * _BLOCKS_A_WORKER)))
    tables = [
        pa.table({
            "start": [part.start + block.start],
            "sources": [cloudpickle.dumps(list(map(_sent, sources[part][block])))],
        })
        for block in batches(count, size)
    ]  # fmt: skip
    looked: Any = ray.data.from_arrow(tables).map_batches(
        _Look,
        batch_size=None,
        batch_format="pyarrow",
        compute=ActorPoolStrategy(min_size=1, max_size=workers, initial_size=1),
        fn_constructor_args=(view, home),
        num_cpus=1,
    )
    try:
        for table in looked.iter_batches(batch_size=None, batch_format="pyarrow"):
            for row in table.to_pylist():
                for place in row["absent"]:
                    _check_absent(sources[row["start"] + place])
                yield row["start"], pickle.loads(row["found"])
    except ray.exceptions.RayError as error:
        raise ImagetteError(
            f"The cluster could not look at the pictures: {str(error).strip().splitlines()[-1]}",
            "See that its machines are up and have Imagette installed, and run the command again:"
            " what was computed is kept.",
        ) from error


def _sent(source: Source) -> Source:
    """A picture as workers can read it."""
    if isinstance(source, Path):
        return source.absolute()
    if not callable(source):
        return source
    try:
        return partial(bytes, source())
    except (ImageError, OSError) as error:
        return partial(_raise, error)


def _raise(error: Exception) -> bytes:
    raise error


class _Home:
    """On the driver's machine: the backbone's graph, and the features that are known."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone, self.store = backbone, FeatureStore(backbone.key)

    def get_backbone(self) -> Backbone:
        """With its graph, for machines that have no such file."""
        carried = Backbone(self.backbone.path, self.backbone.size)
        carried.content  # noqa: B018  # it is kept, and goes with it
        return carried

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        return self.store.find(keys)

    def keep(self, pairs: Sequence[tuple[bytes, NDArray[np.float16]]]) -> None:
        self.store.keep(pairs)


def _make_home(backbone: Backbone) -> Any:
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    cache = {"env_vars": {"IMAGETTE_CACHE_DIR": str(cache_folder().resolve())}}
    options: dict[str, Any] = {
        "num_cpus": 0,
        "scheduling_strategy": here,
        "runtime_env": cache,
    }
    return ray.remote(_Home).options(**options).remote(Backbone(backbone.path, backbone.size))


class _KnownAtHome:
    """The features that are known, as a worker asks for them."""

    def __init__(self, home: Any) -> None:
        self.home = home

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        return ray.get(self.home.find.remote(keys))

    def keep(self, pairs: Any) -> None:
        ray.get(self.home.keep.remote(list(pairs)))


class _Look:
    """A worker's: from blocks of pictures to blocks of features."""

    def __init__(self, view: ViewName, home: Any) -> None:
        self.backbone: Backbone = ray.get(home.get_backbone.remote())
        self.view, self.store = view, _KnownAtHome(home)

    def __call__(self, block: pa.Table) -> pa.Table:
        rows = [(row["start"], *self._look(row["sources"])) for row in block.to_pylist()]
        starts, found, absent = zip(*rows, strict=True)
        return pa.table({"start": starts, "found": found, "absent": absent})

    def _look(self, pickled: bytes) -> tuple[bytes, list[int]]:
        """What is found of some pictures, and which files are not there at all."""
        sources: list[Source] = pickle.loads(pickled)
        found: Found = []
        for few in batches(len(sources), _AT_ONCE):
            found += compute_few(sources[few], self.backbone, self.view, self.store)
        absent = [
            place
            for place, source in enumerate(sources)
            if isinstance(source, Path) and not found[place][0] and not source.is_file()
        ]
        return pickle.dumps(found), absent


def _check_absent(source: Source) -> None:
    """Make sure that a file which a worker does not find is not there for the driver, either."""
    if isinstance(source, Path) and source.is_file():
        raise ImagetteError(
            f"A machine of the cluster does not find {source}, which is on this one.",
            "Put the pictures into a folder that all machines have under the same path.",
        )
