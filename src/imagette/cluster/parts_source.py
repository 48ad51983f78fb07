"""The parts of a picture list as a dataset of Ray Data, a row a part."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imagette.cluster.picture_list import packed_parts

_AT_ONCE = 32
"""Parts that one task reads."""


def parts_source(path: Path, numbers: list[int]) -> Any:
    """The given parts of a list, read while others are answered.

    They are read where this runs, because no other machine needs to see the list.

    Args:
        path: of the list.
        numbers: of the parts.

    Returns:
        A dataset with a block a part: its number, `part`, and `pictures`, as of `packed_parts`.
    """
    import ray
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    logging.getLogger("ray.data").setLevel(logging.CRITICAL)  # errors come as exceptions, too
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # so that each row is a block, and answered by itself
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    chunks = [numbers[begin : begin + _AT_ONCE] for begin in range(0, len(numbers), _AT_ONCE)]

    class Parts(Datasource):
        """Ray Data's view of it."""

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_: Any, **__: Any) -> list[Any]:
            nothing = {"size_bytes": None, "input_files": None, "exec_stats": None}
            return [
                ReadTask(_reading(path, chunk), BlockMetadata(num_rows=len(chunk), **nothing))
                for chunk in chunks
            ]

    here = {"ray.io/node-id": ray.get_runtime_context().get_node_id()}
    return ray.data.read_datasource(
        Parts(), num_cpus=0, label_selector=here, override_num_blocks=len(chunks)
    )


def _reading(path: Path, numbers: list[int]) -> Callable[[], Iterator[Any]]:
    def read() -> Iterator[Any]:
        import pyarrow as pa

        for number, part in zip(numbers, packed_parts(path, numbers), strict=True):
            yield pa.table({"part": [number], "pictures": [part]})

    return read
