"""A real Ray cluster of two nodes on this machine, each with its own raylet and object store."""

import os
import signal
from contextlib import suppress
from typing import Any

import psutil

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")


class TwoNodes:
    """A head without any core, where the driver runs, and nodes that work.

    Args:
        nodes: how many nodes work.
        cores: of each of them.

    Attributes:
        address: for `--ray-address`.
    """

    def __init__(self, nodes: int = 2, cores: int = 1) -> None:
        from ray.cluster_utils import Cluster

        self._cores = cores
        self._cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "include_dashboard": False,
                            "object_store_memory": 200_000_000},
        )  # fmt: skip
        self.nodes = [self.add_node() for _ in range(nodes)]
        self.address: str = self._cluster.address

    def add_node(self) -> Any:
        """Another node that works."""
        node = self._cluster.add_node(num_cpus=self._cores, object_store_memory=200_000_000)
        self._cluster.wait_for_nodes()
        return node

    def kill_node(self, number: int) -> None:
        """As if its plug was pulled: SIGKILL to its raylet, and to all that it began."""
        for info in self.nodes[number].all_processes["raylet"]:
            raylet = psutil.Process(info.process.pid)
            for one in [*raylet.children(recursive=True), raylet]:
                with suppress(psutil.Error):
                    one.send_signal(signal.SIGKILL)
        self._cluster.remove_node(self.nodes[number], allow_graceful=False)

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()
