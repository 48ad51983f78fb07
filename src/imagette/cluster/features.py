"""Features of pictures, computed on all cores of a cluster by Ray Data."""

import logging
import pickle
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.data import ActorPoolStrategy, DataContext

from imagette.cluster.connection import on_this_machine
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
_MOST_BYTES = 512 * 2**20
"""The most that the driver holds at once of what it sends: paths of files, and contents of other
pictures. After so many bytes, the workers begin another dataset of Ray Data."""


def compute_features_on(
    workers: int, sources: Sequence[Source], backbone: Backbone, view: ViewName
) -> Features:
    """Compute features as `imagette.features.compute.compute_features` does, on a Ray cluster.

    Workers read the files themselves; pictures without a file of their own, as in Parquet, are read
    by the driver and sent. Rows arrive in any order and are put in that of the sources; those of a
    lost worker are computed again. The driver's cache holds the features, the new ones too.

    The driver's memory holds all rows, 2.6 GB for a million pictures.

    Args:
        workers: at most so many, of one core each.
        sources: the pictures.
        backbone: computes the features.
        view: what of each picture is looked at.

    Raises:
        ImagetteError: the workers do not see the files, or Ray gave up.
    """
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    context = DataContext.get_current()
    context.enable_progress_bars = context.print_on_execution_start = False
    home = _make_home(backbone)
    blocks = _make_blocks(sources, workers * _BLOCKS_A_WORKER)
    found = (_look_at(sources, part, workers, view, home) for part in _make_parts(blocks))
    return gather(len(sources), chain.from_iterable(found))


def _make_blocks(sources: Sequence[Source], wanted: int) -> Iterator[pa.Table]:
    """Pictures that follow each other, as they are sent: so few, and of so few bytes, that there
    are about so many blocks at once as are wanted."""
    most = max(1, min(_MOST_IN_BLOCK, len(sources) // wanted))
    few, held = list[bytes](), 0
    for place, source in enumerate(sources, 1):
        few.append(pickle.dumps(_sent(source)))
        held += len(few[-1])
        if len(few) == most or held >= _MOST_BYTES // wanted or place == len(sources):
            yield pa.table({"start": [place - len(few)], "sources": [few]})
            few, held = [], 0


def _make_parts(blocks: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """Blocks of about `_MOST_BYTES` together."""
    part, held = list[pa.Table](), 0
    for block in blocks:
        part.append(block)
        held += block.nbytes
        if held >= _MOST_BYTES:
            yield part
            part, held = [], 0
    if part:
        yield part


def _look_at(
    sources: Sequence[Source], part: list[pa.Table], workers: int, view: ViewName, home: Any
) -> Iterator[tuple[int, Found]]:
    """Features of a part of the pictures, a block at a time, in any order."""
    looked: Any = ray.data.from_arrow(part).map_batches(
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
            f"The cluster could not look at the pictures: {reason(error)}.",
            "See that its machines are up and have Imagette installed, and run the command again:"
            " what was computed is kept.",
        ) from error


def reason(error: Exception) -> str:
    """What Ray raised, in a line without a full stop."""
    error = getattr(error, "cause", None) or error  # what the task raised
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].rstrip(".")


def _sent(source: Source) -> Source:
    """A picture in a form that workers can read."""
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
    """An actor on the driver's machine: gives the backbone, and the features in the cache."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone, self.store = backbone, FeatureStore(backbone.key)

    def get_backbone(self) -> Backbone:
        """With the content of its file, which other machines may not have."""
        carried = Backbone(self.backbone.path, self.backbone.size)
        carried.content  # noqa: B018  # a cached property, pickled once it is computed
        return carried

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        return self.store.find(keys)

    def keep(self, pairs: Sequence[tuple[bytes, NDArray[np.float16]]]) -> None:
        self.store.keep(pairs)


def _make_home(backbone: Backbone) -> Any:
    cache = {"env_vars": {"IMAGETTE_CACHE_DIR": str(cache_folder().resolve())}}
    options: dict[str, Any] = {
        "num_cpus": 0,
        "scheduling_strategy": on_this_machine(),
        "runtime_env": cache,
    }
    return ray.remote(_Home).options(**options).remote(Backbone(backbone.path, backbone.size))


class _DriversStore:
    """The driver's cache, for a worker."""

    def __init__(self, home: Any) -> None:
        self.home = home

    def find(self, keys: Sequence[bytes]) -> dict[bytes, NDArray[np.float16]]:
        return ray.get(self.home.find.remote(keys))

    def keep(self, pairs: Any) -> None:
        ray.get(self.home.keep.remote(list(pairs)))


class _Look:
    """A worker: turns blocks of pictures into blocks of features."""

    def __init__(self, view: ViewName, home: Any) -> None:
        self.backbone: Backbone = ray.get(home.get_backbone.remote())
        self.view, self.store = view, _DriversStore(home)

    def __call__(self, block: pa.Table) -> pa.Table:
        rows = [(row["start"], *self._look(row["sources"])) for row in block.to_pylist()]
        starts, found, absent = zip(*rows, strict=True)
        return pa.table({"start": starts, "found": found, "absent": absent})

    def _look(self, pickled: Sequence[bytes]) -> tuple[bytes, list[int]]:
        """Features of some pictures, and the places of those whose file does not exist."""
        sources: list[Source] = [pickle.loads(one) for one in pickled]
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
    """Make sure that a file that a worker does not find is missing for the driver, too."""
    if isinstance(source, Path) and source.is_file():
        raise ImagetteError(
            f"A machine of the cluster does not find {source}, which is on this one.",
            "Put the pictures into a folder that all machines have under the same path.",
        )
