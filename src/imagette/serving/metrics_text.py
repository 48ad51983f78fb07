"""All that the workers have counted, and what their processes take, as Prometheus reads it."""

import os
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

MODEL_INFO = "imagette_model_info"
"""The gauge that says which model is served; 0 for one that was."""


def render_folder(folder: Path) -> bytes:
    """What all processes have counted that write into a folder.

    Args:
        folder: what `PROMETHEUS_MULTIPROC_DIR` names.
    """
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    alive = _drop_the_dead(folder)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return _render(registry, alive)


def render_alone(registry: "CollectorRegistry") -> bytes:
    """What this process has counted, where it is the only one."""
    return _render(registry, {os.getpid()})


def _render(registry: "CollectorRegistry", processes: Iterable[int]) -> bytes:
    from prometheus_client import generate_latest

    class Shown:
        """What there is, but for models that are served no more, and with the processes."""

        def collect(self) -> Iterator["Metric"]:
            for metric in registry.collect():
                if metric.name == MODEL_INFO:
                    metric.samples = [sample for sample in metric.samples if sample.value]
                yield metric
            yield from _describe_processes(processes)

    return generate_latest(Shown())  # type: ignore[arg-type]  # all it asks for is `collect`


def _drop_the_dead(folder: Path) -> set[int]:
    """Forget the gauges of processes that have ended, which no longer hold; give the others' ids.

    What the ended ones have counted stays.
    """
    files = [(int(file.stem.rpartition("_")[2]), file) for file in folder.glob("*_*.db")]
    alive = {pid for pid in {pid for pid, _ in files} if _is_alive(pid)}
    for pid, file in files:
        if pid not in alive and file.name.startswith("gauge_live"):
            file.unlink(missing_ok=True)
    return alive


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # where a signal 0 would interrupt it
        return True
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _describe_processes(pids: Iterable[int]) -> Iterable["Metric"]:
    """Processor, memory and open files of each, where Linux tells them.

    prometheus_client does so for the process that is asked, and for none where there are several.
    """
    from prometheus_client import Metric
    from prometheus_client.process_collector import ProcessCollector

    found: dict[str, Metric] = {}
    for pid in sorted(pids):
        for one in ProcessCollector(pid=partial(int, pid), registry=None).collect():
            metric = found.setdefault(one.name, Metric(one.name, one.documentation, one.type))
            for sample in one.samples:
                metric.add_sample(sample.name, {"pid": str(pid)}, sample.value)
    return found.values()
